"""What label-aware training is worth beside plain cross-entropy with uniform sampling, on the NIH files.

    python benchmarks/label_aware.py source.root=FOLDER [--seeds 1 2 3] [--only plain "rare sampling" ...] [key=value ...]

The official split; each setting is trained from each seed with the same number of steps; the best epoch is chosen on
validation patients, as in every pipeline, and test patients are scored once. Which setting is the best one is read off the
validation patients. Differences on test patients are means over the seeds, with percentile intervals over 2,000 resamples
of the test patients, the same ones for both sides; the five rarest labels are those with the fewest training positives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from trainings import PIPELINES, Cohort, drawn_cohort, parse, print_paired, train_variants

from cxr.evaluate.auroc import auroc
from cxr.evaluate.bootstrap import resampled_aurocs
from cxr.evaluate.cells import Cells
from cxr.evaluate.undefined import as_float
from cxr.manifest import read_manifest

SETTINGS = {
    "plain": ["train.sampling.rare=0", "train.loss.kind=bce", "train.loss.balanced=false"],
    "rare sampling": ["train.sampling.rare=0.5"],
    "balanced loss": ["train.loss.balanced=true"],
    "asymmetric": ["train.loss.kind=asymmetric"],
    "rare, pairwise": ["train.sampling.rare=0.5", "train.loss.pairwise=0.3"],
}
RARE, RESAMPLES = 5, 2000


def rarest(cohort: Cohort) -> list[int]:
    """Places of the labels with the fewest positive training images."""
    manifest = read_manifest(cohort.folder / "split" / "development.parquet").where("train")
    positives = [(manifest.frame[name] == "1").sum() for name in manifest.label_names]
    return np.argsort(positives, kind="stable")[:RARE].tolist()


def label_aurocs(cohort: Cohort, model: Path, side: str) -> np.ndarray:
    """AUROC of each label, NaN where it has none."""
    _, truth, scores = cohort.scores(model, side)
    return np.array([as_float(auroc(truth[:, j], scores[:, j])) for j in range(truth.shape[1])])


def measured(cohort: Cohort, model: Path, rare: Sequence[int]) -> dict[str, float]:
    val, test = (label_aurocs(cohort, model, side) for side in ("val", "test"))
    # a label may have no positive on the validation side
    return {
        "validation": float(np.nanmean(val)),
        "validation rare": float(np.nanmean(val[rare])),
        "test": float(np.nanmean(test)),
        "test rare": float(np.nanmean(test[rare])),
    }


def resampled(cohort: Cohort, model: Path) -> np.ndarray:
    """AUROC of each label on each resample of the test patients, float [resamples, labels]."""
    manifest, truth, scores = cohort.scores(model, "test")
    patients = pd.factorize(manifest.frame["patient_id"], sort=True)[0].astype(np.int64)
    cells = Cells(manifest.label_names, truth, scores, np.zeros_like(truth, bool), patients)
    return resampled_aurocs(cells, RESAMPLES, seed=0)


def print_intervals(cohort: Cohort, variants: Mapping[str, Sequence[str]], seeds: Sequence[int], rare: Sequence[int]) -> None:
    """Intervals by patient of each setting, and of its difference to the first."""
    samples = {
        name: np.mean([resampled(cohort, cohort.train(name, seed, settings)) for seed in seeds], axis=0)
        for name, settings in variants.items()
    }
    first = next(iter(samples.values()))
    print(f"test patients, mean over the seeds, 95 % intervals of {RESAMPLES} resamples of patients")
    for name, sample in samples.items():
        for what, labels in (("mean", slice(None)), ("rarest five", list(rare))):
            values, difference = (np.nanmean(each[:, labels], axis=1) for each in (sample, sample - first))
            bounds, apart = (np.quantile(each, [0.025, 0.975]) for each in (values, difference))
            print(f"{name:24} {what:12} {bounds[0]:.4f} to {bounds[1]:.4f}   difference {apart[0]:+.4f} to {apart[1]:+.4f}")


def main() -> None:
    given = parse(__doc__, SETTINGS)
    variants = {name: SETTINGS[name] for name in given.only}
    with drawn_cohort(PIPELINES / "nih14.yaml", given.settings, given.folder) as cohort:
        rare = rarest(cohort)
        found = train_variants(cohort, variants, given.seeds, lambda model: measured(cohort, model, rare))
        print_paired(found)
        print_intervals(cohort, variants, given.seeds, rare)


if __name__ == "__main__":
    main()
