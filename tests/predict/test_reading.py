"""Files that harm their reader: each costs itself alone, with its reason, through the command's own reading."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cxr.config import IngestConfig
from cxr.errors import DataError
from cxr.ingest.outcome import CODES, FileOutcome
from cxr.ingest.source.entry import LARGEST_FILE
from cxr.model.card import read_card
from cxr.predict import reading
from cxr.predict.read import Origin, preprocessing_of, read_picture
from cxr.predict.reading import Listed, NotTaken, Reading, read_batches
from tests.predict.hostile import HostileFiles
from tests.serve.models import chest, write_model

GOOD = ("a", "m", "z")


@pytest.fixture
def task(tmp_path: Path) -> Reading:
    card = read_card(write_model(tmp_path / "model.safetensors"))
    (tmp_path / "in").mkdir()
    for patient, name in enumerate((*GOOD, "once", "killer", "slow", "greedy")):
        (tmp_path / "in" / name).write_bytes(chest(patient))
    return Reading((HostileFiles(tmp_path / "in"),), "dicom", preprocessing_of(card))


def read(task: Reading, *names: str, workers: int, size: int = 2) -> tuple[dict[str, Origin | NotTaken], dict[str, np.ndarray]]:
    """What became of files, and the images of those that are taken, by name."""
    listed = [Listed(number, 0, name) for number, name in enumerate(names, start=1)]
    found, images = {}, {}
    for batch in read_batches((tuple(listed[at : at + size]) for at in range(0, len(listed), size)), task, workers):
        of_batch = iter(batch.images)
        for number, each in batch.read:
            assert names[number - 1] not in found
            found[names[number - 1]] = each
            if isinstance(each, Origin):
                images[names[number - 1]] = next(of_batch)
        assert next(of_batch, None) is None
    assert set(found) == set(names)
    return found, images


@pytest.mark.parametrize(
    ("bad", "code"), [("killer", "reader-died"), ("slow", "too-slow"), ("greedy", "too-much-memory"), ("cut", "truncated")]
)
def test_a_file_that_harms_its_reader_is_listed_with_its_reason_and_the_others_are_read(task, monkeypatch, bad, code):
    monkeypatch.setattr(reading, "IngestConfig", lambda: IngestConfig(file_seconds=2, file_megabytes=512))
    folder = task.files[0].root
    (folder / "cut").write_bytes(chest(0)[:2000])
    found, images = read(task, "a", bad, "m", "z", workers=1, size=3)
    told = found.pop(bad)
    assert isinstance(told, NotTaken)
    assert told.code == code
    assert FileOutcome(1, "", (told.code,), told.detail).sentence.startswith(CODES[code][1])
    for name in GOOD:
        assert found[name].codes == read_picture((folder / name).read_bytes(), task.preprocessing).origin.codes
        np.testing.assert_array_equal(
            images[name], read_picture((folder / name).read_bytes(), task.preprocessing).image, err_msg=name
        )


def test_a_file_whose_reader_died_once_is_read_again_and_marked(task):
    found, images = read(task, "a", "once", "m", workers=1, size=3)
    assert found["once"].codes[-1] == "read-again"
    assert "read-again" not in found["a"].codes
    assert set(images) == {"a", "once", "m"}


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_larger_than_any_radiograph_is_not_read_at_all(task, workers):
    path = task.files[0].root / "vast"
    with path.open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    found, images = read(task, "a", "vast", "z", workers=workers)
    assert found["vast"].code == "too-large"
    assert set(images) == {"a", "z"}


def test_a_source_that_has_gone_ends_the_reading_and_is_no_file_without_score(task):
    folder = task.files[0].root
    folder.rename(folder.with_name("away"))
    with pytest.raises(DataError, match="has dropped away"):
        read(task, "a", "m", workers=0)
