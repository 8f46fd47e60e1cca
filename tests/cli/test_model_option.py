"""What `--model` may say."""

from __future__ import annotations

import pytest

from cxr.cli.model_option import find_model
from cxr.errors import ConfigError


def test_a_file_is_itself_and_a_folder_stands_for_the_model_of_its_pipeline(tmp_path):
    model = tmp_path / "chest" / "calibrate" / "model.safetensors"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"x")
    assert find_model(str(model), None) == model
    assert find_model(str(tmp_path / "chest"), None) == model.resolve()


@pytest.mark.parametrize("name", ["model.safetensors", "chest.onnx", "chest.pt2"])
def test_a_file_that_is_not_there_is_told_as_such(tmp_path, name):
    with pytest.raises(ConfigError, match=rf"--model: .*{name}: no such file"):
        find_model(str(tmp_path / name), None)


@pytest.mark.parametrize("text", ["models:/chest@champion", "0a1b2c3d", "chest"])
def test_a_name_is_looked_up_in_the_store_of_the_workspace(tmp_path, monkeypatch, text):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(ConfigError, match=rf"--model: {tmp_path}: no runs are kept here"):
        find_model(text, tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=rf"--model: {tmp_path}/runs: no runs are kept here"):
        find_model(text, None)
