"""AUROC per label on one table by ours, scikit-learn, torchmetrics and MONAI: times, and what each makes of odd labels.

    python -m pip install torchmetrics monai     # in an environment of their own: neither is a dependency
    python benchmarks/metric_peers.py [--table TABLE --test LIST] [--repeats 7]

TABLE and LIST as in bootstrap_speed.py, whose table this is. Everyone gets arrays of its own kind that are ready in memory;
scikit-learn is called label by label on the known cells, torchmetrics with thresholds=None (exact) and with 200 bins. All
run on one core and take turns; processor time, medians over the repeats. Then labels of six images show what becomes of a
label that has no AUROC, and of their mean.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import warnings
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import monai
import numpy as np
import sklearn
import torch
from bootstrap_speed import seconds, table
from monai.metrics import compute_roc_auc
from sklearn.metrics import roc_auc_score

# torchmetrics imports torchvision, which fails next to a CPU build of torch unless this comes first
from cxr.model import timm_gate  # noqa: F401  isort: skip
import torchmetrics
from torchmetrics.functional.classification import binary_auroc, multilabel_auroc

from cxr.evaluate.auroc import auroc, mean_auroc
from cxr.evaluate.undefined import Undefined

UNKNOWN = -1  # torchmetrics leaves out a number that the user names
Figures = list[float | Undefined | str]


def ours(truth: np.ndarray, scores: np.ndarray) -> Figures:
    return [auroc(truth[:, j], scores[:, j]) for j in range(truth.shape[1])]


def with_sklearn(truth: np.ndarray, scores: np.ndarray) -> Figures:
    known = ~np.isnan(truth)
    return [roc_auc_score(truth[known[:, j], j], scores[known[:, j], j]) for j in range(truth.shape[1])]


def with_torchmetrics(truth: torch.Tensor, scores: torch.Tensor, average: str, thresholds: int | None) -> torch.Tensor:
    if truth.shape[1] == 1:
        return binary_auroc(scores[:, 0], truth[:, 0], thresholds=thresholds, ignore_index=UNKNOWN)
    return multilabel_auroc(scores, truth, truth.shape[1], average, thresholds, ignore_index=UNKNOWN)


def tensors(truth: np.ndarray, scores: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(np.nan_to_num(truth, nan=UNKNOWN).astype(np.int64)), torch.from_numpy(scores)


def times(truth: np.ndarray, scores: np.ndarray, repeats: int) -> None:
    known, of_torch = tensors(truth, scores)
    ways: dict[str, Callable[[], object]] = {
        "ours": lambda: ours(truth, scores),
        "scikit-learn": lambda: with_sklearn(truth, scores),
        "torchmetrics, exact": lambda: with_torchmetrics(known, of_torch, "none", None),
        "torchmetrics, 200 bins": lambda: with_torchmetrics(known, of_torch, "none", 200),
        "MONAI": lambda: compute_roc_auc(of_torch, known, "none"),
    }
    exact = np.array(ours(truth, scores))
    apart = {name: float(np.abs(np.asarray(way(), np.float64) - exact).max()) for name, way in ways.items()}
    rounds = [[seconds(way) for way in ways.values()] for _ in range(repeats)]
    for name, column in zip(ways, zip(*rounds, strict=True), strict=True):
        ratio = statistics.median(took / own[0] for took, own in zip(column, rounds, strict=True))
        print(f"  {name:22} {statistics.median(column):7.3f} s  {ratio:6.2f} times ours  largest difference {apart[name]:.1e}")


def odd_labels() -> dict[str, tuple[list[float], list[float]]]:
    """Truth and scores of six images, by what is odd about them."""
    nan, spread = float("nan"), [0.1, 0.6, 0.3, 0.7, 0.5, 0.9]
    return {
        "plain": ([0, 1, 0, 0, 1, 1], spread),
        "two unknown": ([0, 1, nan, 0, nan, 1], spread),
        "constant scores": ([0, 1, 0, 0, 1, 1], [0.3] * 6),
        "no positives": ([0, 0, 0, 0, 0, 0], spread),
        "no negatives": ([1, 1, 1, 1, 1, 1], spread),
        "all unknown": ([nan] * 6, spread),
    }


def told(way: Callable[[], object]) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            value = way()
        except (ValueError, IndexError) as error:
            return type(error).__name__
    value = value[0] if isinstance(value, list) else value
    return value.reason if isinstance(value, Undefined) else f"{float(value):.4f}"


def oddities() -> None:
    labels = odd_labels()
    print_row("", "ours", "scikit-learn", "torchmetrics", "MONAI")
    for name, (truth, scores) in labels.items():
        print_row(name, *answers(np.array([truth], np.float32).T, np.array([scores]).T))
    truth, scores = (np.array(columns).T for columns in zip(*labels.values(), strict=True))
    print_row("mean of all six", *answers(truth.astype(np.float32), scores))
    print_row("mean without the last", *answers(truth[:, :-1].astype(np.float32), scores[:, :-1]))


def answers(truth: np.ndarray, scores: np.ndarray) -> list[str]:
    known, of_torch = tensors(truth, scores)
    return [
        told(lambda: mean_auroc(truth, scores) if truth.shape[1] > 1 else ours(truth, scores)),
        told(lambda: float(np.mean(with_sklearn(truth, scores)))),
        told(lambda: with_torchmetrics(known, of_torch, "macro", None)),
        told(lambda: compute_roc_auc(of_torch, known, "macro")),
    ]


def print_row(name: str, *cells: str) -> None:
    print(f"  {name:22}" + "".join(f"{cell:16}" for cell in cells).rstrip())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path)
    parser.add_argument("--test", type=Path)
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()
    torch.set_num_threads(1)
    cells = table(given.table, given.test)
    print(
        f"{datetime.now():%Y-%m-%d}, one core, {platform.machine()}, Python {platform.python_version()}, "
        f"scikit-learn {sklearn.__version__}, torchmetrics {torchmetrics.__version__}, MONAI {monai.__version__}"
    )
    print(f"{'NIH test images' if given.table else 'made table'}: {cells.image_count} images, {len(cells.label_names)} labels")
    times(cells.truth, cells.scores, given.repeats)
    oddities()


if __name__ == "__main__":
    main()
