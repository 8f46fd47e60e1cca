"""An exported file against the model that it was made of: the same images through both."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from cxr.calibrate.calibration import Calibration
from cxr.errors import CxrError
from cxr.evaluate.auroc import auroc
from cxr.evaluate.undefined import Undefined
from cxr.export.engine import Engine
from cxr.export.images import Pictures
from cxr.export.network import Chosen
from cxr.export.record import Check, PointChange, Precision, Tolerance
from cxr.labels.values import UNKNOWN
from cxr.stage import Progress

FEWEST = 10
"""Positive and negative images, of each so many, from which the change of an AUROC is told."""
BATCHES = (1, 3, 16)
"""Sizes of batches that are tried, the last one on all images, the others on the first of them."""
_TRIED = 6
_Scores = npt.NDArray[np.float64]
_Images = npt.NDArray[np.uint8]

DEFAULTS: dict[Precision, Tolerance] = {
    "float32": Tolerance(probability=1e-4, auroc=1e-3),
    "bf16": Tolerance(probability=0.02, auroc=0.01),
    "int8": Tolerance(probability=0.02, auroc=0.01),
}
"""float32 differs by rounding alone. Of the others a change of 0.02 of a probability, and 0.01 of an AUROC, is well inside the
intervals that a few hundred to a few thousand patients give; a change of an AUROC on so few images is mostly one of ties."""


def compare(engine: Engine, chosen: Chosen, pictures: Pictures, progress: Progress) -> Check:
    """Compare an exported file with its model.

    Args:
        engine: of the file.
        chosen: what was exported.
        pictures: at least one image.
        progress: told how many images are done.
    """
    images, few = pictures.images, pictures.images[:_TRIED]
    expected = _scores(chosen.reference.probabilities, images, BATCHES[-1], progress, "images through the model")
    found = _scores(lambda batch: engine.run(batch)[0], images, BATCHES[-1], progress, "images through the exported file")
    tried = [_scores(lambda batch: engine.run(batch)[0], few, size) for size in BATCHES[:-1]]
    score = max(_furthest(found, expected), *(_furthest(each, expected[: len(few)]) for each in tried))
    names, calibration = chosen.card.labels.names, chosen.card.calibration
    before, after = (None if calibration is None else calibration.apply(each, names) for each in (expected, found))
    return Check(
        images=len(images),
        of=pictures.of,
        batches=BATCHES,
        score=score,
        probability=None if before is None or after is None else _furthest(after, before),
        map=_map_change(engine, chosen, few),
        points=_points(calibration, names, before, after),
        auroc=_auroc_changes(names, pictures.truth, expected, found),
    )


def refuse(check: Check, tolerance: Tolerance, way_out: str) -> None:
    """Refuse a file that is too far from its model.

    Args:
        check: what was found.
        tolerance: what is accepted.
        way_out: what can be done, in words.

    Raises:
        CxrError: says by how much, and what can be done.
    """
    if not check.furthest <= tolerance.probability:  # nor is a NaN within it
        raise CxrError(
            f"not written: on {check.images} {check.of} a value changed by {check.furthest:.2g}, "
            f"more than {tolerance.probability:g}; {way_out}"
        )
    label = check.furthest_auroc
    if label is not None and not abs(check.auroc[label]) <= tolerance.auroc:
        raise CxrError(
            f"not written: on {check.images} {check.of} the AUROC of '{label}' changed by {check.auroc[label]:+.2g}, "
            f"more than {tolerance.auroc:g}; {way_out}"
        )


def _scores(
    score: Callable[[_Images], _Scores], images: _Images, size: int, progress: Progress | None = None, text: str = ""
) -> _Scores:
    """Scores of images in batches of a size."""
    parts = []
    for start in range(0, len(images), size):
        parts.append(score(images[start : start + size]))
        if progress is not None:
            progress(start + len(parts[-1]), len(images), text)
    return np.concatenate(parts)


def _furthest(found: npt.NDArray[np.floating], expected: npt.NDArray[np.floating]) -> float:
    return float(np.abs(found - expected).max())


def _map_change(engine: Engine, chosen: Chosen, images: _Images) -> float | None:
    maps = engine.run(images)[1]
    return None if maps is None else _furthest(maps, chosen.reference.maps(images))


def _points(
    calibration: Calibration | None, names: tuple[str, ...], before: _Scores | None, after: _Scores | None
) -> dict[str, PointChange]:
    if calibration is None or before is None or after is None:
        return {}
    changes = {}
    for rule in calibration.config.points:
        was, is_now = (calibration.decide(each, names, rule.name) for each in (before, after))
        known = was != UNKNOWN
        changes[rule.name] = PointChange(same=int((was == is_now)[known].sum()), decisions=int(known.sum()))
    return changes


def _auroc_changes(
    names: tuple[str, ...], truth: npt.NDArray[np.float32], expected: _Scores, found: _Scores
) -> dict[str, float]:
    changes = {}
    for column, name in enumerate(names):
        of_label = truth[:, column]
        was, is_now = (auroc(of_label, scores[:, column]) for scores in (expected, found))
        enough = min((of_label == 1).sum(), (of_label == 0).sum()) >= FEWEST
        if enough and not isinstance(was, Undefined) and not isinstance(is_now, Undefined):
            changes[name] = is_now - was
    return changes
