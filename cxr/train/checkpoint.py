"""The state of an unfinished training, written after each epoch: tensors and plain values only, whole or not at all."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import torch

from cxr.errors import DataError


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Replace the file by another state; a crash leaves the old one."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def load_state(path: Path) -> dict[str, Any] | None:
    """The saved state, or None where there is none.

    Raises:
        DataError: the file is damaged.
    """
    if not path.exists():
        return None
    try:
        return dict(torch.load(path, map_location="cpu", weights_only=True))
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        problem = str(error).splitlines()[0] if str(error) else "it ends too early"
        raise DataError(f"{path}: damaged; delete it to train from the start: {problem}") from error
