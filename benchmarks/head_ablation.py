"""What the multi-branch head is worth beside the plain linear head, on synthetic patients, with a fixed number of steps.

    python benchmarks/head_ablation.py [--seeds 1 2 3] [--folder FOLDER] [key=value ...]

One cohort; each head is trained from each seed with the same batches in the same order; the best epoch is chosen on
validation patients, as in every pipeline, and test patients are scored once. Differences are paired by seed.
"""

from __future__ import annotations

from trainings import PHANTOMS, PIPELINES, drawn_cohort, parse, print_paired, train_variants

HEADS = {
    "plain linear": ["model.head.kind=aggregated"],
    "multi-branch, learned": ["model.head.kind=multi_branch", "model.head.loss_weights=learned"],
    "multi-branch, static": ["model.head.kind=multi_branch", "model.head.loss_weights=static"],
    "multi-branch, uniform": ["model.head.kind=multi_branch", "model.head.loss_weights=uniform"],
    "branches only": ["model.head.kind=branches"],
}


def main() -> None:
    given = parse(__doc__, HEADS)
    with drawn_cohort(PIPELINES / "quickstart.yaml", [*PHANTOMS, *given.settings], given.folder) as cohort:
        heads = {name: HEADS[name] for name in given.only}
        sides = {"validation": "val", "test": "test"}
        found = train_variants(
            cohort, heads, given.seeds, lambda model: {name: cohort.macro(model, side) for name, side in sides.items()}
        )
    print_paired(found)


if __name__ == "__main__":
    main()
