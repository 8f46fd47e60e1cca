"""Which maps are wanted, and that they go to a folder of their own, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cxr.errors import ConfigError, CxrError, DataError
from cxr.predict.inputs import open_inputs
from cxr.predict.networks import Wanted, open_networks
from cxr.predict.wanted_maps import WantedMaps, appearing_folder, check_folder, labels_of
from tests.serve.models import NAMES, write_model


def chosen(model: Path, text: str | None, *, uncalibrated: bool = False) -> tuple[str, ...] | None:
    return labels_of(WantedMaps(Path("maps"), text), open_networks(model, Wanted(uncalibrated=uncalibrated, device="cpu")))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model.safetensors")


def test_labels_come_in_the_order_of_the_model_whatever_the_order_asked_for(model: Path) -> None:
    assert chosen(model, None) is None
    assert chosen(model, "all") == NAMES
    assert chosen(model, f" {NAMES[2]},{NAMES[0]}, {NAMES[2]}") == (NAMES[0], NAMES[2])


def test_a_label_may_hold_a_comma_or_be_called_all(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model.safetensors", names=("Mass, large", "all", "Hernia"))
    assert chosen(model, "Mass, large") == ("Mass, large",)
    assert chosen(model, "all") == ("all",)


@pytest.mark.parametrize("text", ["mass", "Mass,", "all,Mass", ""])
def test_what_is_no_label_is_refused_with_those_there_are(model: Path, text: str) -> None:
    with pytest.raises(
        ConfigError, match=r"--maps-of: the model has no label '.*'; it has: Mass, Lung Opacity \(any\), Hernia"
    ):
        chosen(model, text)


def test_without_calibration_nothing_is_a_yes_so_that_labels_must_be_named(model: Path) -> None:
    with pytest.raises(ConfigError, match="--maps with --uncalibrated: nothing is a yes or a no"):
        chosen(model, None, uncalibrated=True)
    assert chosen(model, "Mass", uncalibrated=True) == ("Mass",)


def test_a_model_without_maps_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model.safetensors", head={"pooling": "token"})
    with pytest.raises(DataError, match=r"--maps: .* no disease maps: the head is .* with token pooling"):
        chosen(model, None)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("in", "full", "empty"):
        (tmp_path / name).mkdir()
    for name in ("in/a.dcm", "full/x", "file"):
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


@pytest.mark.parametrize(
    ("folder", "out", "problem"),
    [
        ("full", "a.csv", "--maps: full: is there, and not an empty folder"),
        ("file", "a.csv", "--maps: file: is there, and not an empty folder"),
        ("no/maps", "a.csv", "--maps: there is no folder no"),
        ("in/maps", "a.csv", "--maps: in/maps: lies in an input"),
        ("empty", "empty/a.csv", "--out: empty/a.csv: lies in the folder of --maps"),
    ],
)
def test_a_folder_that_pictures_cannot_go_to_is_refused(place: Path, folder: str, out: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        check_folder(Path(folder), Path(out), open_inputs(["in"], "dicom"))
    check_folder(Path("empty"), Path("a.csv"), open_inputs(["in"], "dicom"))
    check_folder(Path("new"), Path("a.csv"), open_inputs(["in"], "dicom"))


@pytest.mark.parametrize("name", ["new", "empty", "link"])
def test_the_folder_appears_with_all_that_is_in_it(place: Path, name: str) -> None:
    (place / "link").symlink_to("empty")
    with appearing_folder(Path(name)) as folder:
        (folder / "1.png").write_bytes(b"x")
        assert not (place / name / "1.png").exists()
    assert [path.name for path in (place / name).iterdir()] == ["1.png"]
    assert not list(place.glob(".*"))


def test_two_runs_whose_processes_have_one_number_do_not_touch_each_others_folders(place: Path) -> None:
    with appearing_folder(Path("new")) as first:
        (first / "1.png").write_bytes(b"x")
        (place / f".empty.{os.getpid()}.partial").mkdir()  # as one that was killed has left it
        with appearing_folder(Path("new")) as second, appearing_folder(Path("empty")) as third:
            assert len({first, second, third}) == 3
            (third / "3.png").write_bytes(b"x")
        assert (first / "1.png").exists()
        (place / "new").rmdir()
    assert [path.name for path in (place / "new").iterdir()] == ["1.png"]
    assert [path.name for path in (place / "empty").iterdir()] == ["3.png"]


def test_of_a_run_that_fails_nothing_is_left(place: Path) -> None:
    def fail() -> None:
        with appearing_folder(Path("new")) as folder:
            (folder / "1.png").write_bytes(b"x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert sorted(path.name for path in place.iterdir()) == ["empty", "file", "full", "in"]


def test_a_folder_that_was_filled_meanwhile_is_left_alone_and_told(place: Path) -> None:
    def meet() -> None:
        with appearing_folder(Path("empty")) as folder:
            (folder / "1.png").write_bytes(b"x")
            (place / "empty" / "other").write_bytes(b"x")

    with pytest.raises(CxrError, match="empty: cannot be written"):
        meet()
    assert [path.name for path in (place / "empty").iterdir()] == ["other"]
