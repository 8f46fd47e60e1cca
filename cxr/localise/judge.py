"""The maps of every pair of image and finding, each beside three that know less: what is gained over them is the map's worth.

* an even map knows nothing: it has the share of the image that the finding takes;
* the mean map of the same finding in other patients knows where such findings usually are, and has not seen this image;
* the maps of findings that the image does not have have seen the image, and look for something else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from cxr.evaluate.undefined import Undefined
from cxr.localise.scores import Map, Target, energy, pointing, target
from cxr.localise.side import Side
from cxr.localise.truth import Pair, Truth
from cxr.stage import Progress

FIGURES: Mapping[str, Callable[[Map, Target], float]] = {"pointing": pointing, "energy": energy}
REFERENCES = ("even", "elsewhere", "other")
"""The even map; the mean map of the finding in other patients; the maps of findings that the image does not have."""


@dataclass(frozen=True, eq=False)
class Judged:
    """The figures of every pair.

    Args:
        table: a row per pair, with row, label (places), patient, share (of the image that the finding takes), and for every
            figure its name, and the name with "_" and each reference: float64 in [0, 1], NaN where there is no such map.
        left_out: how many images and findings are left out, by reason.
        grid: rows and columns of the maps.
    """

    table: pd.DataFrame
    left_out: Mapping[str, int]
    grid: tuple[int, int]


@dataclass(frozen=True, eq=False)
class _Seen:
    """What is kept of a pair: its map, and its outline on the same grid."""

    row: int
    label: int
    patient: str
    map: Map
    target: Target
    figures: dict[str, float]


class Mapper(Protocol):
    """What has maps: `cxr.predict.predictor.Predictor`."""

    def maps(self, images: npt.NDArray[np.uint8], /) -> npt.NDArray[np.float32]: ...  # noqa: D102


def judge(side: Side, truth: Truth, mapper: Mapper, progress: Progress) -> Judged:
    """Take the figures of all pairs.

    Raises:
        DataError: the model has no maps, or an image cannot be read.
    """
    left_out: Counter[str] = Counter()
    seen: list[_Seen] = []
    for row, pairs in groupby(kept(truth, left_out), lambda pair: pair.row):
        maps = mapper.maps(side.image(row)[np.newaxis])[0]
        seen += [_see(side, maps, pair) for pair in pairs]
        progress(row + 1, len(side.frame), "images passed, those with a finding of a known place looked at")
    _add_elsewhere(seen)
    records = [{"row": each.row, "label": each.label, "patient": each.patient, **each.figures} for each in seen]
    grid = seen[0].map.shape if seen else (0, 0)
    return Judged(pd.DataFrame(records), dict(left_out), (grid[0], grid[1]))


def kept(truth: Truth, left_out: Counter[str]) -> Iterator[Pair]:
    """The pairs that are judged; the others are counted by their reason."""
    for pair in truth.pairs():
        if isinstance(pair, Undefined):
            left_out[pair.reason] += 1
        else:
            yield pair


def _see(side: Side, maps: npt.NDArray[np.float32], pair: Pair) -> _Seen:
    own = maps[pair.label]
    wanted = target(pair.truth, *own.shape)
    absent = maps[side.absent(pair.row)]
    figures = {"share": float(pair.truth.mean())}
    for name, figure in FIGURES.items():
        figures[name] = figure(own, wanted)
        figures[f"{name}_even"] = figure(np.ones_like(own), wanted)
        figures[f"{name}_other"] = float(np.mean([figure(each, wanted) for each in absent])) if len(absent) else np.nan
    return _Seen(pair.row, pair.label, str(side.frame["patient_id"].iloc[pair.row]), own, wanted, figures)


def _add_elsewhere(seen: list[_Seen]) -> None:
    """Add the figures of the mean map of the same finding in the other patients."""
    for label in {each.label for each in seen}:
        same = [each for each in seen if each.label == label]
        patients = np.array([each.patient for each in same])
        maps = np.stack([each.map for each in same])
        whole = maps.sum(axis=0, dtype=np.float64)
        own = {patient: maps[patients == patient].sum(axis=0, dtype=np.float64) for patient in set(patients.tolist())}
        for each in same:
            others = (whole - own[each.patient]).astype(np.float32)
            for name, figure in FIGURES.items():
                each.figures[f"{name}_elsewhere"] = figure(others, each.target) if len(own) > 1 else np.nan
