r"""A training step as `cxr train` makes it, beside a bare torch loop on the same model with the batches in memory already.

    python benchmarks/loop_overhead.py [--network vit_small quickstart stacked] [--batch 16] [--steps 8] [--repeats 7]
    python benchmarks/loop_overhead.py --network vit_small stacked --device cuda --precision bf16 --batch 128 --steps 200 \\
        --workers 8

Ours reads and changes the images, clips the gradient, averages the weights, sets the rates, shows progress and logs to
MLflow. The bare loop runs forward, backward and AdamW. On a GPU a second bare loop does without AdamW, the images lying on
the device. A block of so many steps of each takes turns; medians over the repeats, of which the first is left out.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from cxr.config import TrainStage
from cxr.config_model import ModelConfig, StackedConfig
from cxr.config_training import StackedTraining, TrainConfig
from cxr.data.dataset import Batch, load_batches
from cxr.definition import load_config
from cxr.ingest.store import Preprocessing, describe_store, write_shard
from cxr.labels.label_set import read_label_set
from cxr.labels.shipped import SHIPPED
from cxr.manifest import TEXT_COLUMNS, Manifest, label_column
from cxr.model.build import build_classifier
from cxr.stage import StageContext
from cxr.tracking.store import Tracking
from cxr.train.development import load_development
from cxr.train.epoch import Running, progress_of, train_epoch
from cxr.train.losses import build_loss
from cxr.train.task import TrainingTask

SHARD, LABELS = 1024, SHIPPED / "nih14" / "labels.yaml"
QUICKSTART = Path(__file__).parent.parent / "pipelines" / "quickstart.yaml"
NETWORKS: dict[str, tuple[ModelConfig, int]] = {
    "vit_small": (ModelConfig(backbone="vit_small_patch16_224"), 224),
    "quickstart": (load_config(QUICKSTART, []).model, 112),
    "stacked": (ModelConfig(backbone="vit_base_patch16_224", stacked=StackedConfig(heads=tuple(range(3, 13)))), 224),
}
"""With the side of their images; of the stacked one a step trains the widest network alone, as the bare loop does."""
Work = Callable[[], object]


def write_inputs(folder: Path, images: int, size: int) -> dict[str, Path]:
    """A store of noise, and the manifest of a development set with the labels of ChestX-ray14."""
    generator, made = np.random.default_rng(0), Preprocessing(size, "pad", 1, 1)
    (folder / "store").mkdir()
    for shard, first in enumerate(range(0, images, SHARD)):
        noise = generator.integers(0, 256, (min(SHARD, images - first), size, size), np.uint8)
        write_shard(folder / "store", shard, list(noise), made)
    describe_store(folder / "store", made)
    ids, index = [f"b:{number:06d}" for number in range(images)], np.arange(images)
    place = {"shard": index // SHARD, "row": index % SHARD, "height": size, "width": size}
    person = {"source": "b", "manufacturer": "", "decisions": "{}", "view": "PA", "sex": "F", "age_years": 50.0}
    names = read_label_set(LABELS).names
    codes = np.concatenate(
        [np.zeros((1, len(names))), np.ones((1, len(names))), generator.integers(0, 2, (images - 2, len(names)))]
    )
    labels = {name: label_column(codes[:, j].astype(np.int8)) for j, name in enumerate(names)}
    side = {"split": np.where(index < 2, "val", "train")}
    frame = pd.DataFrame({**dict.fromkeys(TEXT_COLUMNS, ids), **person, **place, **side, **labels})
    Manifest(frame, names).write(folder / "development.parquet")
    return {"development": folder / "development.parquet", "store": folder / "store"}


class OurLoop:
    """Epochs as `cxr train` makes them, in a tracked run."""

    def __init__(self, config: TrainStage, folder: Path, inputs: dict[str, Path], device: torch.device) -> None:
        run = Tracking(folder, "overhead").open("train")
        self.config, self.context = config, StageContext(folder, inputs, run, lambda *_: None)
        self.data = load_development(config, self.context)
        self.batches = self.data.batches(config)
        classifier = build_classifier(config.model, config.size, len(self.data.labels.names)).to(device)
        loss = build_loss(config.train.loss, config.model.head.loss_weights, self.data.train.targets).to(device)
        self.task = TrainingTask(classifier, loss, config.train, len(self.batches), device)
        self.epoch = 0

    def __call__(self) -> None:
        show = progress_of(self.config, self.data, self.epoch, self.context, "")
        figures = train_epoch(self.config, self.data, self.task, self.epoch, Running(), show)
        self.epoch += 1
        self.context.run.metrics(figures, step=self.epoch)


def bare_loop(ours: OurLoop, device: torch.device, precision: str, *, step: bool) -> Work:
    """The same network and batches, in memory already; forward and backward, and AdamW if wanted."""
    config = ours.config
    loaded: list[Batch] = [batch.to(device) for batch in load_batches(ours.data.train, ours.batches)]
    model = build_classifier(config.model, config.size, len(ours.data.labels.names)).to(device).train()
    loss = build_loss(config.train.loss, config.model.head.loss_weights, ours.data.train.targets).to(device)
    parameters = [*model.parameters(), *loss.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=1e-4, fused=True)

    def run() -> None:
        for batch in loaded:
            optimiser.zero_grad()
            with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
                output = model(batch.images)
            loss(output, batch.targets).backward()
            if step:
                optimiser.step()

    return run


def seconds(work: Work, device: torch.device) -> float:
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def compare(name: str, given: argparse.Namespace) -> None:
    model, size = NETWORKS[name]
    device = torch.device(given.device)
    weights = (0.0001,) * (len(model.stacked.heads) - 1) + (1e6,) if model.stacked else None  # the widest, always
    regime = StackedTraining(regime="weighted", weights=weights) if weights else StackedTraining()
    train = TrainConfig(
        epochs=1000,
        batch_size=given.batch,
        precision=given.precision,
        device=given.device,
        workers=given.workers,
        stacked=regime,
    )
    config = TrainStage(seed=0, labels=LABELS, size=size, model=model, train=train)
    with tempfile.TemporaryDirectory() as folder:
        inputs = write_inputs(Path(folder), given.batch * given.steps + 2, size)
        ours = OurLoop(config, Path(folder), inputs, device)
        loops: dict[str, Work] = {"cxr train": ours, "bare step": bare_loop(ours, device, given.precision, step=True)}
        if device.type == "cuda":
            loops["bare forward and backward"] = bare_loop(ours, device, given.precision, step=False)
        taken: dict[str, list[float]] = {loop: [] for loop in loops}
        for _ in range(given.repeats + 1):
            for loop, work in loops.items():
                taken[loop].append(seconds(work, device))
    show(name, {loop: values[1:] for loop, values in taken.items()}, len(ours.data.train), given)


def show(name: str, taken: dict[str, Sequence[float]], images: int, given: argparse.Namespace) -> None:
    ours = taken["cxr train"]
    print(f"{name}, batch {given.batch}, {given.precision}, {given.device}: {images / statistics.median(ours):.1f} images/s")
    for loop, values in taken.items():
        if loop != "cxr train":
            ratios = sorted(a / b for a, b in zip(ours, values, strict=True))
            middle, speed = statistics.median(ratios), images / statistics.median(values)
            print(f"    {loop}: {speed:.1f} images/s; cxr train takes {middle:.3f} of its time", end="")
            print(f" ({ratios[0]:.3f} to {ratios[-1]:.3f}), has {1 / middle:.3f} of its speed", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", nargs="+", default=["vit_small", "quickstart"], choices=list(NETWORKS))
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--precision", default="float32", choices=["float32", "bf16"])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()
    for name in given.network:
        compare(name, given)


if __name__ == "__main__":
    main()
