"""A model small enough for a test."""

from __future__ import annotations

from typing import Any

import pytest

OPTIONS: dict[str, Any] = {"embed_dim": 32, "depth": 2, "num_heads": 2, "patch_size": 8}


@pytest.fixture(autouse=True)
def _one_thread(one_torch_thread: None) -> None:
    """Every test of this folder."""


@pytest.fixture
def vit_options() -> dict[str, Any]:
    return dict(OPTIONS)
