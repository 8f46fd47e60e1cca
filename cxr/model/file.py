"""The model file: safetensors weights with everything that a served model needs in its header. No code, no pickle."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from cxr.calibrate.calibration import Calibration
from cxr.config_model import ModelConfig
from cxr.errors import DataError
from cxr.labels.label_set import LabelSet
from cxr.model.build import build_classifier
from cxr.model.classifier import Classifier

FORMAT = 2
_KEY = "cxr.model"


class Preprocessing(BaseModel):
    """How the images of the training set were made; see `cxr.ingest.store.Preprocessing`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int
    fit: Literal["pad", "crop"]
    normaliser: int
    canonical: int


class ModelCard(BaseModel):
    """What the header of a model file says.

    Args:
        format: version of this layout.
        cxr_version: of the program that wrote it.
        labels: the label set, in the order of the outputs.
        model: how the network is built.
        preprocessing: how its images must be made.
        run_id: the tracked run that trained it.
        data_sha256: digest of the development manifest, train and validation images with their sides.
        epoch: the epoch it was taken from, from 1.
        calibration: how its scores become probabilities, and where these become a yes; None until it is calibrated.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    format: int = FORMAT
    cxr_version: str
    labels: LabelSet
    model: ModelConfig
    preprocessing: Preprocessing
    run_id: str
    data_sha256: str
    epoch: int
    calibration: Calibration | None = None


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
    save_file(tensors, partial, metadata={_KEY: card.model_dump_json()})
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(partial, path)


def calibrated_copy(source: Path, target: Path, calibration: Calibration) -> None:
    """Write a model file again, with its calibration.

    Raises:
        DataError: `source` is no model file, or one of another format.
    """
    card = read_card(source)
    save_model(target, load_file(source), card.model_copy(update={"calibration": calibration}))


def read_card(path: Path) -> ModelCard:
    """Read the header of a model file.

    Raises:
        DataError: no model file, or one of another format.
    """
    try:
        with safe_open(path, "pt") as file:
            header = json.loads((file.metadata() or {})[_KEY])
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise DataError(f"{path}: not a model file of cxr: {error}") from error
    if header.get("format") != FORMAT:
        raise DataError(f"{path}: model file format {header.get('format')}; this version reads {FORMAT}")
    try:
        return ModelCard.model_validate(header)
    except ValidationError as error:
        problem = error.errors()[0]
        raise DataError(f"{path}: header: {'.'.join(map(str, problem['loc']))}: {problem['msg']}") from error


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
