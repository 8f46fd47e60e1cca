"""What sandwich training with distillation is worth beside drawing one width a step, on synthetic patients.

    python benchmarks/stacked_regimes.py [--seeds 1 2 3] [--folder FOLDER] [key=value ...]

One cohort and a small vision transformer of 12 heads, 3 to 12 of which can be used. Each regime is trained from each seed
with the same number of steps and the same batches; the epoch is chosen on validation patients by the mean of the narrowest
and the widest network, and test patients are scored once at each width. A step of the sandwich runs three networks, so the
uniform regime is there twice: with as many steps, and with as many epochs more as take the same multiplications.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from trainings import PHANTOMS, PIPELINES, Cohort, drawn_cohort, parse, print_paired, train_variants

from cxr.definition import load_config
from cxr.model.cost import costs

PIPELINE = PIPELINES / "quickstart.yaml"
STACKED = [
    *PHANTOMS,
    "ingest.size=64",
    "model.backbone=vit_base_patch16_224",
    "model.options={embed_dim: 96, num_heads: 12, depth: 4, patch_size: 8}",
    "model.stacked.heads=[3, 4, 5, 6, 7, 8, 9, 10, 11, 12]",
    "train.warmup_epochs=2",
]
"""The cohort and the network; also those of `cascade_worth.py`."""
REGIMES = {
    "uniform": ["train.stacked.regime=uniform"],
    "uniform, same cost": ["train.stacked.regime=uniform"],
    "sandwich": ["train.stacked.regime=sandwich", "train.stacked.distillation=0"],
    "sandwich, distilled": ["train.stacked.regime=sandwich"],
}
HEADS = (3, 6, 9, 12)


def same_cost(settings: Sequence[str]) -> float:
    """Multiplications of a step of the sandwich over those of a step of the uniform regime."""
    config = load_config(PIPELINE, settings)
    gmacs = [cost.gmacs for cost in costs(config.model, config.ingest.size, labels=7)]
    return (gmacs[0] + float(np.mean(gmacs[1:-1])) + gmacs[-1]) / float(np.mean(gmacs))


def regimes(names: Sequence[str], settings: Sequence[str]) -> dict[str, list[str]]:
    """Settings of each regime, the longer training of the one among them."""
    epochs = round(load_config(PIPELINE, settings).train.epochs * same_cost(settings))
    longer = {"uniform, same cost": [f"train.epochs={epochs}"]}
    return {name: [*REGIMES[name], *longer.get(name, [])] for name in names}


def measured(cohort: Cohort, model: Path) -> dict[str, float]:
    """Mean AUROC of the ends on validation patients, of each width of `HEADS` on test patients."""
    ends = {f"validation k={heads}": cohort.macro(model, "val", heads) for heads in (3, 12)}
    return {**ends, **{f"test k={heads}": cohort.macro(model, "test", heads) for heads in HEADS}}


def main() -> None:
    given = parse(__doc__, REGIMES)
    settings = [*STACKED, *given.settings]
    print(f"a step of the sandwich takes {same_cost(settings):.2f} times the multiplications of a uniform one", flush=True)
    with drawn_cohort(PIPELINE, settings, given.folder) as cohort:
        variants = regimes(given.only, settings)
        found = train_variants(cohort, variants, given.seeds, lambda model: measured(cohort, model))
    print_paired(found)


if __name__ == "__main__":
    main()
