"""A store with runs that propose models."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxr.tracking.store import Tracking
from tests.promote.proposals import Lab


@pytest.fixture
def lab(workspace: Path, tmp_path: Path) -> Lab:
    """An empty store, and the means to fill it."""
    folder = tmp_path / "lab"
    folder.mkdir()
    return Lab(Tracking(workspace, "small"), folder)
