"""Running the `cxr` command as a user does."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import cxr.cli.main
import cxr.cli.terminal


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


Command = Callable[..., Outcome]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `cxr ARGUMENTS` in this process and gives its exit code and what it printed."""

    def call(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["cxr", *map(str, arguments)])
        monkeypatch.setattr(cxr.cli.terminal, "_CONSOLE", None)  # it keeps the stream it was made with
        with pytest.raises(SystemExit) as ended:
            cxr.cli.main.main()
        captured = capsys.readouterr()
        return Outcome(ended.value.code or 0, captured.out, captured.err)

    return call


@pytest.fixture(scope="module")
def module_workspace(tmp_path_factory: pytest.TempPathFactory, migrated_store: Path) -> Path:
    """A workspace with an empty MLflow store that the tests of one file share."""
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "mlflow.db").write_bytes(migrated_store.read_bytes())
    return folder
