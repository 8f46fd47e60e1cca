"""The bundle of a model file: made, compared with the model, and kept only if it says the same."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from cxr.bundle.inference import inference_config
from cxr.bundle.metadata import as_json, metadata
from cxr.bundle.network import BundleNetwork
from cxr.bundle.torchscript import ScriptEngine, script_of, write_script
from cxr.bundle.words import LICENSE, LOGGING, readme
from cxr.errors import CxrError, DataError
from cxr.export.check import BATCHES, DEFAULTS, compare, refuse
from cxr.export.images import Pictures, phantoms, test_images
from cxr.export.network import Chosen, choose
from cxr.export.record import Check
from cxr.extra import require
from cxr.model.card import ModelCard, weights_digest
from cxr.predict.files import answer_columns
from cxr.stage import Progress

_METADATA, _INFERENCE = "configs/metadata.json", "configs/inference.json"
_WAY_OUT = "use `cxr export` or `cxr predict`, and report it as a defect"
_UNITS = {"study": "studies", "patient": "patients"}
_SCRIPT, _STATE = "models/model.ts", "models/model.pt"
_LICENSE = "LICENSE"
_WRITTEN = {_METADATA, _INFERENCE, _SCRIPT, _STATE, _LICENSE, "configs/logging.conf", "docs/README.md"}
_OWN = {name.partition("/")[0] for name in _WRITTEN}


@dataclass(frozen=True)
class Bundled:
    """What was written.

    Args:
        card: of the bundled network.
        heads: the number of attention heads, where the model is stacked.
        check: how the bundle compared with the model.
        size: of all files together, in bytes.
    """

    card: ModelCard
    heads: int | None
    check: Check
    size: int


def bundle(model: Path, out: Path, heads: int | None, images: Path | None, progress: Progress) -> Bundled:
    """Write a calibrated model file as a MONAI bundle.

    Args:
        model: the model file.
        out: the folder; it appears whole and checked, or not at all, in the place of an older bundle that is as it was written.
        heads: of a stacked model the number of attention heads; None for the network that was calibrated.
        images: the folder of a pipeline, whose test images are compared; None for phantoms.
        progress: told how far the comparison is.

    Raises:
        CxrError: MONAI is missing, something else lies at `out`, it cannot be written, the network cannot be brought to
            TorchScript, or it is too far from its model.
        DataError: see `cxr.export.network.choose`, `cxr.export.images.test_images` and
            `cxr.bundle.inference.inference_config`; or the calibration is of studies or patients.
    """
    require("monai", "monai", "fire")
    _refuse_place(out)
    chosen = choose(model, heads)
    _refuse_card(chosen.card, model)
    pictures = phantoms(chosen.card) if images is None else test_images(images, chosen.reference)
    with _appearing(out) as partial:
        check = _write(partial, weights_digest(model), chosen, pictures, progress)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    return Bundled(chosen.card, chosen.heads, check, size)


def _write(folder: Path, digest: str, chosen: Chosen, pictures: Pictures, progress: Progress) -> Check:
    for name in ("configs", "models", "docs"):
        (folder / name).mkdir()
    inference = as_json(inference_config(chosen.card))
    script = script_of(BundleNetwork(chosen))
    write_script(script, folder / _SCRIPT, {})
    check = _compare(ScriptEngine(folder / _SCRIPT), chosen, pictures, progress)
    refuse(check, DEFAULTS["float32"], _WAY_OUT)
    described = as_json(metadata(chosen, digest, check))
    write_script(script, folder / _SCRIPT, {"metadata.json": described, "inference.json": inference})
    torch.save(script.state_dict(), folder / _STATE)
    texts = {
        _METADATA: described,
        _INFERENCE: inference,
        "configs/logging.conf": LOGGING,
        "docs/README.md": readme(chosen.card, check),
        _LICENSE: LICENSE,
    }
    _write_texts(folder, texts)
    return check


def _compare(engine: ScriptEngine, chosen: Chosen, pictures: Pictures, progress: Progress) -> Check:
    """Scores as of every export, and the probabilities that the network itself makes of them."""
    check = compare(engine, chosen, pictures, progress)
    calibration, images = chosen.card.calibration, pictures.images
    if calibration is None:
        return check
    changes = []
    for start in range(0, len(images), BATCHES[-1]):
        batch = images[start : start + BATCHES[-1]]
        expected = calibration.apply(chosen.reference.probabilities(batch), chosen.card.labels.names)
        changes.append(np.abs(engine.probabilities(batch) - expected).max())
    return check.model_copy(update={"probability": float(max(changes))})


def _write_texts(folder: Path, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def _refuse_card(card: ModelCard, path: Path) -> None:
    """Refuse a model of which an image by itself has no probability, or a label that the answer has no room for."""
    answer_columns(card.labels.names)
    if card.calibration is not None and card.calibration.unit != "image":
        raise DataError(
            f"{path}: it was calibrated for {_UNITS[card.calibration.unit]}, and a bundle's network sees one image; "
            "calibrate it with evaluate.unit=image, or use `cxr predict`"
        )


def _refuse_place(out: Path) -> None:
    if not out.parent.is_dir():
        raise CxrError(f"--out: the folder {out.parent} does not exist")
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not _is_bundle(out):
        raise CxrError(f"--out: {out} is there already, and no bundle that could be replaced; choose another name")
    if added := _added(out):
        raise CxrError(
            f"--out: {out} is a bundle with {added} in it, which would be lost; take that away, or choose another name"
        )


def _is_bundle(folder: Path) -> bool:
    return all((folder / name).is_file() for name in (_METADATA, _INFERENCE, _SCRIPT, _STATE))


def _added(folder: Path) -> str:
    """What somebody has put into a bundle, where MONAI reads and writes if told nothing else; empty where there is nothing."""
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()}
    tops = {name: name.partition("/")[0] for name in files - _WRITTEN}
    added = {name if top in _OWN else top for name, top in tops.items()}
    own = folder / _LICENSE
    if own.is_file() and own.read_text(encoding="utf-8", errors="replace") != LICENSE:
        added.add(f"another {_LICENSE}")
    return ", ".join(sorted(added))


@contextmanager
def _appearing(out: Path) -> Iterator[Path]:
    """A folder to fill that appears under its name when all went well, and leaves nothing where not.

    Raises:
        CxrError: it cannot be written, or somebody has put something there meanwhile.
    """
    try:
        beside = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".partial", dir=out.parent))
        try:
            (beside / "new").mkdir()
            yield beside / "new"
            _refuse_place(out)
            _put(beside / "new", out, beside / "old")
        finally:
            shutil.rmtree(beside)
    except OSError as error:
        raise CxrError(f"--out: {out}: cannot be written: {error.strerror or type(error).__name__}") from error


def _put(new: Path, out: Path, old: Path) -> None:
    """Put a folder in the place of another, which stays where that fails."""
    if out.exists():
        os.replace(out, old)
    try:
        os.replace(new, out)
    except OSError:
        if old.exists():
            os.replace(old, out)
        raise
