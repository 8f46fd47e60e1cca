from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from cxr.errors import DataError
from cxr.train.checkpoint import load_state, save_state

STATE: dict[str, Any] = {"weights": {"a": torch.arange(3000.0)}, "history": [{"loss": 0.5}], "best": float("-inf"), "epoch": 2}


def test_a_state_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    assert load_state(path) is None
    save_state(path, STATE)
    loaded = load_state(path)
    assert loaded is not None
    assert torch.equal(loaded["weights"].pop("a"), STATE["weights"]["a"])
    assert loaded == {**STATE, "weights": {}}


@pytest.mark.parametrize("moment", ["while it is written", "before it is renamed"])
def test_a_kill_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    path = tmp_path / "last.pt"
    save_state(path, STATE)

    def half(state: object, file: Any) -> None:
        file.write(b"half")
        raise KeyboardInterrupt

    def none(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(*((torch, "save", half) if moment == "while it is written" else (os, "replace", none)))
        with pytest.raises(KeyboardInterrupt):
            save_state(path, {"epoch": 3})
    loaded = load_state(path)
    assert loaded is not None
    assert loaded["epoch"] == 2
    save_state(path, {"epoch": 3})
    assert load_state(path) == {"epoch": 3}
    assert [entry.name for entry in tmp_path.iterdir()] == ["last.pt"]


@pytest.mark.parametrize("keep", [0.0, 0.01, 0.5, 0.99])
def test_a_damaged_state_is_refused_with_the_way_out(tmp_path: Path, keep: float) -> None:
    path = tmp_path / "last.pt"
    save_state(path, STATE)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    with pytest.raises(DataError, match=r"last\.pt: damaged; delete it to train from the start"):
        load_state(path)


class _Code:
    """Would print when unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("code ran",))


def test_a_state_with_code_in_it_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"epoch": _Code()}, tmp_path / "last.pt")
    with pytest.raises(DataError, match="damaged"):
        load_state(tmp_path / "last.pt")
    assert "code ran" not in capsys.readouterr().out
