"""What sandwich training with distillation is worth beside drawing one width a step, on synthetic patients.

    python benchmarks/stacked_regimes.py [--seeds 1 2 3] [--folder FOLDER] [key=value ...]

One cohort and a small vision transformer of 12 heads, 3 to 12 of which can be used. Each regime is trained from each seed
with the same number of steps and the same batches; the epoch is chosen on validation patients by the mean of the narrowest
and the widest network, and test patients are scored once at each width. A step of the sandwich runs three networks, so the
uniform regime is there twice: with as many steps, and with as many epochs more as take the same multiplications.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from phantom_training import Cohort, draw_cohort

from cxr.definition import load_config
from cxr.model.cost import costs

PIPELINE = Path(__file__).parent.parent / "pipelines" / "quickstart.yaml"
COHORT = ["source.patients=1200", "split.test_fraction=0.45", "ingest.size=64"]
MODEL = [
    "model.backbone=vit_base_patch16_224",
    "model.options={embed_dim: 96, num_heads: 12, depth: 4, patch_size: 8}",
    "model.stacked.heads=[3, 4, 5, 6, 7, 8, 9, 10, 11, 12]",
    "train.warmup_epochs=2",
]
REGIMES = {
    "uniform": ["train.stacked.regime=uniform"],
    "uniform, same cost": ["train.stacked.regime=uniform"],
    "sandwich": ["train.stacked.regime=sandwich", "train.stacked.distillation=0"],
    "sandwich, distilled": ["train.stacked.regime=sandwich"],
}
HEADS = (3, 6, 9, 12)


def same_cost(settings: list[str]) -> float:
    """Multiplications of a step of the sandwich over those of a step of the uniform regime."""
    config = load_config(PIPELINE, settings)
    gmacs = [cost.gmacs for cost in costs(config.model, config.ingest.size, labels=7)]
    return (gmacs[0] + float(np.mean(gmacs[1:-1])) + gmacs[-1]) / float(np.mean(gmacs))


def trained(cohort: Cohort, folder: Path, seed: int, name: str, settings: list[str]) -> list[float]:
    """Mean AUROC of test patients at each width of `HEADS`."""
    start = time.perf_counter()
    given = [*settings, *REGIMES[name]]
    if name.endswith("same cost"):
        config = load_config(PIPELINE, given)
        given.append(f"train.epochs={round(config.train.epochs * same_cost(settings))}")
    model = cohort.train(folder / f"{name.replace(' ', '_').replace(',', '')}-{seed}", seed, given)
    ends = [cohort.macro(model, "val", heads) for heads in (3, 12)]
    result = [cohort.macro(model, "test", heads) for heads in HEADS]
    shown = "  ".join(f"k = {heads}: {value:.4f}" for heads, value in zip(HEADS, result, strict=True))
    seconds = time.perf_counter() - start
    print(f"seed {seed}  {name:20} validation {ends[0]:.4f} {ends[1]:.4f}  test {shown}  {seconds:5.0f} s", flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--regimes", nargs="+", default=list(REGIMES), choices=list(REGIMES))
    parser.add_argument("--folder", type=Path)
    parser.add_argument("settings", nargs="*")
    given = parser.parse_args()
    settings = [*COHORT, *MODEL, *given.settings]
    print(f"a step of the sandwich takes {same_cost(settings):.2f} times the multiplications of a uniform one", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        cohort = draw_cohort(folder, PIPELINE, settings)
        found = {
            name: np.array([trained(cohort, folder, seed, name, settings) for seed in given.seeds]) for name in given.regimes
        }
    print("mean AUROC over the seeds, and beside uniform seed by seed")
    for name, values in found.items():
        for column, heads in enumerate(HEADS):
            difference = values[:, column] - found[given.regimes[0]][:, column]
            each = " ".join(f"{value:+.4f}" for value in difference)
            print(f"{name:20} k = {heads:2}  {values[:, column].mean():.4f}  {difference.mean():+.4f}  {each}")


if __name__ == "__main__":
    main()
