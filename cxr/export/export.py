"""The export of a model file: made, checked against the model, and kept only if it says the same."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from cxr.errors import CxrError
from cxr.export.check import DEFAULTS, compare, refuse
from cxr.export.engine import open_engine
from cxr.export.images import Pictures, phantoms, test_images
from cxr.export.network import Chosen, choose
from cxr.export.record import ExportRecord, Precision, Tolerance, as_metadata
from cxr.extra import require
from cxr.model.card import ModelCard, weights_digest
from cxr.stage import Progress

Format = Literal["onnx", "torch"]
_PRECISIONS: dict[Format, tuple[Precision, ...]] = {"onnx": ("float32", "int8"), "torch": ("float32", "bf16")}
_WAY_OUT = "choose a higher precision, or allow more with --tolerance and --auroc-tolerance"
_PACKAGES = {"onnx": ("onnx", "onnxruntime", "onnxscript"), "torch": ()}


@dataclass(frozen=True)
class Wish:
    """What is asked for.

    Args:
        format: of the file.
        precision: of the arithmetic; ONNX Runtime computes in bf16 on no CPU of x86, torch.export has no fast int8.
        heads: of a stacked model the number of attention heads; None for the network that was calibrated.
        images: the folder of a pipeline, whose test images are compared; None for phantoms.
        probability, auroc: as in `cxr.export.record.Tolerance`; None for those of the precision.

    Raises:
        CxrError: the format does not have the precision.
    """

    format: Format = "onnx"
    precision: Precision = "float32"
    heads: int | None = None
    images: Path | None = None
    probability: float | None = None
    auroc: float | None = None

    def __post_init__(self) -> None:
        known = _PRECISIONS[self.format]
        if self.precision not in known:
            other = next(name for name, precisions in _PRECISIONS.items() if self.precision in precisions)
            raise CxrError(
                f"--precision {self.precision} is for --format {other}; {self.format} is written in {' or '.join(known)}"
            )

    @property
    def tolerance(self) -> Tolerance:
        """What is accepted."""
        usual = DEFAULTS[self.precision]
        return Tolerance(probability=self.probability or usual.probability, auroc=self.auroc or usual.auroc)


@dataclass(frozen=True)
class Exported:
    """What was written.

    Args:
        card: of the model.
        record: how it was made, and how it compared with the model.
        size: of the file, in bytes.
    """

    card: ModelCard
    record: ExportRecord
    size: int


class _Draft(Protocol):
    def write(self, path: Path, metadata: Mapping[str, str]) -> None: ...


def export(model: Path, out: Path, wish: Wish, progress: Progress) -> Exported:
    """Export a calibrated model file.

    Args:
        model: the model file.
        out: the file to write; it appears whole and checked, or not at all.
        wish: what is asked for.
        progress: told how far the comparison is.

    Raises:
        CxrError: a package is missing, the network cannot be exported, or the file is too far from its model.
        DataError: see `cxr.export.network.choose` and `cxr.export.images.test_images`.
    """
    require("export", *_PACKAGES[wish.format])
    if not out.parent.is_dir():
        raise CxrError(f"--out: the folder {out.parent} does not exist")
    if out.is_dir():
        raise CxrError(f"--out: {out} is a folder; name the file to write")
    chosen = choose(model, wish.heads)
    pictures = phantoms(chosen.card) if wish.images is None else test_images(wish.images, chosen.reference)
    with _appearing(out) as partial:
        record = _write(partial, weights_digest(model), chosen, pictures, wish, progress)
    return Exported(chosen.card, record, out.stat().st_size)


def _write(partial: Path, digest: str, chosen: Chosen, pictures: Pictures, wish: Wish, progress: Progress) -> ExportRecord:
    draft = _draft(chosen, wish)
    draft.write(partial, {})
    check = compare(open_engine(partial), chosen, pictures, progress)
    refuse(check, wish.tolerance, _WAY_OUT)
    record = ExportRecord(
        precision=wish.precision, heads=chosen.heads, weights_sha256=digest, tolerance=wish.tolerance, check=check
    )
    draft.write(partial, as_metadata(chosen.card, record))
    return record


def _draft(chosen: Chosen, wish: Wish) -> _Draft:
    if wish.format == "torch":
        from cxr.export.torch_file import draft_torch

        return draft_torch(chosen.network, wish.precision)
    from cxr.export.onnx_file import draft_onnx  # its packages may not be installed

    return draft_onnx(chosen.network, wish.precision)


@contextmanager
def _appearing(path: Path) -> Iterator[Path]:
    """A file to write that appears under its name when all went well, and leaves nothing where not."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    except PermissionError as error:
        raise CxrError(f"--out: {path} cannot be written: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
