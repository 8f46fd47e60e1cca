"""What the perceptual hash finds, what it confuses, and how long the search takes, on a folder of radiographs.

    python benchmarks/near_duplicates.py FOLDER [--patient REGEX] [--sample 250] [--rows 100000 1000000]

Recall: disturbed versions of a sample, against their originals. Confusion: all pairs of the folder, of one patient and of two.
The search runs on hashes drawn like those of the folder: each from the mean and the deviations of four of its images, so that
bits are as lopsided and as correlated as real ones; one in fifty is a disturbed copy (5 % of its bits) of another. Brute force,
the usual way, compares all pairs of a part with the same XOR and bit count, in chunks. One core, one thread.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import re
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from pathlib import Path

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import cv2
import numpy as np

from cxr.duplicates import DEFAULT_LIMIT, near_duplicates, verify
from cxr.ingest.read.canonical import canonical
from cxr.perceptual import HASH_BITS, SAME_PICTURE, _reduced, _tables, likeness, perceptual_hash

SIZE = 512
Change = Callable[[np.ndarray], np.ndarray]


def fitted(change: Change, size: int = SIZE, fit: str = "pad") -> Change:
    return lambda image: canonical(change(image), size, fit)


def same(image: np.ndarray) -> np.ndarray:
    return image


def jpeg(quality: int) -> Change:
    return lambda image: cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 0)


def levels(change: Change) -> Change:
    table = (np.clip(change(np.arange(256) / 255), 0, 1) * 255).round().astype(np.uint8)
    return lambda image: table[image]


def window(image: np.ndarray) -> np.ndarray:
    low, high = np.percentile(image[image > 8], [3, 97]) / 255 if (image > 8).any() else (0, 1)
    return levels(lambda grey: (grey - low) / (high - low))(image)


def written(text: str, x: float, y: float, height: float) -> Change:
    def change(image: np.ndarray) -> np.ndarray:
        rows, columns = image.shape
        scale = max(rows, columns) / 512
        place, thick = (int(columns * x), int(rows * y)), max(1, int(2.5 * height * scale))
        return cv2.putText(image.copy(), text, place, cv2.FONT_HERSHEY_SIMPLEX, height * scale, (255,), thick, cv2.LINE_AA)

    return change


def cropped(top: float, left: float, bottom: float, right: float) -> Change:
    def change(image: np.ndarray) -> np.ndarray:
        rows, columns = image.shape
        return image[round(rows * top) : rows - round(rows * bottom), round(columns * left) : columns - round(columns * right)]

    return change


def turned(degrees: float) -> Change:
    def change(image: np.ndarray) -> np.ndarray:
        rows, columns = image.shape
        return cv2.warpAffine(image, cv2.getRotationMatrix2D((columns / 2, rows / 2), degrees, 1), (columns, rows))

    return change


def noisy(image: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 8, image.shape)
    return np.clip(image + noise, 0, 255).round().astype(np.uint8)


def half(image: np.ndarray) -> np.ndarray:
    return cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


def several(image: np.ndarray) -> np.ndarray:
    image = levels(lambda grey: grey**0.8)(half(cropped(0.01, 0.01, 0.01, 0.01)(image)))
    return jpeg(50)(written("L", 0.85, 0.12, 1.2)(image))


DISTURBED: dict[str, Change] = {
    "JPEG, quality 95": fitted(jpeg(95)),
    "JPEG, quality 50": fitted(jpeg(50)),
    "half the size": fitted(half),
    "canonical size 224": fitted(same, 224),
    "canonical size 1024": fitted(same, 1024),
    "16 bit": fitted(lambda image: image.astype(np.uint16) * 257),
    "gamma 0.7": fitted(levels(lambda grey: grey**0.7)),
    "gamma 1.4": fitted(levels(lambda grey: grey**1.4)),
    "brighter by a tenth": fitted(levels(lambda grey: grey + 0.1)),
    "darker by a tenth": fitted(levels(lambda grey: grey - 0.1)),
    "contrast 0.7": fitted(levels(lambda grey: (grey - 0.5) * 0.7 + 0.5)),
    "contrast 1.3": fitted(levels(lambda grey: (grey - 0.5) * 1.3 + 0.5)),
    "window of the middle 94 %": fitted(window),
    "a letter": fitted(written("L", 0.85, 0.12, 1.2)),
    "a line of text": fitted(written("AP PORTABLE 14:20", 0.03, 0.05, 0.5)),
    "noise, 8 levels": fitted(noisy),
    "cropped, 1 % of the sides": fitted(cropped(0.005, 0.005, 0.005, 0.005)),
    "cropped, 2 % of the sides": fitted(cropped(0.01, 0.01, 0.01, 0.01)),
    "cropped, 1 % at one corner": fitted(cropped(0.01, 0.01, 0, 0)),
    "turned by 1 degree": fitted(turned(1)),
    "half, gamma, crop, letter, JPEG": fitted(several),
    "beyond: cropped, 4 %": fitted(cropped(0.02, 0.02, 0.02, 0.02)),
    "beyond: 2 % at one corner": fitted(cropped(0.02, 0.02, 0, 0)),
    "beyond: turned by 2 degrees": fitted(turned(2)),
    "beyond: CLAHE": fitted(lambda image: cv2.createCLAHE(2.0, (8, 8)).apply(image)),
    "beyond: cropped to a square": fitted(same, fit="crop"),
    "beyond: squeezed to a square": fitted(lambda image: cv2.resize(image, (max(image.shape),) * 2)),
}


def bits(hashes: list[str]) -> np.ndarray:
    return np.frombuffer(bytes.fromhex("".join(hashes)), np.uint64).reshape(-1, HASH_BITS // 64)


def recall(images: list[np.ndarray]) -> None:
    originals = [canonical(image, SIZE, "pad") for image in images]
    own = bits([perceptual_hash(image) for image in originals])
    print(f"\n{'recall':34} {'found':>7} {'median':>7} {'95 %':>5} {'most':>5}   {'found and alike':>15}")
    for name, change in DISTURBED.items():
        versions = [change(image) for image in images]
        distance = np.bitwise_count(bits([perceptual_hash(version) for version in versions]) ^ own).sum(axis=1)
        alike = np.array([likeness(a, b) >= SAME_PICTURE for a, b in zip(originals, versions, strict=True)])
        median, most = np.quantile(distance, [0.5, 0.95])
        found = distance <= DEFAULT_LIMIT
        figures = f"{found.mean():7.1%} {median:7.0f} {most:5.0f} {distance.max():5}   {(found & alike).mean():15.1%}"
        print(f"{name:34} {figures}", flush=True)


def confusion(hashes: list[str], patients: np.ndarray, names: list[str], images: list[np.ndarray]) -> None:
    own = bits(hashes)
    first, second = np.triu_indices(len(own), 1)
    distance = np.concatenate([np.bitwise_count(own[i + 1 :] ^ own[i]).sum(axis=1) for i in range(len(own))])
    for kind, chosen in (
        ("of one patient", patients[first] == patients[second]),
        ("of two", patients[first] != patients[second]),
    ):
        near = np.sort(distance[chosen])
        ranks = [rank for rank in (1, 10, 100, 1000, 10_000) if rank <= len(near)]
        nearest = ", ".join(f"{near[rank - 1]} ({rank})" for rank in ranks)
        print(f"{len(near)} pairs {kind}: {(near <= DEFAULT_LIMIT).sum()} within {DEFAULT_LIMIT}; nearest (rank): {nearest}")
    near = np.sort(distance[patients[first] != patients[second]]).astype(float)
    ranks = np.array([10, 30, 100, 300, 1000])
    slope, start = np.polyfit(near[ranks - 1], np.log(ranks / len(near)), 1)
    for rows in (112_120, 1_000_000):
        expected = np.exp(start + slope * DEFAULT_LIMIT) * rows * (rows - 1) / 2
        print(f"pairs of two patients within {DEFAULT_LIMIT} among {rows} images, by the tail's slope: {expected:.0f}")
    pairs = near_duplicates(hashes)
    kept = verify(pairs, lambda row: images[row])
    print(f"found: {len(pairs)} pairs, {len(kept)} of them alike in their pixels")
    for a, b, bits_apart in zip(pairs.first, pairs.second, pairs.distance, strict=True):
        print(f"  {names[a]} {names[b]}: {bits_apart} bits, likeness {likeness(images[a], images[b]):.2f}")
    closest = np.argsort(np.where(patients[first] != patients[second], distance, HASH_BITS), kind="stable")[:300]
    alike = np.array([likeness(images[first[i]], images[second[i]]) for i in closest])
    share = f"{(alike >= SAME_PICTURE).mean():.1%} at {SAME_PICTURE} or above"
    print(f"likeness of the 300 nearest pairs of two patients: median {np.median(alike):.2f}, {share}")


def drawn(images: list[np.ndarray], rows: int) -> list[str]:
    """Hashes like those of the images, the last fiftieth disturbed copies of the first."""
    generator = np.random.default_rng(0)
    vertical, horizontal, taper = _tables()
    grids = np.stack([_reduced(image) for image in images])
    centred = grids - ((taper * grids).sum(axis=(1, 2)) // taper.sum())[:, None, None]
    waves = (vertical @ centred @ horizontal.T).reshape(len(images), -1).astype(np.float32)
    mean, packed = waves.mean(axis=0), []
    for start in range(0, rows, 20_000):
        chosen = generator.integers(0, len(waves), (4, min(20_000, rows - start)))
        packed.append(np.packbits(sum(waves[c] - mean for c in chosen) / 2 + mean > 0, axis=1))
    result, copies = np.concatenate(packed), rows // 50
    result[-copies:] = result[:copies] ^ np.packbits(generator.random((copies, HASH_BITS)) < 0.05, axis=1)
    return [row.tobytes().hex() for row in result]


def brute_force(hashes: list[str], part: int) -> tuple[float, int]:
    own = bits(hashes[-part:])
    start = time.perf_counter()
    found = sum(int((np.bitwise_count(own[i + 1 :] ^ own[i]).sum(axis=1) <= DEFAULT_LIMIT).sum()) for i in range(len(own)))
    return time.perf_counter() - start, found


def peak() -> float:
    # not ru_maxrss, which a new process takes over from the one that started it
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 2**10


def searched(hashes: list[str]) -> tuple[float, float, float, np.ndarray]:
    """In a process of its own: seconds, the peak before and after in MiB, and each pair as a number."""
    before, start = peak(), time.perf_counter()
    pairs = near_duplicates(hashes)
    return time.perf_counter() - start, before, peak(), pairs.first * len(hashes) + pairs.second


def search(hashes: list[str], part: int) -> None:
    rows, copies = len(hashes), len(hashes) // 50
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        seconds, before, after, pairs = pool.submit(searched, hashes).result()
    hits = int(np.isin(np.arange(copies) * rows + np.arange(rows - copies, rows), pairs).sum())
    own = bits(hashes)
    due = int((np.bitwise_count(own[:copies] ^ own[-copies:]).sum(axis=1) <= DEFAULT_LIMIT).sum())
    print(
        f"{rows:8} hashes: {seconds:5.1f} s, {hits} of {due} planted pairs within the limit, {len(pairs) - hits} others;",
        end="",
    )
    print(f" peak of the process {before:.0f} MiB before, {after:.0f} MiB after", flush=True)
    taken, found = brute_force(hashes, part)
    alone, square = len(near_duplicates(hashes[-part:])), taken * (rows / part) ** 2
    print(
        f"{'':8} brute force on {part}: {taken:.1f} s, {found} pairs (the search: {alone}); by the square {square:.0f} s on all"
    )


def timed(images: list[np.ndarray]) -> None:
    for size in (224, 512, 1024):
        for name, factor, dtype in (("8 bit", 1, np.uint8), ("16 bit", 257, np.uint16)):
            versions = [cv2.resize(image, (size, size)).astype(dtype) * dtype(factor) for image in images[:50]]
            runs = []
            for _ in range(5):
                start = time.perf_counter()
                for version in versions:
                    perceptual_hash(version)
                runs.append((time.perf_counter() - start) / len(versions) * 1000)
            print(f"hash at {size} pixels, {name}: {np.median(runs):.3f} ms")
    start = time.perf_counter()
    for a, b in zip(images[:50], images[50:100], strict=True):
        likeness(a, b)
    print(f"likeness of a pair at {SIZE} pixels: {(time.perf_counter() - start) / 50 * 1000:.2f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--patient", default="[^_]+", help="what in the beginning of a file's name tells the patient")
    parser.add_argument("--sample", type=int, default=250, help="images that are disturbed")
    parser.add_argument("--rows", type=int, nargs="*", default=[100_000, 1_000_000])
    parser.add_argument("--part", type=int, default=20_000, help="hashes that brute force compares")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    paths = sorted(path for path in arguments.folder.iterdir() if path.suffix in (".png", ".jpg", ".jpeg"))
    sources = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths]
    images = [canonical(source, SIZE, "pad") for source in sources]
    patients = np.array([match.group() if (match := re.match(arguments.patient, path.name)) else path.name for path in paths])
    print(
        f"{datetime.now():%Y-%m-%d}, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, ", end=""
    )
    print(f"NumPy {np.__version__}, OpenCV {cv2.__version__}; {len(paths)} images of {len(set(patients))} patients")
    timed(images)
    hashes = [perceptual_hash(image) for image in images]
    confusion(hashes, patients, [path.stem for path in paths], images)
    chosen = np.random.default_rng(0).choice(len(sources), min(arguments.sample, len(sources)), replace=False)
    recall([sources[i] for i in chosen])
    print()
    like = [drawn(images, rows) for rows in arguments.rows]
    del images, sources
    for texts in like:
        search(texts, min(arguments.part, len(texts)))


if __name__ == "__main__":
    main()
