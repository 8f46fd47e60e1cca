"""A working folder that was moved: old artefacts open again, new ones lie in the new place, foreign stores stay as they are."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from mlflow.tracking._tracking_service import utils

from cxr.tracking.moved import _ADDRESSES, follow
from cxr.tracking.store import Tracking, artifact_folder


@pytest.fixture
def filled(workspace, tmp_path):
    """A workspace with a run that has a file, a logged model and a registered version of it, at a place with odd signs."""
    odd = workspace.rename(tmp_path / "a 50% [b] ü_")
    tracking = Tracking(odd, "small")
    run = tracking.open("first")
    (tmp_path / "report.html").write_text("old")
    run.artifact(tmp_path / "report.html")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "MLmodel").write_text("flavors: {}\n")
    model_id = run.log_model(tmp_path / "model", "model")
    tracking.client.create_registered_model("small")
    location = tracking.client.get_logged_model(model_id).artifact_location
    tracking.client.create_model_version("small", location, run.run_id, model_id=model_id)
    return odd, run.run_id, model_id


def fetch(tracking: Tracking, run_id: str, name: str, folder: Path) -> str:
    folder.mkdir()
    return Path(tracking.client.download_artifacts(run_id, name, str(folder))).read_text()


def test_artefacts_of_runs_models_and_versions_open_after_a_move(filled, tmp_path):
    from mlflow.artifacts import download_artifacts

    odd, run_id, model_id = filled
    moved = odd.rename(tmp_path / "elsewhere")
    tracking = Tracking(moved, "small")
    client = tracking.client
    utils._artifact_repos_cache.clear()  # of this process: a moved folder is opened by another one
    assert [entry.path for entry in client.list_artifacts(run_id)] == ["report.html"]
    assert fetch(tracking, run_id, "report.html", tmp_path / "1") == "old"
    assert [entry.path for entry in client.list_logged_model_artifacts(model_id)] == ["MLmodel"]
    uri = client.get_model_version_download_uri("small", "1")
    got = download_artifacts(uri, dst_path=str(tmp_path / "version"), tracking_uri=tracking.uri)
    assert (Path(got) / "MLmodel").exists()
    assert client.get_model_version("small", "1").source == uri, "both of its addresses"


def test_new_artefacts_lie_in_the_new_place(filled, tmp_path):
    odd, _, _ = filled
    moved = odd.rename(tmp_path / "elsewhere")
    run = Tracking(moved, "small").open("second")
    run.artifact(tmp_path / "report.html")
    assert len(list(moved.rglob("report.html"))) == 2
    assert not odd.exists()


def test_moved_again_and_back_it_still_opens(filled, tmp_path):
    odd, run_id, _ = filled
    for step, place in enumerate((tmp_path / "x", tmp_path / "y" / "deep", odd)):
        place.parent.mkdir(exist_ok=True)
        current = next(path for path in (odd, tmp_path / "x", tmp_path / "y" / "deep") if path.exists())
        current.rename(place)
        assert fetch(Tracking(place, "small"), run_id, "report.html", tmp_path / f"got{step}") == "old"


def test_copy_leads_to_its_own_files_and_the_original_stays_as_it_is(filled, tmp_path):
    odd, run_id, _ = filled
    before = dump(odd)
    shutil.copytree(odd, tmp_path / "copy")
    shutil.rmtree(odd / "mlartifacts")
    assert fetch(Tracking(tmp_path / "copy", "small"), run_id, "report.html", tmp_path / "got") == "old"
    assert dump(odd) == before


def test_store_that_was_not_moved_is_not_written(filled):
    odd, _, _ = filled
    before = (odd / "mlflow.db").read_bytes()
    follow(odd / "mlflow.db", artifact_folder(odd))
    assert (odd / "mlflow.db").read_bytes() == before


def test_database_without_its_artefacts_is_left_alone(filled, tmp_path):
    odd, _, _ = filled
    before = dump(odd)
    lone = tmp_path / "lone"
    lone.mkdir()
    shutil.copy(odd / "mlflow.db", lone)
    follow(lone / "mlflow.db", artifact_folder(lone))
    assert dump(lone) == before


def test_addresses_of_other_places_stay(filled, tmp_path):
    odd, _, _ = filled
    foreign = Tracking(odd, "small").client.create_experiment("foreign", (tmp_path / "share" / "x").as_uri())
    moved = odd.rename(tmp_path / "elsewhere")
    assert Tracking(moved, "small").client.get_experiment(foreign).artifact_location == (tmp_path / "share" / "x").as_uri()


def test_all_addresses_are_written_or_none(filled, tmp_path):
    odd, _, _ = filled
    moved = odd.rename(tmp_path / "elsewhere")
    with sqlite3.connect(moved / "mlflow.db") as store:
        store.execute("CREATE TRIGGER no BEFORE UPDATE ON model_versions BEGIN SELECT RAISE(ABORT, 'no'); END")
    before = dump(moved)
    with pytest.raises(sqlite3.IntegrityError):
        follow(moved / "mlflow.db", artifact_folder(moved))
    assert dump(moved) == before


def test_store_of_another_version_of_mlflow_is_followed_as_far_as_it_has_the_columns(tmp_path):
    artifacts = tmp_path / "new" / "mlartifacts"
    artifacts.mkdir(parents=True)
    with sqlite3.connect(tmp_path / "mlflow.db") as store:
        store.execute("CREATE TABLE experiments (artifact_location TEXT)")
        store.execute("INSERT INTO experiments VALUES ('file:///old/mlartifacts/small')")
    follow(tmp_path / "mlflow.db", artifacts)
    with sqlite3.connect(tmp_path / "mlflow.db") as store:
        assert store.execute("SELECT * FROM experiments").fetchall() == [(f"{artifacts.as_uri()}/small",)]


def dump(workspace: Path) -> list[tuple[str, ...]]:
    with sqlite3.connect(workspace / "mlflow.db") as store:
        queries = (f"SELECT {', '.join(columns)} FROM {table}" for table, columns in _ADDRESSES.items())
        return [row for query in queries for row in store.execute(query)]
