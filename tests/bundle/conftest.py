"""A small model and its bundle, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxr.bundle.bundle import bundle
from cxr.export.network import Chosen, choose
from tests.serve.models import write_model


@pytest.fixture(autouse=True)
def _one_thread(one_torch_thread: None) -> None:
    """Every test of this folder."""


def quiet(done: int, total: int, text: str = "") -> None:
    """Progress that nobody looks at."""


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "model.safetensors")


@pytest.fixture(scope="session")
def chosen(model: Path) -> Chosen:
    return choose(model, None)


@pytest.fixture(scope="session")
def bundled(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bundled") / "chest_classification"
    bundle(model, out, None, None, quiet)
    return out
