from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from pydantic import ValidationError
from safetensors.torch import save_file

from cxr.config_model import ModelConfig
from cxr.errors import ConfigError
from cxr.model.weights import FROM_SCRATCH, fetch, first_line, initial_weights, read_weights


class FakeHub:
    """Stands for the download of the hub: the files that it has, or an error for everything."""

    def __init__(self, files: dict[str, Path] | None = None, error: Exception | None = None) -> None:
        self.files, self.error = files or {}, error
        self.asked: list[tuple[str, str, str | None]] = []

    def __call__(self, repository: str, file: str, *, revision: str | None = None) -> str:
        self.asked.append((repository, file, revision))
        if self.error is not None:
            raise self.error
        if file not in self.files:
            raise EntryNotFoundError(f"no {file}")
        return str(self.files[file])


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a fake hub in place."""

    def make(files: dict[str, Path] | None = None, error: Exception | None = None) -> FakeHub:
        fake = FakeHub(files, error)
        monkeypatch.setattr("cxr.model.weights.hf_hub_download", fake)
        return fake

    return make


def _http(kind: type[HfHubHTTPError], text: str) -> HfHubHTTPError:
    """An error of the hub; how it is made depends on its version."""
    return kind(text, response=Mock(headers={}, status_code=404))


def test_safetensors_are_preferred(hub: Any, tmp_path: Path) -> None:
    fake = hub({"model.safetensors": tmp_path / "a", "pytorch_model.bin": tmp_path / "b"})
    assert fetch("timm/deit") == tmp_path / "a"
    assert fake.asked == [("timm/deit", "model.safetensors", None)]


def test_the_older_format_is_taken_where_there_is_no_other(hub: Any, tmp_path: Path) -> None:
    fake = hub({"pytorch_model.bin": tmp_path / "b"})
    assert fetch("timm/deit") == tmp_path / "b"
    assert [file for _, file, _ in fake.asked] == ["model.safetensors", "pytorch_model.bin"]


@pytest.mark.parametrize("revision", ["main", "v1.0", "0123abcd", "refs/pr/3"])
def test_a_revision_is_passed_on(hub: Any, tmp_path: Path, revision: str) -> None:
    fake = hub({"model.safetensors": tmp_path / "a"})
    fetch(f"timm/deit@{revision}")
    assert fake.asked == [("timm/deit", "model.safetensors", revision)]


def test_a_hub_out_of_reach_is_told_with_a_way_out(hub: Any) -> None:
    hub(error=LocalEntryNotFoundError("offline"))
    with pytest.raises(ConfigError, match=r"model\.hub: timm/deit: the hub cannot be reached, .*give it as model\.weights"):
        fetch("timm/deit")


def test_a_repository_without_weights_is_told_with_the_files_looked_for(hub: Any) -> None:
    hub()
    with pytest.raises(ConfigError, match=r"model\.hub: timm/deit: no model\.safetensors or pytorch_model\.bin there"):
        fetch("timm/deit")


@pytest.mark.parametrize(
    "error",
    [
        _http(RepositoryNotFoundError, "Repository Not Found\nand more"),
        _http(RevisionNotFoundError, "Revision Not Found"),
        _http(HfHubHTTPError, "503 Server Error"),
        HFValidationError("Repo id must be"),
        OfflineModeIsEnabled("offline mode is on"),
        ConnectionError("Connection reset"),
        OSError("No space left on device"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_failure_is_one_line_of_words(hub: Any, error: Exception) -> None:
    hub(error=error)
    with pytest.raises(ConfigError) as told:
        fetch("timm/deit@v1")
    assert str(told.value) == f"model.hub: timm/deit@v1: {str(error).splitlines()[0]}"


def test_a_failure_of_our_own_is_not_taken_for_one_of_the_hub(hub: Any) -> None:
    hub(error=ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        fetch("timm/deit")


def test_weights_come_from_the_hub_or_from_a_file_or_from_nowhere(hub: Any, tmp_path: Path) -> None:
    fake = hub({"model.safetensors": tmp_path / "from_hub"})
    own = tmp_path / "own.safetensors"
    own.touch()
    assert initial_weights(ModelConfig(hub="timm/deit")) == tmp_path / "from_hub"
    fake.asked.clear()
    assert initial_weights(ModelConfig(weights=own)) == own
    assert initial_weights(ModelConfig()) is None
    assert initial_weights(ModelConfig(hub="timm/deit").model_copy(update=FROM_SCRATCH)) is None
    assert not fake.asked


def test_a_file_and_a_name_on_the_hub_exclude_each_other(tmp_path: Path) -> None:
    own = tmp_path / "own.safetensors"
    own.touch()
    with pytest.raises(ValidationError, match="'weights' and 'hub' exclude each other"):
        ModelConfig(weights=own, hub="timm/deit")


@pytest.mark.parametrize("name", ["deit", "a/b/c", "timm/", "/deit", "timm/deit@", "https://hub/timm/deit", "a b/c"])
def test_what_is_no_name_on_the_hub_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="hub"):
        ModelConfig(hub=name)


@pytest.mark.parametrize("wrap", [None, "model", "state_dict"])
@pytest.mark.parametrize("suffix", ["pth", "bin"])
def test_tensors_are_read_from_the_usual_wrappings(tmp_path: Path, wrap: str | None, suffix: str) -> None:
    state = {"cls_token": torch.randn(1, 1, 4)}
    torch.save(state if wrap is None else {wrap: state}, tmp_path / f"weights.{suffix}")
    assert torch.equal(read_weights(tmp_path / f"weights.{suffix}")["cls_token"], state["cls_token"])


def test_tensors_are_read_from_safetensors(tmp_path: Path) -> None:
    save_file({"cls_token": torch.ones(3)}, tmp_path / "weights.safetensors")
    assert torch.equal(read_weights(tmp_path / "weights.safetensors")["cls_token"], torch.ones(3))


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pth"])
def test_a_missing_file_of_weights_is_told_in_words(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=f"model.weights: .*{name}: neither safetensors nor a weights-only"):
        read_weights(tmp_path / name)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("one\ntwo"), "one"),
        (ValueError("\n  one "), "one"),
        (ValueError(), "ValueError"),
        (OSError("  "), "OSError"),
    ],
)
def test_an_error_is_one_line_and_never_empty(error: Exception, line: str) -> None:
    assert first_line(error) == line
