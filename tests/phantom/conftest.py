from __future__ import annotations

import datetime
from pathlib import Path

import imagecodecs
import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from pydicom import uid
from pydicom.dataset import Dataset

from cxr.config_sources import PhantomSource
from cxr.phantom.anatomy import Anatomy, draw_anatomy
from cxr.phantom.canvas import Canvas, Pose
from cxr.phantom.cohort import write_cohort
from cxr.phantom.header import Examination, derived_uid
from cxr.phantom.plan import CohortPlan
from cxr.phantom.thorax import Thorax, build_thorax

SHAPE = (192, 160)
_DECODERS = {
    uid.JPEGLSLossless: imagecodecs.jpegls_decode,
    uid.JPEGLosslessSV1: imagecodecs.jpegsof3_decode,
    uid.JPEG2000Lossless: imagecodecs.jpeg2k_decode,
    uid.HTJ2KLossless: imagecodecs.htj2k_decode,
    uid.JPEGBaseline8Bit: imagecodecs.jpeg8_decode,
}


@pytest.fixture(scope="session")
def anatomy() -> Anatomy:
    return draw_anatomy(np.random.default_rng(3))


@pytest.fixture(scope="session")
def thorax(anatomy: Anatomy) -> Thorax:
    return build_thorax(anatomy, Canvas(*SHAPE, Pose(zoom=1.05)))


@pytest.fixture(scope="session")
def examination() -> Examination:
    date = datetime.date(2022, 5, 17)
    uids = (derived_uid(kind, "test") for kind in ("study", "series", "instance"))
    return Examination(7, *uids, "F", 61, datetime.date(1961, 2, 3), date, datetime.time(9, 30), "PA", 1, True)


@pytest.fixture(scope="session")
def source() -> PhantomSource:
    return PhantomSource(
        kind="phantom", patients=14, images_per_patient=2, matrix=96, broken_files=7, uncertain=0.1, blank=0.2, workers=1
    )


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory, source: PhantomSource) -> tuple[Path, CohortPlan]:
    folder = tmp_path_factory.mktemp("cohort")
    return folder, write_cohort(folder, source, seed=5)


def decode(dataset: Dataset) -> npt.NDArray[np.integer]:
    """Stored values by a decoder of imagecodecs, or by pydicom where values are stored as they are or run-length coded."""
    decoder = _DECODERS.get(dataset.file_meta.TransferSyntaxUID)
    if decoder is None:
        return dataset.pixel_array
    return decoder(pydicom.encaps.get_frame(dataset.PixelData, 0, number_of_frames=1))


def display(dataset: Dataset) -> npt.NDArray[np.float64]:
    """Grey in 0..1 as PS3.3 C.11 has it: modality values, window, polarity."""
    values = decode(dataset) * float(dataset.get("RescaleSlope", 1)) + float(dataset.get("RescaleIntercept", 0))
    if "WindowWidth" not in dataset:
        grey = values / (2**dataset.BitsStored - 1)
    elif dataset.get("VOILUTFunction", "LINEAR") == "LINEAR":
        grey = (values - (float(dataset.WindowCenter) - 0.5)) / (float(dataset.WindowWidth) - 1) + 0.5
    else:
        grey = (values - float(dataset.WindowCenter)) / float(dataset.WindowWidth) + 0.5
    grey = np.clip(grey, 0, 1)
    return 1 - grey if dataset.PhotometricInterpretation == "MONOCHROME1" else grey


@pytest.fixture(name="decode")
def decode_fixture():
    return decode


@pytest.fixture(name="display")
def display_fixture():
    return display
