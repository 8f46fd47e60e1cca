"""Files of pre-trained weights, local or from the Hugging Face hub."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, cast

import torch
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError

from cxr.config_model import ModelConfig
from cxr.errors import ConfigError
from cxr.model.timm_gate import timm

_FILES = ("model.safetensors", "pytorch_model.bin")


_REFUSALS = cast(tuple[type[Exception], ...], (HFValidationError, *HfHubHTTPError.__bases__))
"""A name that cannot be one, and what the hub's own client raises, of whichever library it is made; among them OSError."""
FROM_SCRATCH: dict[str, Any] = {"weights": None, "hub": None}
"""What a `ModelConfig` says of its initial weights where there are none."""


def initial_weights(config: ModelConfig) -> Path | None:
    """The file of weights that a model starts from; None for random ones.

    Raises:
        ConfigError: as `fetch`.
    """
    return fetch(config.hub) if config.hub is not None else config.weights


def fetch(name: str) -> Path:
    """The weights of a repository of the hub, in the local cache of the hub after the first time.

    Args:
        name: ORGANISATION/REPOSITORY, with @REVISION to stay at one state of it.

    Raises:
        ConfigError: the hub cannot be reached, does not know the name, or has no weights under it.
    """
    repository, _, revision = name.partition("@")
    for file in _FILES:
        try:
            return Path(hf_hub_download(repository, file, revision=revision or None))
        except LocalEntryNotFoundError as error:
            hint = "download its model.safetensors elsewhere and give it as model.weights"
            raise ConfigError(f"model.hub: {name}: the hub cannot be reached, and no copy lies here; {hint}") from error
        except EntryNotFoundError:
            continue
        except _REFUSALS as error:
            raise ConfigError(f"model.hub: {name}: {first_line(error)}") from error
    raise ConfigError(f"model.hub: {name}: no {' or '.join(_FILES)} there")


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file of weights, by name; nothing in the file is run.

    Raises:
        ConfigError: no file of weights.
    """
    try:
        return dict(timm.models.load_state_dict(str(path)))
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError, SafetensorError) as error:
        problem = first_line(error)
        raise ConfigError(f"model.weights: {path}: neither safetensors nor a weights-only .pth file: {problem}") from error


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
