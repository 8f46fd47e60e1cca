"""How often each label is positive, negative, uncertain or unknown among the taken images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cxr.labels.values import NEGATIVE, POSITIVE, UNCERTAIN, UNKNOWN
from cxr.manifest import Manifest


@dataclass(frozen=True)
class LabelCounts:
    """The cells of one label.

    Args:
        name: of the label.
        positive, negative, uncertain, unknown: images.
    """

    name: str
    positive: int
    negative: int
    uncertain: int
    unknown: int

    @property
    def prevalence(self) -> float:
        """Positives among the images that are positive or negative, 0 to 1; NaN where there is none."""
        known = self.positive + self.negative
        return self.positive / known if known else float("nan")


def label_counts(manifest: Manifest) -> list[LabelCounts]:
    """The cells of each label of the manifest, in its order; it may have none."""
    if not manifest.label_names:
        return []
    codes = manifest.label_codes()
    counted = np.stack([(codes == code).sum(axis=0) for code in (POSITIVE, NEGATIVE, UNCERTAIN, UNKNOWN)], axis=1)
    return [LabelCounts(name, *row) for name, row in zip(manifest.label_names, counted.tolist(), strict=True)]
