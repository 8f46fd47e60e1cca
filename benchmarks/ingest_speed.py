"""How fast one core reads DICOM files to stored images, paired with the way it is usually written.

    python benchmarks/ingest_speed.py [--files 6] [--repeats 5]

Ours is the shard of the ingest stage: bytes, checksum, header, rules, decoder, normaliser, orientation, quality, resize,
records, store. The other way is dcmread, pixel_array, apply_voi_lut, Pillow, PNG, with the decoders that pydicom finds
(here: python-gdcm, which has to be installed beside cxr). Both take turns on one core; medians over the repeats. Then two
workers against one, on the uncompressed files, starting the processes included.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from datetime import datetime
from pathlib import Path

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import cv2
import numpy as np
import pydicom
from PIL import Image
from pydicom import uid
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_voi_lut

from cxr.config import IngestConfig
from cxr.config_sources import PhantomSource
from cxr.ingest.deidentify import Pseudonyms
from cxr.ingest.engine import read_shards
from cxr.ingest.read import canonical, normalise
from cxr.ingest.read.decode import decode
from cxr.ingest.read.dicom import ReadOptions
from cxr.ingest.read.part10 import parse
from cxr.ingest.shard import Reading, ShardTask, process_shard
from cxr.ingest.source.folder import files_of
from cxr.ingest.store import Preprocessing
from cxr.phantom.encoding import ENCODERS
from cxr.phantom.plan import plan_cohort
from cxr.phantom.render import render

ROWS, COLUMNS, SIZE = 2500, 2048, 512
SYNTAXES = {
    "native": uid.ExplicitVRLittleEndian,
    "RLE": uid.RLELossless,
    "JPEG lossless": uid.JPEGLosslessSV1,
    "JPEG-LS": uid.JPEGLSLossless,
    "JPEG 2000": uid.JPEG2000Lossless,
}


def pictures(count: int) -> list[np.ndarray]:
    """uint16 [ROWS, COLUMNS] of 12 bits: phantoms with the noise of a detector."""
    source = PhantomSource(kind="phantom", patients=max(10, count), matrix=ROWS, broken_files=0)
    planned = plan_cohort(source, seed=1).good[:count]
    generator = np.random.default_rng(0)
    result = []
    for image in planned:
        picture = render(image.anatomy, image.pose, image.severities, (ROWS, COLUMNS), image.seed).picture
        noisy = 200 + 3500 * picture + generator.normal(0, 8, picture.shape)
        result.append(np.clip(noisy, 0, 4095).astype(np.uint16))
    return result


def write(folder: Path, syntax: uid.UID, images: list[np.ndarray]) -> list[Path]:
    folder.mkdir()
    paths = []
    for number, words in enumerate(images):
        header = pydicom.Dataset()
        header.file_meta = pydicom.dataset.FileMetaDataset()
        header.file_meta.TransferSyntaxUID = syntax
        header.SOPClassUID = header.file_meta.MediaStorageSOPClassUID = uid.DigitalXRayImageStorageForPresentation
        header.SOPInstanceUID = header.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
        header.StudyInstanceUID, header.PatientID, header.Modality = f"1.2.4.{number}", f"p{number}", "DX"
        header.BodyPartExamined, header.ViewPosition, header.PatientOrientation = "CHEST", "PA", ["L", "F"]
        header.Rows, header.Columns = words.shape
        header.SamplesPerPixel, header.PhotometricInterpretation, header.PixelRepresentation = 1, "MONOCHROME2", 0
        header.BitsAllocated, header.BitsStored, header.HighBit = 16, 12, 11
        header.WindowCenter, header.WindowWidth = "2000", "3600"
        if syntax.is_encapsulated:
            header.PixelData = encapsulate([bytes(ENCODERS[syntax](words, 12))])
        else:
            header.PixelData = words.tobytes()
        header["PixelData"].VR = "OB" if syntax.is_encapsulated else "OW"
        header["PixelData"].is_undefined_length = syntax.is_encapsulated
        path = folder / f"{number}.dcm"
        header.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def usual(paths: list[Path], out: Path) -> None:
    for path in paths:
        header = pydicom.dcmread(path)
        shown = apply_voi_lut(header.pixel_array, header)
        shown = (shown - shown.min()) / (shown.max() - shown.min()) * 255
        if header.PhotometricInterpretation == "MONOCHROME1":
            shown = 255 - shown
        image = Image.fromarray(shown.astype(np.uint8))
        scale = SIZE / max(image.size)
        small = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
        small.save(out / f"{path.stem}.png")


def task(folder: Path, names: list[str], out: Path, shard: int = 0) -> ShardTask:
    out.mkdir(parents=True, exist_ok=True)
    reading = Reading(
        files=files_of(folder),
        kind="dicom",
        pseudonyms=Pseudonyms("bench", bytes(32)),
        layout=None,
        options=ReadOptions(),
        preprocessing=Preprocessing(SIZE, "pad", normalise.VERSION, canonical.VERSION),
        store=out,
        records=out,
    )
    return ShardTask(shard, tuple(names), reading)


def timed(call, *arguments) -> float:
    start = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - start


def compare_syntaxes(root: Path, images: list[np.ndarray], repeats: int) -> None:
    print(f"{'':14} {'usual, ms':>10} {'ours, ms':>10} {'decoder':>8} {'ratio':>6}   range of the ratio")
    for name, syntax in SYNTAXES.items():
        paths = write(root / name, syntax, images)
        other, own, decoder = [], [], []
        headers = [parse(path.read_bytes()).header for path in paths]
        for repeat in range(repeats + 1):
            out = root / f"{name}-{repeat}"
            out.mkdir()
            a = timed(usual, paths, out)
            b = timed(process_shard, task(root / name, [path.name for path in paths], out), lambda item, limited=True: None)
            if repeat:  # the first warms caches and imports
                other.append(a / len(paths) * 1000)
                own.append(b / len(paths) * 1000)
                decoder.append(timed(lambda h=headers: [decode(header) for header in h]) / len(paths) * 1000)
        ratios = sorted(a / b for a, b in zip(other, own, strict=True))
        figures = "{:10.1f} {:10.1f} {:8.1f} {:6.2f}".format(*map(statistics.median, (other, own, decoder, ratios)))
        print(f"{name:14} {figures}   {ratios[0]:.2f} to {ratios[-1]:.2f}", flush=True)


def compare_workers(root: Path, copies: int, repeats: int) -> None:
    names = sorted(path.name for path in (root / "native").iterdir()) * copies
    ratios = []
    for repeat in range(repeats):
        seconds = []
        for workers in (1, 2):
            shards = [names[start : start + 16] for start in range(0, len(names), 16)]
            tasks = [task(root / "native", part, root / f"w{workers}-{repeat}", i) for i, part in enumerate(shards)]
            seconds.append(timed(lambda t=tasks, w=workers: list(read_shards(t, IngestConfig(workers=w)))))
        ratios.append(seconds[0] / seconds[1])
        print(f"{len(names)} native files: one worker {seconds[0]:.1f} s, two {seconds[1]:.1f} s, ratio {ratios[-1]:.2f}")
    print(f"median ratio {statistics.median(ratios):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--copies", type=int, default=192, help="of each native file, to compare workers; 0: not")
    arguments = parser.parse_args()
    print(
        f"{datetime.now():%Y-%m-%d}, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, ", end=""
    )
    print(f"pydicom {pydicom.__version__}, OpenCV {cv2.__version__}; {ROWS} x {COLUMNS}, 12 bit in 16, to {SIZE} pixels")
    cv2.setNumThreads(1)
    everywhere = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        images = pictures(arguments.files)
        os.sched_setaffinity(0, {min(everywhere)})
        compare_syntaxes(root, images, arguments.repeats)
        os.sched_setaffinity(0, everywhere)
        if arguments.copies:
            compare_workers(root, arguments.copies, 3)


if __name__ == "__main__":
    main()
