"""The inference configuration of a bundle: which of MONAI's and of this project's parts are joined, and how."""

from __future__ import annotations

from typing import Any

from cxr.calibrate.calibration import Calibration
from cxr.calibrate.thresholds import OperatingPoint
from cxr.errors import DataError
from cxr.model.card import ModelCard

_ROOM = "cxr.bundle"
_EXPRESSION = ("$", "@", "%")
"""Starts of texts that MONAI's configuration parser evaluates, resolves, or replaces by a file."""


def inference_config(card: ModelCard) -> dict[str, Any]:
    """What `configs/inference.json` holds, under the names that MONAI's runner, Deploy and Label look for.

    Preprocessing, postprocessing and inferer refer to no other file, since a TorchScript file carries this one alone.

    Args:
        card: of the bundled network.

    Raises:
        DataError: MONAI would take a label, or the name of the label set, for an expression, which it evaluates.
    """
    _refuse_expressions(card)
    return {
        "bundle_root": ".",
        "dataset_dir": "data",
        "output_dir": "eval",
        "device": "$__import__('torch').device('cuda' if __import__('torch').cuda.is_available() else 'cpu')",
        "labels": list(card.labels.names),
        "network_def": {"_target_": "torch.jit.load", "f": "$@bundle_root + '/models/model.ts'", "map_location": "@device"},
        "network": "@network_def",
        "preprocessing": _compose(f"{_ROOM}.transforms.ReadRadiographd", keys="image", **card.preprocessing.model_dump()),
        "datalist": {"_target_": f"{_ROOM}.stored.list_files", "folder": "@dataset_dir", "answer": "@output_dir"},
        "dataset": {"_target_": "monai.data.Dataset", "data": "@datalist", "transform": "@preprocessing"},
        "inferer": {"_target_": "monai.inferers.SimpleInferer"},
        "postprocessing": _postprocessing(card),
        "evaluator": {
            "_target_": f"{_ROOM}.evaluator.FileEvaluator",
            **{name: f"@{name}" for name in ("dataset", "network", "inferer", "postprocessing", "device", "labels")},
            "calibrated": card.calibration is not None,
            "output_dir": "@output_dir",
        },
        "run": ["$@evaluator.run()"],
    }


def _refuse_expressions(card: ModelCard) -> None:
    wrong = next((name for name in (card.labels.name, *card.labels.names) if name.startswith(_EXPRESSION)), None)
    if wrong is not None:
        raise DataError(f"'{wrong}' begins with {wrong[0]}, which MONAI evaluates as an expression; rename it in the label set")


def thresholds(calibration: Calibration, names: tuple[str, ...]) -> dict[str, float | None]:
    """By label where a probability becomes a yes, at the first operating point; None where the label has none."""
    first = calibration.config.points[0].name
    points = {name: calibration.labels[name].points[first] for name in names}
    return {name: point.threshold if isinstance(point, OperatingPoint) else None for name, point in points.items()}


def _postprocessing(card: ModelCard) -> dict[str, Any]:
    if card.calibration is None:
        return _compose("monai.transforms.EnsureTyped", keys="pred", track_meta=True)
    limits = thresholds(card.calibration, card.labels.names)
    return _compose(f"{_ROOM}.transforms.DecideFindingsd", keys="pred", labels=list(limits), thresholds=list(limits.values()))


def _compose(target: str, **arguments: Any) -> dict[str, Any]:
    return {"_target_": "monai.transforms.Compose", "transforms": [{"_target_": target, **arguments}]}
