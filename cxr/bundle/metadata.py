"""What a bundle says of itself in `configs/metadata.json`, by the bundle specification of MONAI.

Specification: https://docs.monai.io/en/stable/mb_specification.html
"""

from __future__ import annotations

import importlib.metadata
import json
from typing import Any

from cxr import __version__
from cxr.bundle.inference import thresholds
from cxr.export.network import Chosen
from cxr.export.record import Check
from cxr.model.card import ModelCard

VERSION = "1.0.0"
"""Of the bundle; which weights are in it says `weights_sha256`."""
_SCHEMA = "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json"


def metadata(chosen: Chosen, digest: str, check: Check) -> dict[str, Any]:
    """What the file holds; no path, date or machine.

    Args:
        chosen: what is bundled.
        digest: of the weights in the model file; see `cxr.model.card.weights_digest`.
        check: how the bundle compared with the model.
    """
    card = chosen.card
    return {
        "schema": _SCHEMA,
        **_versions(card),
        **_words(card),
        "network_data_format": {"inputs": {"image": _image(card.preprocessing.size)}, "outputs": {"pred": _findings(card)}},
        "preprocessing": card.preprocessing.model_dump(),
        "label_set": card.labels.name,
        "backbone": card.model.backbone,
        "heads": chosen.heads,
        "run_id": card.run_id,
        "weights_sha256": digest,
        "calibration": _calibration(card),
        "check": check.model_dump(mode="json"),
    }


def as_json(content: dict[str, Any]) -> str:
    """The text of a configuration file."""
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _versions(card: ModelCard) -> dict[str, Any]:
    return {
        "version": VERSION,
        "changelog": {VERSION: f"written by cxr {__version__} from the model of the run {card.run_id}"},
        "monai_version": _installed("monai"),
        "pytorch_version": _installed("torch"),
        "numpy_version": _installed("numpy"),
        "required_packages_version": {"cxr": __version__, "fire": _installed("fire")},
    }


def _words(card: ModelCard) -> dict[str, Any]:
    return {
        "name": f"Chest radiograph classification, {card.labels.name}",
        "task": f"{len(card.labels.names)} findings on a frontal chest radiograph, each by itself",
        "description": _description(card),
        "authors": f"whoever trained the model, in the run {card.run_id}",
        "copyright": "of the weights: whoever trained the model",
        "data_source": f"development images with labels of '{card.labels.name}'; digest of their list {card.data_sha256}",
        "data_type": "dicom",
        "image_classes": "one channel, grey values from 0 (black) to 255 (white), high attenuation bright",
        "pred_classes": "one channel per finding; several findings, or none, can be present",
        "intended_use": (
            "to support the reading of frontal chest radiographs from hospitals like those it was trained on, after it was "
            "evaluated there; it makes no diagnosis by itself, and is not for lateral views or other body parts"
        ),
        "references": [],
    }


def _description(card: ModelCard) -> str:
    kind = "Calibrated probabilities" if card.calibration is not None else "Scores, which are not calibrated,"
    return f"{kind} of {', '.join(card.labels.names)} for a frontal chest radiograph ({card.model.backbone})."


def _image(size: int) -> dict[str, Any]:
    return {
        "type": "image",
        "format": "magnitude",
        "modality": "CR/DX",
        "num_channels": 1,
        "spatial_shape": [size, size],
        "dtype": "float32",
        "value_range": [0, 255],
        "is_patch_data": False,
        "channel_def": {"0": "canonical image, whole numbers, as cxr.bundle.transforms.ReadRadiographd makes it"},
    }


def _findings(card: ModelCard) -> dict[str, Any]:
    return {
        # The specification has "probabilities" for the output of a classifier. Of such an output MONAI Deploy 4.0 tells, beside
        # the numbers, a finding for each of them: int(probability) names the channel, so that it is always the first one.
        "type": "tuples",
        "format": "classes",
        "modality": "n/a",
        "num_channels": len(card.labels.names),
        "spatial_shape": [],
        "dtype": "float64",
        "value_range": [0, 1],
        "is_patch_data": False,
        "channel_def": {str(place): name for place, name in enumerate(card.labels.names)},
    }


def _calibration(card: ModelCard) -> dict[str, Any] | None:
    calibration = card.calibration
    if calibration is None:
        return None
    return {
        "applied": "inside the network",
        "of": calibration.unit,
        "images": calibration.images,
        "patients": calibration.patients,
        "operating_point": calibration.config.points[0].name,
        "thresholds": thresholds(calibration, card.labels.names),
        "labels": {name: calibration.labels[name].model_dump(mode="json") for name in card.labels.names},
    }


def _installed(package: str) -> str:
    """The version of a package, without what tells one build from another."""
    return importlib.metadata.version(package).partition("+")[0]
