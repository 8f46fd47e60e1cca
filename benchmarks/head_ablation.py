"""What the multi-branch head is worth beside the plain linear head, on synthetic patients, with a fixed number of steps.

    python benchmarks/head_ablation.py [--seeds 1 2 3] [--folder FOLDER] [key=value ...]

One cohort; each head is trained from each seed with the same batches in the same order; the best epoch is chosen on
validation patients, as in every pipeline, and test patients are scored once. Differences are paired by seed. Further
settings of the pipeline are given as on the command line, as train.epochs=8.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from phantom_training import Cohort, draw_cohort

COHORT = ["source.patients=1200", "split.test_fraction=0.45"]  # as many for the test as for training: the noise of it counts
PIPELINE = Path(__file__).parent.parent / "pipelines" / "quickstart.yaml"
HEADS = {
    "plain linear": ["model.head.kind=aggregated"],
    "multi-branch, learned": ["model.head.kind=multi_branch", "model.head.loss_weights=learned"],
    "multi-branch, static": ["model.head.kind=multi_branch", "model.head.loss_weights=static"],
    "multi-branch, uniform": ["model.head.kind=multi_branch", "model.head.loss_weights=uniform"],
    "branches only": ["model.head.kind=branches"],
}


def trained(cohort: Cohort, folder: Path, seed: int, name: str, settings: list[str]) -> tuple[float, float]:
    """Mean AUROC on validation and test patients."""
    start = time.perf_counter()
    model = cohort.train(folder / f"{name.replace(' ', '_').replace(',', '')}-{seed}", seed, [*settings, *HEADS[name]])
    result = cohort.macro(model, "val"), cohort.macro(model, "test")
    seconds = time.perf_counter() - start
    print(f"seed {seed}  {name:24} validation {result[0]:.4f}  test {result[1]:.4f}  {seconds:5.0f} s", flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--heads", nargs="+", default=list(HEADS), choices=list(HEADS))
    parser.add_argument("--folder", type=Path)
    parser.add_argument("settings", nargs="*")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        settings = [*COHORT, *given.settings]
        cohort = draw_cohort(folder, PIPELINE, settings)
        found = {
            name: np.array([trained(cohort, folder, seed, name, settings) for seed in given.seeds]) for name in given.heads
        }
    plain = found["plain linear"]
    print(f"{'':24}  validation   test   test beside the plain linear head, seed by seed")
    for name, values in found.items():
        difference = values[:, 1] - plain[:, 1]
        print(f"{name:24}  {values[:, 0].mean():.4f}    {values[:, 1].mean():.4f}   {difference.mean():+.4f}  ", end="")
        print(" ".join(f"{value:+.4f}" for value in difference))


if __name__ == "__main__":
    main()
