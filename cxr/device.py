"""Where to compute."""

from __future__ import annotations

from typing import Literal

import torch

from cxr.errors import ConfigError


def choose_device(name: Literal["auto", "cpu", "cuda"]) -> torch.device:
    """The device that a configuration means.

    Raises:
        ConfigError: "cuda" where there is no GPU that torch can use.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("train.device: cuda: torch finds no GPU here; use auto or cpu")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")
