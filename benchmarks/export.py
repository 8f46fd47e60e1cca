"""What an exported file gains: the time of one image, paired with the model in eager torch, and what it costs in accuracy.

    python benchmarks/export.py [--threads 2] [--repeats 15] [--backbone vit_small_patch16_224] [--size 224]
    python benchmarks/export.py --accuracy RUNS/NAME        a trained pipeline: every precision on its test images

Time: one image from memory to scores, random weights, on which it does not depend. All of them take turns in one run, each
once to settle and once by the clock; medians, and the least, over the repeats. With --threads 1 the processor's time of the
thread is told instead of the wall's, which other work on the machine does not lengthen. Two threads are timed by the wall;
eager torch then suffers more from other work than ONNX Runtime does, so that such a ratio holds for an idle machine alone.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import torch

from cxr.calibrate.calibration import Calibration, LabelCalibration
from cxr.calibrate.scaling import Platt
from cxr.calibrate.thresholds import Confusion, OperatingPoint
from cxr.config_evaluate import CalibrateConfig, OperatingRule
from cxr.config_model import ModelConfig
from cxr.export.export import Exported, Wish, export
from cxr.export.exported import ExportedModel
from cxr.ingest.read import canonical, normalise
from cxr.labels.label_set import Label, LabelSet
from cxr.model.build import build_classifier
from cxr.model.card import ModelCard, Preprocessing
from cxr.model.file import save_model
from cxr.predict.predictor import Predictor

NAMES = tuple(f"label {number}" for number in range(14))
KINDS = (("onnx", "float32"), ("onnx", "int8"), ("torch", "float32"), ("torch", "bf16"))


def quiet(done: int, total: int, text: str = "") -> None:
    pass


def random_model(path: Path, backbone: str, size: int) -> Path:
    torch.manual_seed(0)
    config = ModelConfig(backbone=backbone)
    point = OperatingPoint(
        threshold=0.5, validation=Confusion(true_positives=1, false_positives=1, false_negatives=1, true_negatives=1)
    )
    fitted = LabelCalibration(scaling=Platt(slope=1.0, intercept=0.0), points={"youden": point})
    calibration = Calibration(
        schema_version=1,
        config=CalibrateConfig(points=(OperatingRule(rule="youden"),)),
        unit="image",
        combine="mean",
        images=1,
        patients=1,
        labels=dict.fromkeys(NAMES, fitted),
    )
    card = ModelCard(
        cxr_version="0",
        labels=LabelSet(name="random", labels=tuple(Label(name=name) for name in NAMES)),
        model=config,
        preprocessing=Preprocessing(size=size, fit="pad", normaliser=normalise.VERSION, canonical=canonical.VERSION),
        run_id="",
        data_sha256="",
        epoch=1,
        calibration=calibration,
    )
    save_model(path, build_classifier(config, size, len(NAMES)).state_dict(), card)
    return path


def take_turns(works: dict[str, Callable[[], object]], repeats: int, clock: Callable[[], float]) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(repeats + 2):
        for name, work in works.items():
            work()  # caches and threads settle after the one before
            start = clock()
            work()
            if turn >= 2:
                times[name].append(1000 * (clock() - start))
    return times


def speed(arguments: argparse.Namespace, folder: Path) -> None:
    torch.set_num_threads(arguments.threads)
    path = random_model(folder / "model.safetensors", arguments.backbone, arguments.size)
    image = np.random.default_rng(0).integers(0, 256, (1, arguments.size, arguments.size), dtype=np.uint8)
    predictor = Predictor(path, torch.device("cpu"))
    works: dict[str, Callable[[], object]] = {"eager torch float32": lambda: predictor.probabilities(image)}
    for kind in KINDS:
        made = export(path, folder / "-".join(kind), Wish(*kind, probability=0.5), quiet)
        print(f"{' '.join(kind):20} {made.size / 1e6:6.1f} MB, random weights: largest change {made.record.check.furthest:.1e}")
        file = ExportedModel(folder / "-".join(kind), arguments.threads)
        works[" ".join(kind)] = lambda file=file: file.probabilities(image)  # type: ignore[misc]
    times = take_turns(works, arguments.repeats, time.thread_time if arguments.threads == 1 else time.perf_counter)
    base = times["eager torch float32"]
    what = "processor" if arguments.threads == 1 else "wall"
    print(f"{what} time of one image, ms; {arguments.threads} threads; load {os.getloadavg()[0]:.1f}")
    for name, taken in times.items():
        middle, least = statistics.median(taken), min(taken)
        ratios = f"{middle / statistics.median(base):.2f} ({least / min(base):.2f})"
        print(f"{name:20} median {middle:7.1f}, least {least:7.1f}, of eager torch {ratios}")


def accuracy(pipeline: Path, folder: Path) -> None:
    for kind in KINDS:
        wish = Wish(*kind, images=pipeline, probability=0.5, auroc=0.5)
        _told(" ".join(kind), export(pipeline / "calibrate" / "model.safetensors", folder / "out", wish, quiet))


def _told(name: str, made: Exported) -> None:
    check = made.record.check
    print(f"{name}: {check.images} test images; largest change of a score {check.score:.1e}, of a probability", end=" ")
    print(f"{check.probability:.1e}; " + ", ".join(f"{key} {each.same}/{each.decisions}" for key, each in check.points.items()))
    print("  AUROC: " + ", ".join(f"{label} {change:+.4f}" for label, change in check.auroc.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--backbone", default="vit_small_patch16_224")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--accuracy", type=Path, help="the folder of a trained pipeline")
    arguments = parser.parse_args()
    print(f"{datetime.now():%Y-%m-%d %H:%M} torch {torch.__version__}, {platform.processor()}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        if arguments.accuracy is None:
            speed(arguments, Path(folder))
        else:
            accuracy(arguments.accuracy, Path(folder))


if __name__ == "__main__":
    main()
