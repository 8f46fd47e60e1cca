"""How long all of evaluate takes, report included, on 25,596 images x 14 labels x 1,000 resamples of the patients.

    python benchmarks/evaluate_time.py [--nih FOLDER] [--repeats 3]

Scores are made; patients, truth, sex, age and view are those of the test list of ChestX-ray14 in FOLDER (its table and
test_list.txt), else generated in the same numbers. First the stage by itself, then the command `cxr evaluate --predictions`
in a process of its own, which also reads and joins the two tables. Medians over the repeats; one core.
"""

from __future__ import annotations

import argparse
import gzip
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import numpy as np
import pandas as pd

from cxr.labels.label_set import read_label_set
from cxr.labels.shipped import SHIPPED

LABELS = SHIPPED / "nih14" / "labels.yaml"
IMAGES, PATIENTS, VALIDATION = 25_596, 2_797, 8_000


def published(folder: Path | None) -> tuple[pd.DataFrame, pd.Series]:
    """The table as published, and the side of each image: test, and val for as many others as there would be."""
    if folder is not None:
        with gzip.open(next(folder.glob("Data_Entry_2017_v2020.csv*")), "rt") as file:
            table = pd.read_csv(file, dtype=str)
        test = set((folder / "test_list.txt").read_text().split())
        other = table[~table["Image Index"].isin(test)].index[:VALIDATION]
        side = pd.Series("train", table.index).where(~table["Image Index"].isin(test), "test")
        side.loc[other] = "val"
        return table, side
    generator, names = np.random.default_rng(0), read_label_set(LABELS).names
    count = IMAGES + VALIDATION
    owner = np.sort(generator.integers(0, PATIENTS * count // IMAGES, count))
    found = generator.random((count, len(names))) < 0.08
    table = pd.DataFrame(
        {
            "Image Index": [f"{patient:08d}_{number:03d}.png" for number, patient in enumerate(owner)],
            "Finding Labels": ["|".join(np.array(names)[row]) or "No Finding" for row in found],
            "Follow-up #": "0",
            "Patient ID": owner.astype(str),
            "Patient Age": (20 + owner % 60).astype(str),
            "Patient Gender": np.where(owner % 2, "M", "F"),
            "View Position": generator.choice(["PA", "AP"], count),
        }
    )
    return table, pd.Series(np.where(owner < owner[IMAGES], "test", "val"))


def scores(table: pd.DataFrame, side: pd.Series) -> pd.DataFrame:
    """Made scores, higher where the finding is."""
    generator, rows = np.random.default_rng(1), table[side != "train"]
    columns = {"image_id": rows["Image Index"], "split": side[side != "train"]}
    for name in read_label_set(LABELS).names:
        present = rows["Finding Labels"].str.split("|").map(lambda found, name=name: name in found).to_numpy()
        columns[name] = 1 / (1 + np.exp(3 - generator.normal(size=len(rows)) - present))
    return pd.DataFrame(columns)


def stage_seconds(folder: Path, number: int) -> float:
    """The evaluate stage's own work, on a table that was read: figures, tables, report, model card."""
    from trainings import Silent

    from cxr.calibrate.fit import fit_calibration
    from cxr.config_evaluate import CalibrateConfig, EvaluateConfig
    from cxr.evaluate.cells import align
    from cxr.evaluate.conclude import conclude
    from cxr.evaluate.metrics import evaluate
    from cxr.external.read import read_external
    from cxr.external.sides import divide
    from cxr.stage import StageContext

    labels = read_label_set(LABELS)
    sides = divide(read_external(folder / "scores.parquet", folder / "truth.csv", labels).predictions)
    assert sides.validation is not None
    calibration = fit_calibration(align(sides.validation, labels), CalibrateConfig())
    out = folder / f"stage{number}"
    out.mkdir()
    start = time.perf_counter()
    evaluation = evaluate(sides.test, labels, EvaluateConfig(), 0, calibration)
    measured = time.perf_counter() - start
    conclude(evaluation, labels, ("benchmark", ""), "test", StageContext(out, {}, Silent(), lambda *_: None))
    print(f"  figures {measured:.1f} s, report and tables {time.perf_counter() - start - measured:.1f} s", flush=True)
    return time.perf_counter() - start


def command_seconds(folder: Path, number: int) -> float:
    tables = ["--predictions", folder / "scores.parquet", "--truth", folder / "truth.csv"]
    command = [sys.executable, "-m", "cxr", "evaluate", *tables, "--labels", "nih14", "--out", folder / f"out{number}"]
    start = time.perf_counter()
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nih", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table, side = published(given.nih)
        table.to_csv(folder / "truth.csv", index=False)
        made = scores(table, side)
        made.to_parquet(folder / "scores.parquet")
        print(f"{datetime.now():%Y-%m-%d}, one core, {(made['split'] == 'test').sum()} test images, {len(table)} rows of truth")
        stage = [stage_seconds(folder, number) for number in range(given.repeats)]
        whole = [command_seconds(folder, number) for number in range(given.repeats)]
    print(f"evaluate, report included: {statistics.median(stage):.1f} s ({min(stage):.1f} to {max(stage):.1f}), asked: 20 s")
    print(f"the command, reading and joining two tables included: {statistics.median(whole):.1f} s", end="")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f" ({min(whole):.1f} to {max(whole):.1f}); peak memory {peak:.0f} MiB")


if __name__ == "__main__":
    main()
