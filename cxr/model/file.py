"""The model file: safetensors weights with everything that a served model needs in its header. No code, no pickle."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from cxr.calibrate.calibration import Calibration
from cxr.errors import DataError
from cxr.model.build import build_classifier
from cxr.model.card import FORMAT, KEY, ModelCard, read_card
from cxr.model.classifier import Classifier


@dataclass(frozen=True)
class SavedModel:
    """A model as read from its file.

    Args:
        classifier: with its weights, in evaluation mode.
        card: the header.
    """

    classifier: Classifier
    card: ModelCard


def save_model(path: Path, state: dict[str, torch.Tensor], card: ModelCard) -> None:
    """Write a model file, which appears whole or not at all.

    Args:
        path: the file.
        state: the classifier's state dict.
        card: its header.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    partial = path.with_name(f".{path.name}.partial")
    save_file(tensors, partial, metadata={KEY: card.model_dump_json()})
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(partial, path)


def calibrated_copy(source: Path, target: Path, calibration: Calibration) -> None:
    """Write a model file again, with its calibration.

    Raises:
        DataError: `source` is no model file, or one of another format.
    """
    card = read_card(source)
    save_model(target, load_file(source), card.model_copy(update={"format": FORMAT, "calibration": calibration}))


def load_model(path: Path, device: torch.device) -> SavedModel:
    """Read a model file and build its network.

    Raises:
        DataError: no model file, one of another format, or weights that do not fit the network.
    """
    card = read_card(path)
    classifier = build_classifier(card.model, card.preprocessing.size, len(card.labels.names))
    with safe_open(path, "pt") as file:
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    try:
        classifier.load_state_dict(state)
    except RuntimeError as error:
        raise DataError(f"{path}: the weights do not fit {card.model.backbone}: {str(error).splitlines()[0]}") from error
    return SavedModel(classifier.to(device).eval(), card)
