"""A user's words mean one store, one run, one version, or are refused."""

from __future__ import annotations

import pytest

from cxr.errors import ConfigError
from cxr.tracking.find import find_run, find_version, open_store
from cxr.tracking.registry import Registry, Source
from cxr.tracking.runs import Runs
from cxr.tracking.store import Tracking


@pytest.fixture
def tracking(workspace):
    return Tracking(workspace, "past")


@pytest.fixture
def pipeline(tracking, tmp_path):
    """A parent run with the run of a stage, which has a file."""
    parent = tracking.open("hospital 3 May")
    child = tracking.open("split", parent=parent.run_id)
    (tmp_path / "split.csv").write_text("split")
    child.artifact(tmp_path / "split.csv")
    return parent


def test_a_stage_is_found_whether_the_run_made_it_or_used_it_again(pipeline, tracking, tmp_path):
    runs = Runs(tracking)
    own = runs.stage(find_run(runs, pipeline.run_id), "split")
    assert runs.fetch(own.run_id, "split.csv", tmp_path).read_text() == "split"
    later = tracking.open("hospital 4 May")
    later.tag("reused.split", own.run_id)
    assert runs.stage(find_run(runs, "hospital 4 May"), "split") == own
    assert runs.stage(find_run(runs, "hospital 4 May"), "train") is None


@pytest.mark.parametrize("by", ["@champion", "/1"])
def test_a_version_is_found_by_alias_and_by_number(pipeline, tracking, by):
    registry = Registry(tracking)
    registry.make_model("chest")
    registry.make_version("chest", Source("file:///nowhere", pipeline.run_id), {})
    registry.point("chest", "champion", 1)
    name, version = find_version(registry, f"models:/chest{by}")
    assert (name, version.number, version.run_id) == ("chest", 1, pipeline.run_id)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("models:/nobody@champion", "no registered model 'nobody'"),
        ("models:/chest@champion", "'chest' has no such version"),
        ("models:/chest/3", "'chest' has no such version"),
        ("models:/chest", "'chest' has no such version"),
    ],
)
def test_a_version_that_there_is_not_is_refused(tracking, text, problem):
    registry = Registry(tracking)
    registry.make_model("chest")
    with pytest.raises(ConfigError, match=problem):
        find_version(registry, text)


def test_folder_without_runs_is_refused_and_no_store_is_made_in_it(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(ConfigError, match="no runs are kept here"):
        open_store(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
