"""How evenly patients are divided into five folds and how fast, paired with what a user would otherwise take.

    python benchmarks/split_balance.py TABLE [--folds 5] [--repeats 5]

TABLE is the NIH's Data_Entry_2017_v2020.csv, also gzipped. Ours is `cxr.split.stratify`. The others: patients by chance;
scikit-learn's StratifiedGroupKFold, which takes one class per image, with the class as the rarest finding of the image or
as its combination of findings; and iterative stratification of images without regard to patients (PyPI package
iterative-stratification, left out where it is not installed). All start from the same two arrays, take turns on one core
and use another seed in each repeat; medians over the repeats.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import numpy as np
import pandas as pd
import sklearn
from sklearn.model_selection import StratifiedGroupKFold

from cxr.split.stratify import group_counts, stratify

try:
    from iterstrat.ml_stratifiers import MultilabelStratifiedKFold
except ImportError:
    MultilabelStratifiedKFold = None

RARE = 3  # so many of the rarest labels are shown one by one


class Task(NamedTuple):
    """int8 [images, labels] of 0 and 1, int64 [images] patients, how many folds, and the seed."""

    codes: np.ndarray
    patients: np.ndarray
    folds: int
    seed: int


class Outcome(NamedTuple):
    """Differences between folds: of prevalence per label, relative to it, and of images, relative to their mean."""

    seconds: float
    labels: np.ndarray
    images: float
    torn: int


def ours(task: Task) -> np.ndarray:
    counts = group_counts(task.patients, task.codes)
    return stratify(counts, np.full(task.folds, 1 / task.folds), task.seed)[task.patients]


def by_chance(task: Task) -> np.ndarray:
    generator = np.random.default_rng(task.seed)
    return generator.permutation(np.arange(task.patients.max() + 1) % task.folds)[task.patients]


def group_k_fold(task: Task, strata: np.ndarray) -> np.ndarray:
    splitter = StratifiedGroupKFold(task.folds, shuffle=True, random_state=task.seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")
        return assembled(splitter.split(strata, strata, task.patients), len(strata))


def by_rarest(task: Task) -> np.ndarray:
    order = np.argsort(task.codes.sum(axis=0), kind="stable")
    strata = np.where(task.codes.any(axis=1), np.argmax(task.codes[:, order], axis=1), -1)
    return group_k_fold(task, strata)


def by_combination(task: Task) -> np.ndarray:
    bits = task.codes.astype(np.int64) @ (1 << np.arange(task.codes.shape[1]))
    return group_k_fold(task, np.unique(bits, return_inverse=True)[1])


def without_patients(task: Task) -> np.ndarray:
    splitter = MultilabelStratifiedKFold(task.folds, shuffle=True, random_state=task.seed)
    return assembled(splitter.split(task.codes, task.codes), len(task.codes))


def assembled(splits, images: int) -> np.ndarray:
    folds = np.empty(images, np.int64)
    for fold, (_, rows) in enumerate(splits):
        folds[rows] = fold
    return folds


def measured(method: Callable[[Task], np.ndarray], task: Task) -> Outcome:
    start = time.perf_counter()
    folds = method(task)
    seconds = time.perf_counter() - start
    images = np.bincount(folds, minlength=task.folds)
    positives = np.stack([np.bincount(folds, label, minlength=task.folds) for label in task.codes.T], axis=1)
    differences = np.ptp(positives / images[:, None], axis=0) / task.codes.mean(axis=0)
    stays = np.unique(task.patients * task.folds + folds) // task.folds  # a patient stands here once for each of its folds
    torn = int((np.bincount(stays) > 1).sum())
    return Outcome(seconds, differences, np.ptp(images) / images.mean(), torn)


def read(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes, patients, and the names of the labels, the rarest first."""
    table = pd.read_csv(path, usecols=["Finding Labels", "Patient ID"])
    found = table["Finding Labels"].str.get_dummies("|").drop(columns="No Finding")
    found = found[found.sum().sort_values().index]
    return found.to_numpy(np.int8), pd.factorize(table["Patient ID"])[0].astype(np.int64), found.columns.to_numpy()


def show(results: dict[str, list[Outcome]], names: np.ndarray) -> None:
    shown = " ".join(f"{name:>10.10}" for name in names[:RARE])
    print(f"{'':34} {'seconds':>8} {'ratio':>7} {'worst':>8} {shown} {'rest':>8} {'images':>8} {'torn':>6}")
    own = next(iter(results.values()))
    for name, outcomes in results.items():
        ratio = statistics.median(other.seconds / mine.seconds for other, mine in zip(outcomes, own, strict=True))
        seconds = statistics.median(outcome.seconds for outcome in outcomes)
        labels = np.stack([outcome.labels for outcome in outcomes])
        figures = [np.median(labels.max(axis=1)), *np.median(labels[:, :RARE], axis=0), np.median(labels[:, RARE:].max(axis=1))]
        widths = [8, *[10] * RARE, 8]
        texts = " ".join(f"{100 * figure:{width - 2}.2f} %" for figure, width in zip(figures, widths, strict=True))
        images = 100 * statistics.median(outcome.images for outcome in outcomes)
        torn = statistics.median(outcome.torn for outcome in outcomes)
        print(f"{name:34} {seconds:8.3f} {ratio:7.2f} {texts} {images:6.3f} % {torn:6.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    codes, patients, names = read(arguments.table)
    methods = {
        "ours": ours,
        "patients by chance": by_chance,
        "StratifiedGroupKFold, rarest": by_rarest,
        "StratifiedGroupKFold, combination": by_combination,
    }
    if MultilabelStratifiedKFold is None:
        print("iterative stratification without patients: left out, the package iterative-stratification is not installed")
    else:
        methods["iterative, without patients"] = without_patients
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    results: dict[str, list[Outcome]] = {name: [] for name in methods}
    for seed in range(arguments.repeats):
        task = Task(codes, patients, arguments.folds, seed)
        for name, method in methods.items():
            results[name].append(measured(method, task))
    print(
        f"{datetime.now():%Y-%m-%d}, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, ", end=""
    )
    print(f"numpy {np.__version__}, scikit-learn {sklearn.__version__}; one core, {arguments.repeats} repeats")
    print(f"{len(codes)} images of {patients.max() + 1} patients, {len(names)} labels, {arguments.folds} folds")
    show(results, names)
    worst = max(float(outcome.labels[1:].max()) for outcome in results["ours"])
    print(f"ours, all repeats: {names[0]} at most {100 * max(o.labels[0] for o in results['ours']):.2f} %, ", end="")
    print(f"any other label {100 * worst:.2f} %, seconds {', '.join(f'{o.seconds:.3f}' for o in results['ours'])}")
    totals = codes.sum(axis=0)
    least = 100 * (totals % arguments.folds > 0) * arguments.folds / totals
    print(f"as positives are whole, equal folds cannot be below: {names[0]} {least[0]:.2f} %, others {least[1:].max():.2f} %")


if __name__ == "__main__":
    main()
