"""Images/s of the input path on one core, paired with decoding, resizing and changing each image as it is asked for.

    python benchmarks/input_path.py [--repeats 5] [--files 64] [--store 16000]

The usual way is a torch dataset whose `__getitem__` decodes an 8-bit PNG of 1024 pixels with OpenCV, resizes it to 224,
changes it with albumentations at the strengths of the defaults, and makes a float tensor; a loader collates 32 of them.
Ours is the training dataset over an image store of 224 pixels, augmentation included, in whole batches of 32, which are made
float tensors, too. Both take turns; medians over the repeats, by the processor's time, which other processes disturb least.
Then the time per image of whole epochs over more and more images, and what a batch spends where.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"

import albumentations
import cv2
import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader, Dataset

from cxr.config_sources import PhantomSource
from cxr.config_training import AugmentConfig
from cxr.data.augment import Augmentation
from cxr.data.dataset import RadiographDataset, load_batches
from cxr.data.draws import draw
from cxr.data.epoch import EpochBatches
from cxr.data.geometry import affine_matrices
from cxr.data.photometry import change, curves
from cxr.data.streams import EpochStreams
from cxr.ingest.store import ImageStore, Preprocessing, describe_store, write_shard
from cxr.labels.label_set import Label, LabelSet
from cxr.manifest import TEXT_COLUMNS, Manifest, label_column
from cxr.phantom.plan import plan_cohort
from cxr.phantom.render import render

LARGE, SIZE, BATCH, SHARD = 1024, 224, 32, 128
AUGMENT = AugmentConfig()
LABELS = LabelSet(name="one", labels=(Label(name="Mass"),))


def pictures(count: int) -> list[np.ndarray]:
    """uint8 [LARGE, LARGE]: phantoms with the noise of a detector."""
    source = PhantomSource(kind="phantom", patients=max(10, count), matrix=LARGE, broken_files=0)
    generator = np.random.default_rng(0)
    result = []
    for image in plan_cohort(source, seed=1).good[:count]:
        picture = render(image.anatomy, image.pose, image.severities, (LARGE, LARGE), image.seed).picture
        result.append(np.clip(12 + 235 * picture + generator.normal(0, 1.5, picture.shape), 0, 255).astype(np.uint8))
    return result


class UsualDataset(Dataset):
    def __init__(self, paths: list[Path], targets: torch.Tensor) -> None:
        limits = (-AUGMENT.contrast, AUGMENT.contrast)
        gammas = (round(100 * (1 - AUGMENT.gamma)), round(100 * (1 + AUGMENT.gamma)))
        self.paths, self.targets = paths, targets
        self.compose = albumentations.Compose(
            [
                albumentations.RandomGamma(gammas, p=1),
                albumentations.RandomBrightnessContrast(limits, limits, p=1),
                albumentations.Affine(
                    scale=(1 - AUGMENT.zoom, 1 + AUGMENT.zoom),
                    translate_percent=(-AUGMENT.shift, AUGMENT.shift),
                    rotate=(-AUGMENT.rotate_degrees, AUGMENT.rotate_degrees),
                    keep_ratio=True,
                    p=1,
                ),
            ],
            seed=0,
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        image = cv2.imread(str(self.paths[index]), cv2.IMREAD_GRAYSCALE)
        image = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        image = self.compose(image=image)["image"]
        return torch.from_numpy(image)[None].float().div_(255), self.targets[index]


def manifest(count: int) -> Manifest:
    ids = [f"b:{index:06d}" for index in range(count)]
    place = {"shard": np.arange(count) // SHARD, "row": np.arange(count) % SHARD, "height": LARGE, "width": LARGE}
    person = {"source": "b", "manufacturer": "", "decisions": "{}", "view": "PA", "sex": "F", "age_years": 50.0}
    labels = {"Mass": label_column(np.arange(count) % 2)}
    return Manifest(pd.DataFrame({**dict.fromkeys(TEXT_COLUMNS, ids), **person, **place, **labels}), ("Mass",))


def write_store(folder: Path, count: int, large: list[np.ndarray]) -> ImageStore:
    folder.mkdir()
    made, generator = Preprocessing(SIZE, "pad", 1, 1), np.random.default_rng(0)
    small = [cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for image in large]
    for shard, start in enumerate(range(0, count, SHARD)):
        noise = generator.integers(0, 4, (SIZE, SIZE), dtype=np.uint8)
        rows = range(start, min(start + SHARD, count))
        write_shard(folder, shard, [cv2.add(np.roll(small[row % len(small)], row, axis=1), noise) for row in rows], made)
    describe_store(folder, made)
    return ImageStore(folder)


def ours(dataset: RadiographDataset, epoch: int, start: int = 0) -> Iterable[torch.Tensor]:
    batches = EpochBatches(len(dataset), BATCH, epoch, seed=0, start=start)
    return (batch.images[:, None].float().div_(255) for batch in load_batches(dataset, batches))


def per_image(batches: Iterable[torch.Tensor]) -> float:
    """Processor seconds."""
    start, images = time.process_time(), 0
    for batch in batches:
        images += len(batch)
    return (time.process_time() - start) / images


def compare(usual: UsualDataset, dataset: RadiographDataset, repeats: int) -> None:
    other, own = [], []
    last = len(EpochBatches(len(dataset), BATCH)) - 64
    for repeat in range(repeats + 1):
        loader = DataLoader(usual, batch_size=BATCH, shuffle=True)
        a = per_image(images for images, _ in loader)
        b = per_image(ours(dataset, repeat, start=max(last, 0)))
        if repeat:  # the first warms caches and imports
            other.append(1 / a)
            own.append(1 / b)
    ratios = sorted(b / a for a, b in zip(other, own, strict=True))
    print(f"usual: {statistics.median(other):.0f} images/s a core; ours: {statistics.median(own):.0f}; ", end="")
    print(f"ratio {statistics.median(ratios):.1f} ({ratios[0]:.1f} to {ratios[-1]:.1f}), asked: 20", flush=True)


def show_growth(store: ImageStore, counts: list[int], repeats: int) -> None:
    datasets = {count: RadiographDataset(manifest(count), store, LABELS, Augmentation(AUGMENT)) for count in counts}
    seconds: dict[int, list[float]] = {count: [] for count in counts}
    for repeat in range(repeats):
        for count, dataset in datasets.items():
            seconds[count].append(per_image(ours(dataset, repeat)))
    first = statistics.median(seconds[counts[0]])
    for count in counts:
        median = statistics.median(seconds[count])
        print(f"epoch of {count:6} images: {median * 1e6:6.1f} us an image, {median / first:.2f} of the smallest's", flush=True)


def show_parts(store: ImageStore, repeats: int) -> None:
    rows = np.random.default_rng(0).permutation(SHARD * 8)[:BATCH]
    images = store.gather8(rows // SHARD, rows % SHARD)
    streams = EpochStreams(0, 0)
    generators = [streams.of(position) for position in range(BATCH)]
    draws = draw(generators)
    matrices, greys = affine_matrices(AUGMENT, draws, SIZE), curves(AUGMENT, draws)
    warp = Augmentation(AUGMENT)._affine
    parts: dict[str, Callable[[], object]] = {
        "gather from the store": lambda: store.gather8(rows // SHARD, rows % SHARD),
        "streams and draws": lambda: draw([streams.of(position) for position in range(BATCH)]),
        "matrices and curves": lambda: (affine_matrices(AUGMENT, draws, SIZE), curves(AUGMENT, draws)),
        "grey values": lambda: [change(image, curve, None) for image, curve in zip(images, greys, strict=True)],
        "affine": lambda: [
            warp.apply(image, matrix=matrix, output_shape=image.shape) for image, matrix in zip(images, matrices, strict=True)
        ],
        "float tensor": lambda: torch.from_numpy(images)[:, None].float().div_(255),
    }
    seconds: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(20 * repeats):
        for name, part in parts.items():
            start = time.process_time()
            part()
            seconds[name].append(time.process_time() - start)
    for name, values in seconds.items():
        print(f"{name:22} {statistics.median(values) / BATCH * 1e6:6.1f} us an image")
    compose = UsualDataset([], torch.zeros(0)).compose
    start = time.process_time()
    for image in images:
        compose(image=image)
    print(f"(in the place of the middle four, albumentations' Compose: {(time.process_time() - start) / BATCH * 1e6:.1f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--files", type=int, default=64, help="PNG files of 1024 pixels")
    parser.add_argument("--store", type=int, default=16_000, help="images of 224 pixels in the store")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    versions = f"Python {platform.python_version()}, torch {torch.__version__}, OpenCV {cv2.__version__}"
    print(f"{datetime.now():%Y-%m-%d}, one of {os.cpu_count()} cores, {platform.machine()}, {versions}")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        large = pictures(arguments.files)
        paths = [root / f"{index}.png" for index in range(len(large))]
        for path, image in zip(paths, large, strict=True):
            cv2.imwrite(str(path), image)
        kilobytes = statistics.mean(path.stat().st_size for path in paths) / 1000
        print(f"{len(paths)} PNG files of {LARGE} pixels, {kilobytes:.0f} kB each; a store of {arguments.store} images")
        store = write_store(root / "store", arguments.store, large)
        dataset = RadiographDataset(manifest(arguments.store), store, LABELS, Augmentation(AUGMENT))
        compare(UsualDataset(paths, torch.zeros(len(paths), 1)), dataset, arguments.repeats)
        show_growth(store, [arguments.store // 16, arguments.store // 4, arguments.store], min(arguments.repeats, 3))
        show_parts(store, arguments.repeats)


if __name__ == "__main__":
    main()
