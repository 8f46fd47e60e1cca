"""The header of a model file: everything that a served model needs beside its weights. Read without torch."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from safetensors import SafetensorError, safe_open

from cxr.calibrate.calibration import Calibration
from cxr.config_model import ModelConfig
from cxr.errors import DataError
from cxr.labels.label_set import LabelSet

FORMAT = 4
READABLE = (1, 2, 3, 4)
"""Format 1 had no calibration, format 2 did not tell how the model was trained, format 3 had all tokens from the last stage."""
KEY = "cxr.model"
_TOKENS_OF_LAST = 3
_LENGTH = 8  # bytes of the number at the start of a safetensors file, the length of its header


class Preprocessing(BaseModel):
    """How the images of the training set were made; see `cxr.ingest.store.Preprocessing`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int
    fit: Literal["pad", "crop"]
    normaliser: int
    canonical: int

    def difference(self, made: object) -> str:
        """How other images differ, like "images with size 224, these have size 512"; empty where they are made the same way.

        Args:
            made: has the same attributes.
        """
        own = self.model_dump()
        other = next((name for name in own if own[name] != getattr(made, name)), None)
        return "" if other is None else f"images with {other} {own[other]}, these have {other} {getattr(made, other)}"


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
        training: how it was trained, every key of `cxr.config_training.TrainConfig`; None in a file of an older format.
        split_sha256: digest of which image trained and which validated, see `cxr.split.split.split_digest`; empty in a file of
            an older format.
        older_run_id: the tracked run that trained the model whose weights it started from; empty where there was none.
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
    training: dict[str, Any] | None = None
    split_sha256: str = ""
    older_run_id: str = ""

    @model_validator(mode="before")
    @classmethod
    def _older(cls, header: Any) -> Any:
        """Of an older format: what has a default now was another way."""
        model = header.get("model") if isinstance(header, dict) else None
        if not isinstance(model, dict) or header.get("format", FORMAT) > _TOKENS_OF_LAST:
            return header
        return {**header, "model": {**model, "head": {"stride": None, **model.get("head", {})}}}


def read_card(path: Path) -> ModelCard:
    """Read the header of a model file.

    Raises:
        DataError: no model file, or one of another format.
    """
    if path.is_dir():
        raise DataError(f"{path}: a folder, not a model file of cxr; name the file, such as calibrate/model.safetensors in it")
    try:
        with safe_open(path, "np") as file:
            header = json.loads((file.metadata() or {})[KEY])
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise DataError(f"{path}: not a model file of cxr: {error}") from error
    if header.get("format") not in READABLE:
        known = ", ".join(map(str, READABLE))
        raise DataError(f"{path}: model file format {header.get('format')}; this version reads {known}")
    try:
        return ModelCard.model_validate(header)
    except ValidationError as error:
        problem = error.errors()[0]
        raise DataError(f"{path}: header: {'.'.join(map(str, problem['loc']))}: {problem['msg']}") from error


def weights_digest(path: Path) -> str:
    """SHA-256 of the weights in a model file: the same whatever its header says, as before and after calibration.

    Raises:
        DataError: no model file.
    """
    read_card(path)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        start = int.from_bytes(file.read(_LENGTH), "little")
        # names and shapes, too: the header without what a person wrote
        described = json.loads(file.read(start))
        described.pop("__metadata__", None)
        digest.update(json.dumps(described, sort_keys=True).encode())
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
