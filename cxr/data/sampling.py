"""Which images an epoch has, where it is not each once: those with a rare finding more often, by patient if wanted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cxr.config_training import SamplingConfig

_POSITIVE = 0.5  # the least target of a positive; soft targets below it, and unknown cells, are not


@dataclass(frozen=True)
class Sampling:
    """Drawing as many images as there are, an image in proportion to its weight.

    Drawn by systematic resampling: the points u, u + 1, ... with one u in [0, 1) on the images' cumulated expected counts,
    so that an image comes as often as it is expected to, rounded down or up, and so does a patient; one whose expected
    count is at least 1 surely comes, while independent draws would leave out up to a third of them.

    Args:
        weights: float64 [images], above 0.
        patients: int64 [images] from 0, the same for images of the same patient.
    """

    weights: npt.NDArray[np.float64]
    patients: npt.NDArray[np.int64]

    @property
    def expected(self) -> npt.NDArray[np.float64]:
        """How often an image comes an epoch, in the mean: float64 [images], whose sum is their number."""
        return np.asarray(self.weights * (len(self.weights) / self.weights.sum()), np.float64)

    def draw(self, generator: np.random.Generator) -> npt.NDArray[np.int64]:
        """Images of an epoch, int64 [images], in random order."""
        count = len(self.weights)
        ranks = generator.permutation(self.patients.max() + 1)
        shuffled = generator.permutation(count)  # else images that stand together would come together
        by_patient = shuffled[np.argsort(ranks[self.patients[shuffled]], kind="stable")]
        points = generator.random() + np.arange(count)
        edges = np.cumsum(self.expected[by_patient])
        drawn = np.minimum(np.searchsorted(edges, points, side="right"), count - 1)  # the sum is their number to rounding
        return generator.permutation(by_patient[drawn])


def label_sampling(
    targets: npt.NDArray[np.float32], patients: npt.NDArray[np.int64], config: SamplingConfig
) -> Sampling | None:
    """How the images of an epoch are drawn.

    The weight of an image is the greatest of 1 and, over its positive labels, (images / positives of the label) ** rare;
    by patient it is divided by the patient's number of images. Positive is a target of at least 0.5.

    Args:
        targets: float32 [images, labels] in [0, 1], NaN where unknown.
        patients: int64 [images] from 0, the same for images of the same patient.
        config: exponent, and whether patients or images are drawn evenly.

    Returns:
        None where each image comes once.
    """
    if not len(targets) or not (config.rare or config.by_patient):
        return None
    positive = targets >= _POSITIVE
    gains = (len(targets) / np.maximum(positive.sum(axis=0), 1)) ** config.rare
    weights = np.where(positive, gains, 1.0).max(axis=1, initial=1.0)
    if config.by_patient:
        weights = weights / np.bincount(patients)[patients]
    return Sampling(weights, patients)


def expected_positives(targets: npt.NDArray[np.float32], sampling: Sampling | None) -> npt.NDArray[np.float64]:
    """How many positives of each label an epoch has in the mean: float64 [labels].

    Args:
        targets: float32 [images, labels] in [0, 1], NaN where unknown.
        sampling: as the epoch is drawn; None for each image once.
    """
    counts = np.ones(len(targets)) if sampling is None else sampling.expected
    return np.asarray(counts @ (targets >= _POSITIVE), np.float64)
