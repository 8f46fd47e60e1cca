"""The judgement of a pipeline's maps, from its folder to the tables: truth laid on the images, figures, check, pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cxr import __version__
from cxr.errors import ConfigError, DataError
from cxr.extra import require
from cxr.fingerprint import digest_file, digest_folder
from cxr.ingest.deidentify import read_key
from cxr.localise import figures, scores
from cxr.localise.boxes import read_boxes
from cxr.localise.check import CheckFigures, check_figures
from cxr.localise.figures import LabelFigures, label_figures
from cxr.localise.judge import Judged, judge
from cxr.localise.names import names_of
from cxr.localise.outputs import PICTURES, label_table, pair_table, write_outputs
from cxr.localise.side import Name, Side, model_path, open_model, open_side, other_images
from cxr.localise.truth import BoxTruth, MaskTruth, Truth, mask_files
from cxr.localise.verdict import RULE
from cxr.model.card import weights_digest
from cxr.stage import Progress

if TYPE_CHECKING:
    from cxr.localise.occlusion import Occlusion
    from cxr.predict.predictor import Predictor


@dataclass(frozen=True)
class Asked:
    """What is asked for; the truth is exactly one of `boxes` and `masks`.

    Args:
        folder: of the pipeline.
        out: folder for the result.
        boxes: a table of boxes.
        masks: the folder of the masks of a synthetic cohort.
        side: of the split.
        occlusion: images to check by covering patches; 0 for no check.
        pictures: maps to draw, of the best and of the worst.
        key: file with the key of the pseudonyms, where the truth is named by the hospital's own SOPInstanceUID.

    Raises:
        ConfigError: neither or both of boxes and masks are given; or the result would lie in the pipeline's folder, where no
            folder can be, or beside pictures of an earlier one.
    """

    folder: Path
    out: Path
    boxes: Path | None = None
    masks: Path | None = None
    side: Name = "test"
    occlusion: int = 0
    pictures: int = 0
    key: Path | None = None

    def __post_init__(self) -> None:
        if (self.boxes is None) == (self.masks is None):
            raise ConfigError("give the truth: --boxes TABLE.csv or --masks FOLDER, one of them")
        if self.out.resolve().is_relative_to(self.folder.resolve()):
            raise ConfigError("--out lies in the folder of the pipeline, which is for its stages alone; choose another folder")
        if self.out.exists() and not self.out.is_dir():
            raise ConfigError(f"--out: {self.out} is no folder; choose another name")
        if any(self.out.glob(PICTURES)):  # they would seem to be of the new tables
            raise ConfigError(f"--out: {self.out} has pictures of an earlier judgement; take them away, or choose another")


@dataclass(frozen=True, eq=False)
class Localised:
    """What was found.

    Args:
        labels: figures per label that has a pair, and of all together as the last.
        checks: the same of the check by covering patches; none without it.
        judged: of every pair.
        cost: of the check, in words; empty without it.
        pictures: names of the files.
    """

    labels: tuple[LabelFigures, ...]
    checks: tuple[CheckFigures, ...]
    judged: Judged
    cost: str
    pictures: tuple[str, ...]


def localise(asked: Asked, progress: Progress) -> Localised:
    """Judge the maps of a pipeline's model; writes `cxr.localise.outputs.WRITTEN` and the pictures.

    Raises:
        ConfigError: the key cannot be read.
        DataError: no pipeline's folder, no truth, a model without maps, or no finding with a known place on this side.
        CxrError: MONAI is missing, or a file cannot be written.
    """
    if asked.occlusion:
        require("monai", "monai")
    from cxr.device import choose_device

    model = open_model(asked.folder, choose_device("auto"))
    side = open_side(asked.folder, asked.side, model.labels)
    truth = _truth(asked, side)
    judged = judge(side, truth, model, progress)
    if judged.table.empty:
        raise DataError(f"no finding of an image of the {asked.side} side has a known place: {_reasons(judged.left_out)}")
    check = _check(asked, side, truth, model, progress)
    labels = label_figures(judged.table, side.labels.names)
    checks = () if check is None else check_figures(check.table, side.labels.names)
    tables = label_table(labels, checks), pair_table(side, judged.table, None if check is None else check.table)
    write_outputs(asked.out, *tables, _about(asked, model, judged, check))
    return Localised(labels, checks, judged, _cost(check), _pictures(asked, judged, side, truth, model))


def _truth(asked: Asked, side: Side) -> Truth:
    key = None if asked.key is None else read_key(asked.key)
    names = names_of(side.frame, key, other_images(asked.folder, side))
    if asked.boxes is not None:
        return BoxTruth(side, read_boxes(asked.boxes), names)
    assert asked.masks is not None  # one of both is given
    return MaskTruth(side, mask_files(asked.masks, names))


def _check(asked: Asked, side: Side, truth: Truth, model: Predictor, progress: Progress) -> Occlusion | None:
    if not asked.occlusion:
        return None
    from cxr.localise.occlusion import occlude  # MONAI, which takes seconds to import

    return occlude(side, truth, model, asked.occlusion, progress)


def _pictures(asked: Asked, judged: Judged, side: Side, truth: Truth, model: Predictor) -> tuple[str, ...]:
    if not asked.pictures:
        return ()
    from cxr.localise.pictures import write_pictures

    return write_pictures(asked.out, asked.pictures, judged.table, side, truth, model)


def _cost(check: Occlusion | None) -> str:
    if check is None:
        return ""
    return f"{check.images} images covered by {check.passes} patches each, {check.seconds:.1f} s an image"


def _reasons(left_out: Mapping[str, int]) -> str:
    return "; ".join(f"{count}: {reason}" for reason, count in left_out.items()) or "the truth is empty"


def _about(asked: Asked, model: Predictor, judged: Judged, check: Occlusion | None) -> dict[str, object]:
    """How the figures came about, without a path of this machine."""
    truth = asked.boxes or asked.masks
    assert truth is not None  # one of both is given
    return {
        "cxr": __version__,
        "model": {
            "run": model.card.run_id,
            "weights_sha256": weights_digest(model_path(asked.folder)),
            "backbone": model.card.model.backbone,
            "preprocessing": model.card.preprocessing.model_dump(),
            "map_grid": list(judged.grid),
            "branch_weights": model.branch_weights(),
        },
        "side": asked.side,
        "truth": {
            "kind": "masks" if asked.boxes is None else "boxes",
            "digest": digest_file(truth) if truth.is_file() else digest_folder(truth),
        },
        "settings": {
            "pointing_tolerance": scores.TOLERANCE,
            "fewest_patients": figures.FEWEST,
            "confidence": figures.CONFIDENCE,
            "resamples": figures.RESAMPLES,
            "seed": 0,
        },
        "occlusion": None if check is None else {name: getattr(check, name) for name in ("images", "passes", "seconds")},
        "pairs": len(judged.table),
        "left_out": dict(judged.left_out),
        "rule": RULE,
    }
