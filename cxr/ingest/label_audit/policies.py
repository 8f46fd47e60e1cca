"""What the policies for blank and uncertain cells make of a label: how many images teach it, and how often it is there."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from cxr.ingest.label_audit.cells import Cells
from cxr.labels.label_set import Label

Blank = Literal["unknown", "negative"]
Uncertain = Literal["ignore", "negative", "positive"]
BLANKS: tuple[Blank, ...] = ("unknown", "negative")
UNCERTAINS: tuple[Uncertain, ...] = ("ignore", "negative", "positive")
_TARGETS: dict[Uncertain, float] = {"ignore": math.nan, "negative": 0.0, "positive": 1.0}


@dataclass(frozen=True)
class Reading:
    """A label's cells as training sees them under one choice of policies.

    Args:
        positive: sum of the targets; an uncertain cell with a soft target counts by that.
        known: images with a target.
    """

    positive: float
    known: int

    @property
    def prevalence(self) -> float:
        """Mean of the targets, 0 to 1; NaN where there is none."""
        return self.positive / self.known if self.known else math.nan


@dataclass(frozen=True)
class LabelAccount:
    """One label: what its cells say, and what its policies make of them.

    Args:
        label: with the policies in force.
        cells: as the table has them.
    """

    label: Label
    cells: Cells

    @property
    def positive(self) -> int:
        """Images that are positive in the manifest."""
        return self.cells.positive

    @property
    def known(self) -> int:
        """Images that are positive or negative in the manifest, where blank is settled and uncertain is not."""
        return self.cells.positive + self.cells.negative + (self.cells.blank if self.label.blank == "negative" else 0)

    @property
    def prevalence(self) -> float:
        """Positives among `known`, 0 to 1; NaN where there is none."""
        return self.positive / self.known if self.known else math.nan

    @property
    def in_force(self) -> Reading:
        """Under the label's own policies."""
        return _read(self.cells, self.label.blank, self.label.uncertain_target)

    def under(self, blank: Blank, uncertain: Uncertain) -> Reading:
        """Under other policies."""
        return _read(self.cells, blank, _TARGETS[uncertain])

    def is_in_force(self, blank: Blank, uncertain: Uncertain) -> bool:
        """Whether these are the label's own policies; none of them is where uncertain cells have a soft target."""
        own = self.label.uncertain_target
        same = math.isnan(own) if uncertain == "ignore" else own == _TARGETS[uncertain]
        return same and blank == self.label.blank

    def readings(self) -> Iterator[tuple[Blank, Uncertain, Reading]]:
        """Under each choice of policies that there is, soft targets aside."""
        yield from ((blank, uncertain, self.under(blank, uncertain)) for blank in BLANKS for uncertain in UNCERTAINS)

    @property
    def factor(self) -> float:
        """How many times the smallest prevalence that a choice of policies gives fits into the largest; at least 1.

        1 where no choice changes anything, or one leaves nothing to compare with.
        """
        shares = [reading.prevalence for _, _, reading in self.readings() if reading.positive]
        return max(shares) / min(shares) if shares else 1.0


def _read(cells: Cells, blank: Blank, uncertain: float) -> Reading:
    known = cells.positive + cells.negative + (cells.blank if blank == "negative" else 0)
    if math.isnan(uncertain):
        return Reading(cells.positive, known)
    return Reading(cells.positive + uncertain * cells.uncertain, known + cells.uncertain)
