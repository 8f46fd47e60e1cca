"""Retraining a model of NIH adults on children of another hospital, against training from scratch with the same steps.

Images and labels of the two sets are looked for in a folder with `nih/` and `paediatric/` as `cxr` is given them. The older
model is trained first; then, seed by seed and on the same patients, the new one starts from its weights or from random ones,
with nothing else different. Both are run as a user runs them, by the command, plan, table and decision included.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import yaml

from benchmarks.trainings import PIPELINES
from cxr.compare.align import pair
from cxr.config_evaluate import EvaluateConfig
from cxr.evaluate.paired import Comparison, compare
from cxr.evaluate.undefined import as_float
from cxr.labels.label_set import read_label_set
from cxr.predictions import read_predictions

LABELS = {
    "name": "paediatric",
    "title": "Pneumonia in children, by its cause",
    "labels": [
        {"name": "Pneumonia"},
        {"name": "Bacterial pneumonia", "parent": "Pneumonia", "synonyms": ["bacterial_pneumonia"]},
        {"name": "Viral pneumonia", "parent": "Pneumonia", "synonyms": ["viral_pneumonia"]},
    ],
}
TABLE = {
    "key": "image",
    "key_is": "file",
    "patient": "person",
    "findings": {"layout": "columns", "positive": ["1"], "negative": ["0"]},
}
WEIGHTS = ("carried", "random")


def cxr(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "cxr", *map(str, arguments)], check=True)


def prepare(source: Path, folder: Path) -> None:
    """Images and a table with a third column, pneumonia of either cause: the label that the older model has, too."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "images").exists():
        shutil.copytree(source / "images", folder / "images")
    with (source / "labels.csv").open(newline="") as given, (folder / "labels.csv").open("w", newline="") as made:
        writer = csv.writer(made)
        writer.writerow(["image", "person", "Pneumonia", "bacterial_pneumonia", "viral_pneumonia"])
        for row in csv.DictReader(given):
            causes = [int(row["bacterial_pneumonia"]), int(row["viral_pneumonia"])]
            writer.writerow([row["image"], row["person"], max(causes), *causes])
    for name, content in (("set.yaml", LABELS), ("table.yaml", TABLE)):
        (folder.parent / name).write_text(yaml.safe_dump(content, sort_keys=False))


def define(folder: Path, settings: list[str]) -> Path:
    """The pipeline file of the retraining, written by the command."""
    path = folder / "children.yaml"
    if not path.exists():
        given = {"--from": folder / "runs" / "nih14", "--labels": folder / "set.yaml", "--data": folder / "data"}
        given |= {"--kind": "images", "--table": "labels.csv", "--format": folder / "table.yaml", "--name": "paediatric"}
        given |= {"--out": path, "--workspace": folder / "runs"}
        cxr("retrain", "--plan", "--other-patients", *(part for item in given.items() for part in item), *settings)
    return path


def score(pipeline: Path, folder: Path, settings: list[str], weights: str, seed: int) -> tuple[Path, dict[str, object]]:
    """Run one of the two; where its predictions of the test patients were kept, and its decision."""
    kept = folder / "results" / f"{weights}-{seed}"
    if not (kept / "predictions.parquet").exists():
        cxr("run", pipeline, f"seed={seed}", f"retrain.weights={weights}", *settings)
        kept.mkdir(parents=True, exist_ok=True)
        stages = folder / "runs" / "children"
        for name in ("decide/decision.json", "decide/decision.html", "evaluate/metrics.csv", "predict/predictions.parquet"):
            shutil.copy(stages / name, kept / Path(name).name)
    return kept / "predictions.parquet", json.loads((kept / "decision.json").read_text())


def paired(first: Path, second: Path, labels: Path) -> Comparison:
    sides = pair(read_predictions(first), read_predictions(second), read_label_set(labels), EvaluateConfig())
    return compare(sides.cells, sides.other, resamples=2000, confidence=0.95, seed=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with nih/ and paediatric/")
    parser.add_argument("folder", type=Path, help="where models and results are kept; what is there is not made again")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--test", type=float, default=0.4, help="share of the children that test")
    options = parser.parse_args()
    folder = options.folder.resolve()
    cxr("run", PIPELINES / "nih14.yaml", f"source.root={options.data / 'nih'}", f"workspace={folder / 'runs'}")
    prepare(options.data / "paediatric", folder / "data")
    settings = [f"train.epochs={options.epochs}", f"split.test_fraction={options.test}", "train.warmup_epochs=1"]
    pipeline = define(folder, settings)
    differences = []
    for seed in options.seeds:
        (carried, decision), (scratch, _) = (score(pipeline, folder, settings, weights, seed) for weights in WEIGHTS)
        found = paired(carried, scratch, folder / "set.yaml")
        print(f"seed {seed}: {decision['headline']}")
        for verdict in decision["labels"]:  # type: ignore[attr-defined]
            print(f"  {verdict['sentence']}")
        for name, gap in [*((row.label, row.auroc) for row in found.rows), ("mean", found.macro.auroc)]:
            span = "" if not hasattr(gap.interval, "low") else f" ({gap.interval.low:+.3f} to {gap.interval.high:+.3f})"
            figures = f"carried {as_float(gap.a):.3f}  from scratch {as_float(gap.b):.3f}"
            print(f"  {name:20} {figures}  difference {as_float(gap.difference):+.3f}{span}")
        differences.append([as_float(row.auroc.difference) for row in found.rows])
    means = np.mean(differences, axis=0)
    print(
        "mean over the seeds: "
        + ", ".join(f"{label['name']} {mean:+.3f}" for label, mean in zip(LABELS["labels"], means, strict=True))
    )  # type: ignore[call-overload,index]


if __name__ == "__main__":
    main()
