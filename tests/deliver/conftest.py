"""A small calibrated model, and what it makes of phantom studies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from pydicom.dataset import Dataset

from cxr.deliver.deliver import Deliverer, Delivery
from cxr.deliver.receipt import Receipt
from cxr.deliver.study import find_studies
from cxr.errors import DataError
from cxr.ingest.source.folder import files_of
from tests.serve.models import chest, write_model

pytest.importorskip("highdicom", reason="the extra dicom is not installed")


@pytest.fixture(autouse=True)
def _one_thread(one_torch_thread: None) -> None:
    """Every test of this folder."""


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model.safetensors")


class Kept:
    """A destination that keeps what it is sent, but for the kinds that it refuses; it stops at a kind that it fails at."""

    def __init__(self, refuses: str = "", fails: str = "") -> None:
        self.objects: list[Dataset] = []
        self.refuses, self.fails = refuses, fails

    def send(self, objects: Sequence[Dataset]) -> tuple[Receipt, ...]:
        if any(each.Modality == self.fails for each in objects):
            raise DataError("it is gone")
        self.objects += [each for each in objects if each.Modality != self.refuses]
        return tuple(Receipt(str(each.SOPInstanceUID), "no" * (each.Modality == self.refuses)) for each in objects)


@dataclass(frozen=True)
class Delivered:
    deliveries: list[Delivery]
    objects: list[Dataset]

    @property
    def reports(self) -> list[Dataset]:
        return [each for each in self.objects if each.Modality == "SR"]


def _nothing(done: int, total: int, text: str = "") -> None:
    """No progress is shown."""


@pytest.fixture
def deliver(tmp_path: Path, model_file: Path) -> Callable[..., Delivered]:
    """Delivers the files given, as bytes, from a new folder."""

    def run(files: Sequence[bytes], *, maps: Sequence[str] = (), model: Path = model_file, refuses: str = "") -> Delivered:
        folder = tmp_path / f"in{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        for number, file in enumerate(files):
            (folder / f"{number}.dcm").write_bytes(file)
        kept = Kept(refuses)
        given = find_studies([files_of(folder)], _nothing)
        return Delivered(list(Deliverer(model, torch.device("cpu"), maps).deliver(given.studies, kept)), kept.objects)

    return run


@pytest.fixture
def report(deliver: Callable[..., Delivered]) -> Callable[..., Dataset]:
    """The one report on files."""

    def build(*files: bytes) -> Dataset:
        (found,) = deliver(files or [chest(0)]).reports
        return found

    return build
