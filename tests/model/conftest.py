"""A model small enough for a test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

OPTIONS: dict[str, Any] = {"embed_dim": 32, "depth": 2, "num_heads": 2, "patch_size": 8}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def vit_options() -> dict[str, Any]:
    return dict(OPTIONS)
