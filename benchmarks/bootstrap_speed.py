"""Intervals by patient: how long 1,000 resamples of the patients take beside a loop of scikit-learn, and in what memory.

    python benchmarks/bootstrap_speed.py [--table TABLE --test LIST] [--repeats 7] [--loop 3]

TABLE is the NIH's Data_Entry_2017_v2020.csv, also gzipped, and LIST its test_list.txt: patients and findings are theirs,
25,596 images x 14 labels, and scores are made. Without them a table of that shape is made. The loop draws patients, writes
their rows out as often as they were drawn, and calls roc_auc_score for each label; it is timed for a few resamples and
scaled to 1,000. `weights` instead gives roc_auc_score all rows, with how often each was drawn as sample_weight. All run on
one core and take turns; processor time, medians over the repeats. Memory is what 10,000 resamples add to the peak of a
fresh process.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import numpy as np
import pandas as pd
import sklearn
from sklearn.metrics import roc_auc_score

from cxr.evaluate.auroc import auroc, average_precision, micro_auroc
from cxr.evaluate.bootstrap import patient_counts, resample, resampled_aurocs
from cxr.evaluate.cells import Cells
from cxr.evaluate.delong import delong_interval
from cxr.evaluate.paired import compare
from cxr.evaluate.ranking import rank_all, rank_label

RESAMPLES, MANY = 1000, 10_000
IMAGES, PATIENTS, LABELS = 25_596, 2_797, 14


def table(path: Path | None, test: Path | None) -> Cells:
    """The NIH's test images with made scores, or a made table of their number."""
    rng = np.random.default_rng(0)
    truth, owners = nih(path, test) if path and test else made(rng)
    scores = 1 / (1 + np.exp(2 - truth - rng.normal(size=truth.shape)))
    names = tuple(f"label{index}" for index in range(truth.shape[1]))
    return Cells(names, truth, scores, np.zeros(truth.shape, bool), owners)


def nih(path: Path, test: Path) -> tuple[np.ndarray, np.ndarray]:
    frame = pd.read_csv(path, usecols=["Image Index", "Finding Labels", "Patient ID"])
    frame = frame[frame["Image Index"].isin(set(test.read_text().split()))]
    findings = frame["Finding Labels"].str.get_dummies("|").drop(columns="No Finding")
    return findings.to_numpy(np.float32), pd.factorize(frame["Patient ID"], sort=True)[0].astype(np.int64)


def made(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    # as in the real one, few patients have most of the images, and a patient's images share findings
    weight = rng.pareto(1.2, PATIENTS) + 0.3
    others = rng.choice(PATIENTS, IMAGES - PATIENTS, p=weight / weight.sum())
    owners = np.sort(np.concatenate([np.arange(PATIENTS), others]))
    latent = rng.normal(size=(PATIENTS, LABELS))[owners] + rng.normal(size=(IMAGES, LABELS))
    limits = [np.quantile(latent[:, j], 1 - share) for j, share in enumerate(np.geomspace(0.004, 0.24, LABELS))]
    return (latent > limits).astype(np.float32), owners


def by_rows(cells: Cells, resamples: int, seed: int) -> list[list[float]]:
    """As it is first written: the rows of each resample, and a call for each label."""
    rng = np.random.default_rng(seed)
    order = np.argsort(cells.patients, kind="stable")
    rows_of = np.split(order, np.cumsum(np.bincount(cells.patients))[:-1])
    found = []
    for _ in range(resamples):
        rows = np.concatenate([rows_of[patient] for patient in rng.integers(len(rows_of), size=len(rows_of))])
        truth, scores = cells.truth[rows], cells.scores[rows]
        found.append([roc_auc_score(truth[:, j], scores[:, j]) for j in range(truth.shape[1])])
    return found


def by_weights(cells: Cells, resamples: int, seed: int) -> list[list[float]]:
    counts = next(patient_counts(cells.patient_count, resamples, seed))
    labels = range(len(cells.label_names))
    weights = counts[cells.patients].T
    return [[roc_auc_score(cells.truth[:, j], cells.scores[:, j], sample_weight=weight) for j in labels] for weight in weights]


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def speed(cells: Cells, repeats: int, loop: int) -> None:
    np.testing.assert_allclose(resampled_aurocs(cells, loop, 0), by_rows(cells, loop, 0), rtol=0, atol=1e-12)
    np.testing.assert_allclose(resampled_aurocs(cells, loop, 0), by_weights(cells, loop, 0), rtol=0, atol=1e-12)
    rounds = []
    for seed in range(repeats):
        ours = seconds(lambda seed=seed: resampled_aurocs(cells, RESAMPLES, seed))
        slow = [seconds(lambda way=way, seed=seed: way(cells, loop, seed)) for way in (by_rows, by_weights)]
        rounds.append((ours, *(each * RESAMPLES / loop for each in slow)))
    ours, rows, weights = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"AUROC of {len(cells.label_names)} labels, {RESAMPLES} resamples of {cells.patient_count} patients: {ours:.3f} s")
    for name, seen, place in (("rows", rows, 1), ("weights", weights, 2)):
        ratios = [each[place] / each[0] for each in rounds]
        print(
            f"  loop of roc_auc_score on {name}, {loop} resamples scaled to {RESAMPLES}: {seen:.0f} s, "
            f"ratio {statistics.median(ratios):.0f}, {min(ratios):.0f} to {max(ratios):.0f}"
        )


def rest(cells: Cells, repeats: int) -> None:
    """What else an evaluation takes at this size."""
    labels = range(len(cells.label_names))
    columns = [(cells.truth[:, j], cells.scores[:, j]) for j in labels]
    other = cells.scores[np.random.default_rng(1).permutation(cells.image_count)]

    def resampled(figures: Callable[[], list]) -> Callable[[], object]:
        return lambda: resample(figures(), cells.patient_count, RESAMPLES, 0)

    tasks = {
        "point AUROC of all labels": lambda: [auroc(*column) for column in columns],
        "point average precision of all labels": lambda: [average_precision(*column) for column in columns],
        "point micro AUROC": lambda: micro_auroc(cells.truth, cells.scores),
        "average precision of all labels, resampled": resampled(
            lambda: [rank_label(cells, j).average_precisions for j in labels]
        ),
        "micro AUROC, resampled": resampled(lambda: [rank_all(cells).aurocs]),
        "DeLong's intervals of all labels": lambda: [delong_interval(*column, 0.95) for column in columns],
        "comparison of two score sets": lambda: compare(cells, other, RESAMPLES, 0.95, 0),
    }
    for name, task in tasks.items():
        print(f"  {name}: {statistics.median(seconds(task) for _ in range(repeats)):.3f} s")


def peak_mib() -> float:
    """Highest resident memory of this process so far; Linux counts it in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def memory(path: Path | None, test: Path | None) -> None:
    imports = peak_mib()
    cells = table(path, test)
    ready = peak_mib()
    samples = resampled_aurocs(cells, MANY, 0)
    print(
        f"memory, {MANY} resamples: imports {imports:.0f} MiB, with the table {ready:.0f} MiB, peak {peak_mib():.0f} MiB: "
        f"{peak_mib() - imports:.0f} MiB over the imports (result {samples.nbytes / 2**20:.1f} MiB)",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path)
    parser.add_argument("--test", type=Path)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--loop", type=int, default=3, help="resamples of the loop that are timed")
    parser.add_argument("--memory", action="store_true", help="measure memory alone, in this process")
    given = parser.parse_args()
    if given.memory:
        return memory(given.table, given.test)
    cells = table(given.table, given.test)
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, scikit-learn {sklearn.__version__}"
    print(f"{datetime.now():%Y-%m-%d}, one core, {platform.machine()}, {versions}")
    print(f"{'NIH test images' if given.table else 'made table'}: {cells.image_count} images, {cells.patient_count} patients")
    speed(cells, given.repeats, given.loop)
    rest(cells, given.repeats)
    sys.stdout.flush()
    subprocess.run([sys.executable, *sys.argv, "--memory"], check=True)
    return None


if __name__ == "__main__":
    main()
