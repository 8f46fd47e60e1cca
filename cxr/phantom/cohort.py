"""Writing a cohort: DICOM files, the label table a hospital would give, and the truth it could not.

A folder holds

* ``dicom/patient-0007/image-000123.dcm``: the files, good and broken;
* ``dicom/labels.csv``: ``SOPInstanceUID`` and a column per finding, with 1, 0, -1 (uncertain) or blank, for every file;
* ``truth.csv``: for every good file what is truly there, 0 or 1, and how severe, and how the file is encoded;
* ``broken.csv``: the broken files and what is wrong with each;
* ``masks/<SOPInstanceUID>.png``: for every good file where the findings are, uint8 [rows, columns], bit j (value 2**j)
  for the finding j in the order of the label table's columns; findings may overlap.
"""

from __future__ import annotations

import csv
import multiprocessing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from cxr.config_sources import PhantomSource
from cxr.errors import DataError
from cxr.phantom.broken import DEFECTS
from cxr.phantom.canvas import Mask
from cxr.phantom.dicom import build_dicom, write_dicom
from cxr.phantom.findings import FINDINGS
from cxr.phantom.plan import CohortPlan, PlannedImage, plan_cohort
from cxr.phantom.render import render
from cxr.stage import Progress

_BATCH = 8
"""Images that a process takes at a time."""


def write_cohort(folder: Path, source: PhantomSource, seed: int, progress: Progress | None = None) -> CohortPlan:
    """Write a cohort into an existing folder; see the module for what it then holds.

    Equal sources and seeds give equal bytes, whatever `source.workers` is; files that are already there are replaced.

    Args:
        folder: an existing folder.
        source: size and dirt of the cohort.
        seed: any whole number that is not negative.
        progress: told how many files are written.

    Raises:
        OSError: a file cannot be written.
    """
    plan = plan_cohort(source, seed)
    for name in sorted({str(Path(image.file).parent) for image in plan.images}):
        (folder / "dicom" / name).mkdir(parents=True, exist_ok=True)
    (folder / "masks").mkdir(exist_ok=True)
    for done, _ in enumerate(_write_images(folder, plan, source.workers), start=1):
        if progress is not None:
            progress(done, len(plan.images), "radiographs drawn")
    _write_tables(folder, plan)
    return plan


def _write_images(folder: Path, plan: CohortPlan, workers: int) -> Iterator[None]:
    folders = [folder] * len(plan.images)
    if workers == 1:
        yield from map(write_image, folders, plan.images)
        return
    # not forked: the parent may run threads, of MLflow or of torch, that a forked child would inherit dead
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        yield from pool.map(write_image, folders, plan.images, chunksize=_BATCH)


def write_image(folder: Path, image: PlannedImage) -> None:
    """Render one image and write its file and, if it is a good one, its mask.

    Raises:
        OSError: a file cannot be written.
    """
    radiograph = render(image.anatomy, image.pose, image.severities, image.shape, image.seed)
    dataset = build_dicom(radiograph.picture, image.examination, image.encoding)
    path = folder / "dicom" / image.file
    if image.defect is not None:
        path.write_bytes(DEFECTS[image.defect](dataset))
        return
    write_dicom(path, dataset)
    write_masks(folder / "masks" / f"{image.examination.instance_uid}.png", radiograph.masks, image.shape)


def write_masks(path: Path, masks: Mapping[str, Mask], shape: tuple[int, int]) -> None:
    """Write masks as one PNG whose bit j is the finding j of `FINDINGS`.

    Args:
        path: the file.
        masks: bool [rows, columns] of each finding that is present.
        shape: rows and columns.

    Raises:
        OSError: the file cannot be written.
    """
    bits: npt.NDArray[np.uint8] = np.zeros(shape, np.uint8)
    for bit, name in enumerate(FINDINGS):
        if name in masks:
            bits |= masks[name].astype(np.uint8) << bit
    _, encoded = cv2.imencode(".png", bits, [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE])
    path.write_bytes(encoded.tobytes())


def read_masks(path: Path) -> dict[str, Mask]:
    """Read the file of `write_masks`: bool [rows, columns] for every finding, all False where it is absent.

    Raises:
        OSError: the file cannot be read.
        DataError: it is no mask file.
    """
    bits = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if bits is None or bits.ndim != 2 or bits.dtype != np.uint8:
        raise DataError(f"{path}: not a mask file, which is a PNG of 8-bit grey values")
    return {name: np.asarray(np.bitwise_and(bits, 1 << bit) > 0, np.bool_) for bit, name in enumerate(FINDINGS)}


def _write_tables(folder: Path, plan: CohortPlan) -> None:
    labels = [[image.examination.instance_uid, *image.cells] for image in plan.images]
    _write_csv(folder / "dicom" / "labels.csv", ["SOPInstanceUID", *FINDINGS], labels)
    columns = ["SOPInstanceUID", "file", "patient", "view", "transfer_syntax", "photometric", "bits"]
    columns += [*FINDINGS, *(f"{name}_severity" for name in FINDINGS)]
    _write_csv(folder / "truth.csv", columns, (_truth_row(image) for image in plan.good))
    broken = [[image.examination.instance_uid, image.file, image.defect] for image in plan.broken]
    _write_csv(folder / "broken.csv", ["SOPInstanceUID", "file", "defect"], broken)


def _truth_row(image: PlannedImage) -> list[object]:
    person, encoding = image.examination, image.encoding
    row: list[object] = [person.instance_uid, image.file, f"PHANTOM-{person.patient:04d}", person.view]
    row += [str(encoding.transfer_syntax), encoding.photometric, encoding.bits]
    row += [int(name in image.severities) for name in FINDINGS]
    return row + [f"{image.severities.get(name, 0.0):.3f}" for name in FINDINGS]


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
