"""What a cascade saves and loses on test patients, beside sending as many studies on by chance.

    python benchmarks/cascade_worth.py --folder FOLDER [--seeds 1 2 3] [--heads 3 12]

FOLDER is that of `stacked_regimes.py`, with its models of the sandwich. Rule and limit come from the validation patients;
the test patients are scored once. By chance: the mean of 50 draws of as many studies.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from stacked_regimes import PIPELINE, STACKED
from trainings import Cohort

from cxr.definition import load_config
from cxr.evaluate.auroc import mean_auroc
from cxr.evaluate.undefined import as_float
from cxr.model.cost import costs
from cxr.predict.cascade import fit_cascade, goes_on, mixed

TOLERANCES = (0.002, 0.01, 0.03)


def by_chance(truth: np.ndarray, narrow: np.ndarray, wide: np.ndarray, studies: np.ndarray, share: float) -> float:
    """Mean AUROC where as many studies go on, whichever they are."""
    names, generator = np.unique(studies), np.random.default_rng(0)
    values = []
    for _ in range(50):
        chosen = generator.choice(names, round(share * len(names)), replace=False)
        values.append(as_float(mean_auroc(truth, mixed(narrow, wide, np.isin(studies, chosen)))))
    return float(np.mean(values))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--heads", type=int, nargs=2, default=[3, 12])
    given = parser.parse_args()
    config = load_config(PIPELINE, STACKED)
    cohort = Cohort(PIPELINE, STACKED, given.folder / "cohort" / config.name, given.folder)
    gmacs = {cost.heads: cost.gmacs for cost in costs(config.model, config.ingest.size, labels=7)}
    low, high = given.heads
    for seed in given.seeds:
        model = given.folder / f"sandwich_distilled-{seed}" / "model.safetensors"
        val, test = ([cohort.scores(model, side, heads) for heads in (low, high)] for side in ("val", "test"))
        (manifest, truth, narrow), (_, _, wide) = test
        studies = manifest.frame["study_id"].to_numpy(str)
        ends = [as_float(mean_auroc(truth, scores)) for scores in (narrow, wide)]
        for tolerance in TOLERANCES:
            of_val = val[0][0].frame["study_id"].to_numpy(str)
            fitted = fit_cascade(val[0][2], val[1][2], val[0][1], of_val, (low, high), tolerance)
            chosen = goes_on(fitted.cascade, narrow, studies)
            share = len(np.unique(studies[chosen])) / len(np.unique(studies))
            cost = (gmacs[low] + gmacs[high] * chosen.mean()) / gmacs[high]
            area = as_float(mean_auroc(truth, mixed(narrow, wide, chosen)))
            chance = by_chance(truth, narrow, wide, studies, share)
            print(
                f"seed {seed}, tolerance {tolerance}: {share:4.0%} go on ({fitted.cascade.rule}), {cost:.2f} of the cost; "
                f"test AUROC {area:.4f}, by chance {chance:.4f}, k = {low} {ends[0]:.4f}, k = {high} {ends[1]:.4f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
