from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cxr.bundle.transforms import DecideFindingsd, NotScoredError, ReadRadiographd
from cxr.errors import DataError
from cxr.ingest.read import canonical, normalise
from cxr.ingest.store import Preprocessing
from cxr.monai_gate import monai
from cxr.predict.read import read_picture
from tests.serve.models import chest

MADE = {"size": 32, "fit": "pad", "normaliser": normalise.VERSION, "canonical": canonical.VERSION}
DECIDE = DecideFindingsd("pred", ["a", "b", "c"], [0.3, 0.5, None])


@pytest.fixture
def read() -> ReadRadiographd:
    return ReadRadiographd("image", **MADE)


@pytest.mark.parametrize("kind", ["path", "text", "bytes", "array", "tensor"])
def test_a_file_becomes_the_image_that_ingest_makes_of_it(read: ReadRadiographd, tmp_path: Path, kind: str) -> None:
    (tmp_path / "a.dcm").write_bytes(chest(3))
    array = np.frombuffer(chest(3), np.uint8)
    given: dict[str, Any] = {
        "path": tmp_path / "a.dcm",
        "text": str(tmp_path / "a.dcm"),
        "bytes": chest(3),
        "array": array,
        "tensor": monai.data.MetaTensor(torch.from_numpy(array.copy())),
    }
    found = read({"image": given[kind], "other": 1})
    expected = read_picture(chest(3), Preprocessing(**MADE))
    assert isinstance(found["image"], monai.data.MetaTensor)
    assert found["image"].dtype == torch.float32
    assert found["image"].numpy() == pytest.approx(expected.image[np.newaxis])
    assert found["image_codes"] == expected.origin.codes
    assert found["other"] == 1


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (chest(ViewPosition="LL"), "the view is lateral"),
        (chest(BodyPartExamined="HAND"), "not the chest"),
        (b"no DICOM", "cannot be read"),
        (chest()[:-200], ""),
        (b"", "the file is empty"),
        ("nowhere.dcm", "could not be read"),
    ],
)
def test_a_file_that_is_not_taken_is_an_error_with_the_reason_and_gives_no_image(read, file: Any, reason: str) -> None:
    with pytest.raises(NotScoredError, match=f"not scored: .*{reason}"):
        read({"image": file})


@pytest.mark.parametrize("pixels", [np.zeros((32, 32), np.uint8), torch.zeros(1, 32, 32), np.zeros(9), 7])
def test_pixels_without_their_header_are_refused(read: ReadRadiographd, pixels: Any) -> None:
    with pytest.raises(DataError, match="pixels alone do not tell the view"):
        read({"image": pixels})


@pytest.mark.parametrize("name", ["normaliser", "canonical"])
def test_images_made_in_another_way_than_the_models_are_refused_before_any_file_is_read(name: str) -> None:
    with pytest.raises(DataError, match=f"trained on images with {name} 99"):
        ReadRadiographd("image", **{**MADE, name: 99})


def test_a_yes_is_a_probability_of_at_least_the_threshold_and_a_label_without_one_gets_none() -> None:
    found = DECIDE({"pred": torch.tensor([0.3, 0.49999, 0.9], dtype=torch.float64)})
    assert found["decisions"] == {"a": True, "b": False, "c": None}
    assert found["pred"].tolist() == [0.3, 0.49999, 0.9]
    assert isinstance(found["pred"], monai.data.MetaTensor)


@pytest.mark.parametrize("values", [[0.1, float("nan"), 0.2], [0.1, 1.1, 0.2], [0.1, 0.2]])
def test_what_is_no_probability_is_never_decided_on(values: list[float]) -> None:
    with pytest.raises(DataError, match="no probabilities"):
        DECIDE({"pred": torch.tensor(values, dtype=torch.float64)})


def test_each_label_needs_its_threshold() -> None:
    with pytest.raises(DataError, match="1 thresholds for 2 labels"):
        DecideFindingsd("pred", ["a", "b"], [0.5])
