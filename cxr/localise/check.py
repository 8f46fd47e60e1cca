"""The figures of the independent check by label: how far covering patches finds the findings, and agrees with the maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cxr.evaluate.interval import Span, bounds
from cxr.evaluate.undefined import Undefined
from cxr.evaluate.wording import count_text
from cxr.localise.figures import ALL, FEWEST, mean_by_patient

CHECKED = (
    *("occlusion_pointing", "occlusion_pointing_even", "occlusion_pointing_gain"),
    *("occlusion_energy", "occlusion_energy_even", "occlusion_energy_gain"),
    "rank_correlation",
)
"""Figures of the losses, of an even map, what is gained over it; and how the losses agree with the map."""


@dataclass(frozen=True)
class Mean:
    """A mean over pairs, in [-1, 1], and its interval by patient."""

    value: float
    span: Span | Undefined


@dataclass(frozen=True)
class CheckFigures:
    """The check of one label.

    Args:
        label: its name; "all" for all pairs together.
        images: that were checked.
        means: by `CHECKED`; or why there is none.
    """

    label: str
    images: int
    means: Mapping[str, Mean] | Undefined

    def columns(self) -> dict[str, float]:
        """The means and their bounds under their names in tables; none where there are none."""
        columns: dict[str, float] = {"occlusion_images": self.images}
        for name, mean in {} if isinstance(self.means, Undefined) else self.means.items():
            low, high = bounds(mean.span)
            columns |= {name: mean.value, f"{name}_low": low, f"{name}_high": high}
        return columns


def check_figures(table: pd.DataFrame, names: Sequence[str], seed: int = 0) -> tuple[CheckFigures, ...]:
    """The check of each label that has a pair, in the order of `names`, and of all together as the last.

    Args:
        table: as `cxr.localise.occlusion.Occlusion` has it; at least a row.
        names: of the labels.
        seed: of the resamples.
    """
    parts = [(names[label], table[table["label"] == label]) for label in sorted(set(table["label"].tolist()))]
    return tuple(_figures(name, part, seed) for name, part in [*parts, (ALL, table)])


def _figures(label: str, table: pd.DataFrame, seed: int) -> CheckFigures:
    images, patients = table["row"].nunique(), table["patient"].nunique()
    if patients < FEWEST:
        few = f"too few: {count_text(images, 'image')} of {count_text(patients, 'patient')}, fewer than {FEWEST}"
        return CheckFigures(label, images, Undefined(few))
    means = {name: _mean(table, name, seed) for name in CHECKED if table[name].notna().any()}
    return CheckFigures(label, images, means)


def _mean(table: pd.DataFrame, name: str, seed: int) -> Mean:
    value, found = mean_by_patient(table[name].to_numpy(np.float64), table["patient"], seed)
    return Mean(value, found if isinstance(found, Undefined) else Span(*found))
