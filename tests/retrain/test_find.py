"""The older model is found by a file, a pipeline's folder or a run, with the split it was made with."""

from __future__ import annotations

import pytest

from cxr.config_retrain import PromoteConfig
from cxr.decide.decision import Decision, LabelVerdict, ModelName
from cxr.errors import ConfigError
from cxr.retrain.find import Older, find_older
from cxr.tracking.store import Tracking


def put(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_file_tells_no_split(tmp_path):
    model = put(tmp_path / "model.safetensors")
    assert find_older(str(model), tmp_path) == Older(model, None)


def test_a_folder_has_the_calibrated_model_its_split_and_its_name(tmp_path):
    folder = tmp_path / "hospital"
    model, split = put(folder / "calibrate" / "model.safetensors"), put(folder / "split" / "split.csv")
    put(folder / "train" / "model.safetensors")
    assert find_older(str(folder), tmp_path) == Older(model, split, "hospital")


def test_the_name_that_the_folder_has_decided_for_comes_first(tmp_path):
    folder = tmp_path / "hospital-2026"
    put(folder / "train" / "model.safetensors")
    (folder / "decide").mkdir()
    verdict = dict.fromkeys(("auroc", "older_auroc", "difference", "low", "high", "p"))
    Decision(
        registry="hospital",
        model=ModelName(weights_sha256="a", run_id="r", labels="set"),
        older=None,
        test_data_sha256="t",
        rule=PromoteConfig(),
        labels=(LabelVerdict(label="A", older_label="", standing="new", sentence="A: new", **verdict),),
        dropped=(),
        checks=(),
        headline="h",
    ).write(folder / "decide")
    assert find_older(str(folder), tmp_path).registry == "hospital"


@pytest.mark.parametrize("text", ["nowhere.safetensors", "no/such/folder"])
def test_a_path_that_leads_nowhere_is_no_runs_id(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="no such file or folder"):
        find_older(text, tmp_path)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"a folder without calibrate/model\.safetensors"):
        find_older(str(tmp_path), tmp_path)


def test_a_run_gives_its_files(workspace, tmp_path):
    tracking = Tracking(workspace, "hospital")
    parent = tracking.open("hospital 3 May")
    for stage, name in (("calibrate", "model.safetensors"), ("split", "split.csv")):
        tracking.open(stage, parent=parent.run_id).artifact(put(tmp_path / name, stage))
    found = find_older(parent.run_id, workspace)
    assert found.model.read_text() == "calibrate"
    assert found.split.read_text() == "split"
    assert found.model.is_relative_to(workspace / "older" / parent.run_id[:8])


def test_a_run_without_a_model_is_refused(workspace):
    run = Tracking(workspace, "hospital").open("hospital 3 May")
    with pytest.raises(ConfigError, match="run 'hospital 3 May' has no model"):
        find_older(run.run_id, workspace)


def test_a_word_that_means_nothing_is_told(workspace):
    with pytest.raises(ConfigError, match=r"'hospital': MLflow at .* has no run of this id or name"):
        find_older("hospital", workspace)
    with pytest.raises(ConfigError, match="no registered model 'hospital'"):
        find_older("models:/hospital@champion", workspace)
