"""A logged model: made once, whatever is interrupted, and linked to the runs whose pages are to show it."""

from __future__ import annotations

import pytest

from cxr.tracking.model import MODEL_ID
from cxr.tracking.store import Tracking


@pytest.fixture
def tracking(workspace):
    return Tracking(workspace, "models", labels=["Nodule/Mass"])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model" / "data").mkdir(parents=True)
    (tmp_path / "model" / "MLmodel").write_text("flavors: {}\n")
    (tmp_path / "model" / "data" / "weights").write_text("1")
    return tmp_path / "model"


@pytest.fixture
def runs(tracking):
    parent = tracking.open("parent")
    return parent, tracking.open("calibrate", parent=parent.run_id)


def models(tracking):
    return tracking.client.search_logged_models([tracking.experiment_id])


def outputs(tracking, run):
    return [output.model_id for output in tracking.client.get_run(run.run_id).outputs.model_outputs]


def test_model_has_its_files_and_is_linked_to_its_run_and_the_parent(tracking, runs, folder):
    parent, run = runs
    model_id = run.log_model(folder, "model")
    (model,) = models(tracking)
    assert (model.model_id, model.name, str(model.status), model.source_run_id) == (model_id, "model", "READY", parent.run_id)
    paths = [entry.path for entry in tracking.client.list_logged_model_artifacts(model_id)]
    assert sorted(paths) == ["MLmodel", "data"]
    for each in runs:
        assert outputs(tracking, each) == [model_id]
        assert each.tags()[MODEL_ID] == model_id


def test_resumed_run_does_not_log_it_twice(tracking, runs, folder):
    parent, run = runs
    model_id = run.log_model(folder, "model")
    again = tracking.open("calibrate", resume=run.run_id, parent=parent.run_id)
    assert again.log_model(folder, "model") == model_id
    assert len(models(tracking)) == 1
    assert outputs(tracking, parent) == outputs(tracking, run) == [model_id]


@pytest.mark.parametrize("step", ["log_model_artifacts", "finalize_logged_model", "log_outputs"])
def test_run_killed_while_it_logs_goes_on_with_the_same_model(tracking, runs, folder, monkeypatch, step):
    def die(*_):
        raise KeyboardInterrupt

    parent, run = runs
    with monkeypatch.context() as patch:
        patch.setattr(type(tracking.client), step, die)
        with pytest.raises(KeyboardInterrupt):
            run.log_model(folder, "model")
    assert MODEL_ID not in parent.tags(), "the pipeline does not name a model that is not whole"
    again = tracking.open("calibrate", resume=run.run_id, parent=parent.run_id)
    model_id = again.log_model(folder, "model")
    assert [(model.model_id, str(model.status)) for model in models(tracking)] == [(model_id, "READY")]
    assert parent.tags()[MODEL_ID] == model_id


def test_figures_logged_later_stand_on_the_models_page_with_the_data_they_are_of(tracking, runs, folder):
    parent, run = runs
    model_id = run.log_model(folder, "model")
    run.dataset("manifest-test", "f" * 64, "evaluation", {"images": 3})
    parent.metrics({"test/auroc/Nodule/Mass": 0.8, "best/epoch": 3.0}, model_id=model_id)
    shown = {(metric.key, metric.value, metric.dataset_name, metric.dataset_digest) for metric in models(tracking)[0].metrics}
    assert shown == {("test/auroc/Nodule Mass", 0.8, "manifest-test", "f" * 36), ("best/epoch", 3.0, None, None)}
    assert tracking.client.get_run(parent.run_id).data.metrics == {"test/auroc/Nodule Mass": 0.8, "best/epoch": 3.0}


def test_model_is_linked_to_a_later_run_once(tracking, runs, folder):
    model_id = runs[1].log_model(folder, "model")
    later = tracking.open("later")
    for _ in range(2):
        later.link_model(model_id)
    assert outputs(tracking, later) == [model_id]
    assert later.tags()[MODEL_ID] == model_id
    assert tracking.has_model(model_id)
    assert not tracking.has_model("m-" + "0" * 32)
