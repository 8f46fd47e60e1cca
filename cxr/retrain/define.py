"""The pipeline definition of a retraining: the older model's network and training, with the new labels and data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from cxr.config_model import ModelConfig
from cxr.config_training import TrainConfig
from cxr.errors import ConfigError
from cxr.model.card import ModelCard
from cxr.retrain.find import Older

Backbone = Literal["train", "warm-up", "frozen"]
_WARM_UP = 5  # of so many epochs one leaves the backbone as it is
_HEADER = """\
# A retraining: labels and data are new, the network and the way it is trained are those of the older model.
#
#   cxr run {file}
#
# `cxr keys` lists every key with its meaning; docs/retraining.md says what a retraining does.
"""


@dataclass(frozen=True)
class Wanted:
    """What is asked for.

    Args:
        name: of the pipeline.
        workspace: folder of its results.
        labels: name or file of the new label set.
        source: keys of the `source` section.
        backbone: train: it learns from the first step; warm-up: after some epochs; frozen: never.
        split: split.csv of the older model, where it is not found with it.
        other_patients: whether the older model has seen none of the patients.
    """

    name: str
    workspace: Path
    labels: str
    source: Mapping[str, Any]
    backbone: Backbone
    split: Path | None
    other_patients: bool


def define(older: Older, card: ModelCard, wanted: Wanted) -> dict[str, Any]:
    """The keys of the definition.

    Args:
        older: the older model.
        card: its header.
        wanted: see there.

    Raises:
        ConfigError: nothing tells which patients the older model has seen.
    """
    training = TrainConfig.model_validate(_shortened(card.training or {}, TrainConfig().model_dump(mode="json")))
    return {
        "name": wanted.name,
        "description": f"Retrained from {older.registry or card.labels.name}: {card.labels.name} to {wanted.labels}.",
        "workspace": str(wanted.workspace),
        "labels": wanted.labels,
        "source": dict(wanted.source),
        "ingest": {"size": card.preprocessing.size, "fit": card.preprocessing.fit},
        "model": _without_defaults(card.model, ModelConfig()),
        "train": _without_defaults(training, TrainConfig()) | {"freeze_epochs": _freeze(wanted.backbone, training)},
        "retrain": {"model": str(older.model), **_patients(older, wanted)},
        **({"promote": {"model": older.registry}} if older.registry else {}),
    }


def write_definition(path: Path, content: Mapping[str, Any]) -> None:
    """Write a definition; one that is there already must say the same.

    Raises:
        ConfigError: another file is there.
    """
    text = _HEADER.format(file=path.name) + yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True, width=120)
    if path.exists():
        if path.read_text(encoding="utf-8") != text:
            raise ConfigError(f"{path}: is there already and says something else; run it with `cxr run`, or name another --out")
        return
    path.write_text(text, encoding="utf-8")


def _patients(older: Older, wanted: Wanted) -> dict[str, Any]:
    split = wanted.split or older.split
    if wanted.other_patients:
        return {"other_patients": True}
    if split is None:
        raise ConfigError(
            "--split FILE: missing: the split.csv that the older model was made with, so that its test patients never train; "
            "or --other-patients, where it has seen none of them"
        )
    return {"split": str(split)}


def _freeze(backbone: Backbone, training: TrainConfig) -> int:
    epochs = {"train": 0, "warm-up": max(1, training.epochs // _WARM_UP), "frozen": training.epochs}
    return epochs[backbone]


def _without_defaults(config: ModelConfig | TrainConfig, usual: ModelConfig | TrainConfig) -> dict[str, Any]:
    return _shortened(config.model_dump(mode="json"), usual.model_dump(mode="json"))


def _shortened(values: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are not the usual ones."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        before = usual.get(key)
        if isinstance(value, dict) and isinstance(before, dict) and before:
            if inner := _shortened(value, before):
                found[key] = inner
        elif value != before:
            found[key] = value
    return found
