"""The independent check of the maps: what the whole model loses of a label's logit where a patch of the image is covered.

MONAI's occlusion sensitivity slides the patch. Each place gets the mean over the patches that cover it. It asks the model
that scores, both its branches together, so that it may differ from a map, which shows where one branch looks.
"""

from __future__ import annotations

import time
import warnings
from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Protocol, cast

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from scipy.stats import rankdata
from torch import nn

from cxr.localise.judge import FIGURES, Mapper, kept
from cxr.localise.scores import Map, target
from cxr.localise.side import Side
from cxr.localise.truth import Pair, Truth
from cxr.monai_gate import monai
from cxr.stage import Progress

PATCHES = 8
"""The patch has this share of the image's side, one eighth: about a nodule with its surroundings. Half a patch from one to the
next makes 15 x 15 patches, and so many forward passes an image."""
_OVERLAP = 0.5
_GRID = 2 * PATCHES
"""Cells along a side of the map of losses: one for each half patch."""
_BATCH = 25


class Model(Mapper, Protocol):
    """What is checked: `cxr.predict.predictor.Predictor`."""

    def probabilities(self, images: npt.NDArray[np.uint8], /) -> npt.NDArray[np.float64]: ...  # noqa: D102


@dataclass(frozen=True, eq=False)
class Occlusion:
    """The check on some images.

    Args:
        table: a row per pair of these images, with row, label, patient, the figures of the losses as
            `cxr.localise.check.CHECKED` names them, and rank_correlation, float64 in [-1, 1], of the map with the losses on
            the coarser of their grids; NaN where nothing is lost, or a map is the same everywhere.
        images: how many.
        passes: forward passes for an image.
        seconds: for an image, on this machine.
    """

    table: pd.DataFrame
    images: int
    passes: int
    seconds: float


class _Logits(nn.Module):
    """The model as MONAI calls it: a grey image of floats in, logits out."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self._model = model

    def forward(self, grey: torch.Tensor) -> torch.Tensor:
        """float32 [batch, labels] of float32 [batch, 1, size, size] grey values, 0 to 255."""
        images = grey[:, 0].round().clamp(0, 255).to(torch.uint8).numpy()
        return torch.from_numpy(_logit(self._model.probabilities(images))).float()


def losses(model: Model, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """How much of each label's logit is lost where a patch is covered with the image's mean grey value.

    The mean, as the grey that differs least from what the model has seen: black is air, so that a black patch would look like
    a pneumothorax, and would not cover one.

    Args:
        model: see `Model`.
        image: uint8 [size, size], canonical.

    Returns:
        float32 [labels, 16, 16]; above 0 where the label loses.
    """
    side = max(1, image.shape[0] // PATCHES)
    check = cast(Any, monai).visualize.OcclusionSensitivity(
        _Logits(model), mask_size=side, n_batch=_BATCH, verbose=False, mode="mean_img", overlap=_OVERLAP, activate=False
    )
    grey = torch.from_numpy(image[np.newaxis, np.newaxis].astype(np.float32))
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "Using a non-tuple sequence", UserWarning
        )  # MONAI's way to index, of which torch warns
        covered = np.asarray(check(grey)[0][0].cpu())
    lost = _logit(model.probabilities(image[np.newaxis]))[0][:, np.newaxis, np.newaxis] - covered
    return np.stack([_on_grid(each.astype(np.float32), _GRID, _GRID) for each in lost])


def occlude(side: Side, truth: Truth, model: Model, images: int, progress: Progress) -> Occlusion:
    """Check images that have a pair, evenly chosen among them.

    Args:
        side: the images.
        truth: where findings are.
        model: see `Model`.
        images: how many at most, at least 1.
        progress: told after each image.
    """
    rows = sorted({pair.row for pair in kept(truth, Counter())})
    places = np.unique(np.linspace(0, len(rows) - 1, min(images, len(rows))).astype(int)).tolist()
    chosen = {rows[place] for place in places}
    records: list[dict[str, object]] = []
    start = time.perf_counter()
    wanted = (pair for pair in kept(truth, Counter()) if pair.row in chosen)
    for done, (row, pairs) in enumerate(groupby(wanted, lambda pair: pair.row), start=1):
        image = side.image(row)
        lost, maps = losses(model, image), model.maps(image[np.newaxis])[0]
        records += [_record(side, pair, maps[pair.label], lost[pair.label]) for pair in pairs]
        progress(done, len(chosen), "images covered patch by patch")
    seconds = (time.perf_counter() - start) / max(len(chosen), 1)
    return Occlusion(pd.DataFrame(records), len(chosen), (2 * PATCHES - 1) ** 2, seconds)


def _record(side: Side, pair: Pair, found: Map, lost: Map) -> dict[str, object]:
    record: dict[str, object] = {"row": pair.row, "label": pair.label, "patient": str(side.frame["patient_id"].iloc[pair.row])}
    wanted, drop = target(pair.truth, *lost.shape), np.maximum(lost, 0)
    for name, figure in FIGURES.items():
        own, even = figure(lost if name == "pointing" else drop, wanted), figure(np.ones_like(lost), wanted)
        record |= {f"occlusion_{name}": own, f"occlusion_{name}_even": even, f"occlusion_{name}_gain": own - even}
    return {**record, "rank_correlation": _rank_correlation(found, lost)}


def _rank_correlation(found: Map, lost: Map) -> float:
    """Spearman's correlation over the coarser of the two grids."""
    rows, columns = (min(cells) for cells in zip(found.shape, lost.shape, strict=True))
    one, two = (rankdata(_on_grid(each, rows, columns)) for each in (found, lost))
    if np.ptp(one) == 0 or np.ptp(two) == 0:
        return float("nan")
    return float(np.corrcoef(one, two)[0, 1])


def _on_grid(values: Map, rows: int, columns: int) -> Map:
    return np.asarray(cv2.resize(values, (columns, rows), interpolation=cv2.INTER_AREA), np.float32)


def _logit(probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    inside = np.clip(probabilities, 1e-12, 1 - 1e-12)
    return np.asarray(np.log(inside) - np.log1p(-inside))
