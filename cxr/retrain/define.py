"""The pipeline definition of a retraining: the older model's network and training, with the new labels and data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from cxr.config_evaluate import CalibrateConfig, EvaluateConfig
from cxr.config_model import ModelConfig
from cxr.config_retrain import PromoteConfig
from cxr.config_training import TrainConfig
from cxr.definition import check_definition
from cxr.errors import ConfigError
from cxr.fingerprint import digest_json
from cxr.model.card import ModelCard
from cxr.retrain.find import Older

Backbone = Literal["train", "warm-up", "frozen"]
_WARM_UP = 5  # of so many epochs one leaves the backbone as it is
_MARK = "# written by cxr retrain, sha256 of what follows: "
_HEADER = (
    """\
# A retraining: labels and data are new, the network and the way it is trained are those of the older model.
#
#   cxr run {file}
#
# `cxr keys` lists every key with its meaning; docs/retraining.md says what a retraining does.
"""
    + _MARK
    + "{digest}\n"
)


@dataclass(frozen=True)
class Wanted:
    """What is asked for.

    Args:
        name: of the pipeline.
        workspace: folder of its results.
        labels: name or file of the new label set.
        title: what the label set calls itself.
        source: keys of the `source` section.
        backbone: train: it learns from the first step; warm-up: after some epochs; frozen: never.
        split: split.csv of the older model, where it is not found with it.
        other_patients: whether the older model has seen none of the patients.
    """

    name: str
    workspace: Path
    labels: str
    title: str
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
        "description": f"Retrained from {older.registry or card.labels.name}: {card.labels.name} to {wanted.title}.",
        "workspace": str(wanted.workspace),
        "labels": wanted.labels,
        "source": dict(wanted.source),
        "ingest": {"size": card.preprocessing.size, "fit": card.preprocessing.fit},
        "model": _without_defaults(card.model, ModelConfig()),
        "train": _without_defaults(training, TrainConfig()) | {"freeze_epochs": _freeze(wanted.backbone, training)},
        **_judged(card, older.rule),
        "retrain": {"model": str(older.model), **_patients(older, wanted)},
        **({"promote": promote} if (promote := _promote(older)) else {}),
    }


def write_definition(path: Path, content: Mapping[str, Any]) -> None:
    """Write a definition. One that is there is replaced if it is as this command has written it, and nothing has run by it.

    Args:
        path: of the file.
        content: its keys, all paths absolute; those below the file's folder are written relative to it, so that the folder
            can be moved.

    Raises:
        ConfigError: the definition is not valid, with every problem found; or another file is there.
    """
    check_definition(content, path)
    base = path.resolve().parent
    body = yaml.safe_dump(_relative(content, base), sort_keys=False, allow_unicode=True, width=120)
    text = _HEADER.format(file=path.name, digest=digest_json(body)) + body
    has_run = (Path(str(content["workspace"])) / str(content["name"])).exists()
    present = path.read_text(encoding="utf-8") if path.exists() else text
    if present != text and (has_run or not _untouched(present)):
        raise ConfigError(
            f"{path}: is there already and says something else, and was changed or has run; `cxr run` runs it as it is, "
            "another --out starts anew"
        )
    path.write_text(text, encoding="utf-8")


def _untouched(text: str) -> bool:
    """Whether a definition is as it was written."""
    _, found, rest = text.partition(_MARK)
    digest, _, body = rest.partition("\n")
    return bool(found) and digest == digest_json(body)


def _relative(value: Any, base: Path) -> Any:
    """The keys with paths below a folder relative to it."""
    if isinstance(value, Mapping):
        return {key: _relative(inner, base) for key, inner in value.items()}
    below = isinstance(value, str) and Path(value).is_absolute() and Path(value).is_relative_to(base)
    return Path(value).relative_to(base).as_posix() if below else value


def _patients(older: Older, wanted: Wanted) -> dict[str, Any]:
    split = wanted.split or older.split
    if wanted.other_patients:
        return {"other_patients": True} | ({} if split is None else {"split": str(split)})
    if split is None:
        raise ConfigError(
            "--split FILE: missing: the split.csv that the older model was made with, so that its test patients never train; "
            "or --other-patients, where it has seen none of them"
        )
    return {"split": str(split)}


def _freeze(backbone: Backbone, training: TrainConfig) -> int | str:
    if backbone == "frozen":
        return "all"
    return 0 if backbone == "train" else max(1, training.epochs // _WARM_UP)


def _judged(card: ModelCard, rule: PromoteConfig | None) -> dict[str, Any]:
    """How the older model was calibrated and judged: the new one is, too."""
    fitted, found = card.calibration, {}
    if fitted is not None:
        usual = CalibrateConfig().model_dump(mode="json")
        found["calibrate"] = _shortened(fitted.config.model_dump(mode="json"), usual)
        found["evaluate"] = _shortened(
            {"unit": fitted.unit, "combine": fitted.combine}, EvaluateConfig().model_dump(mode="json")
        )
    if rule is not None and rule.confidence != EvaluateConfig().confidence:
        found.setdefault("evaluate", {})["confidence"] = rule.confidence
    return {key: section for key, section in found.items() if section}


def _promote(older: Older) -> dict[str, Any]:
    """The name in the registry and the rule of the older model."""
    rule = {} if older.rule is None else _shortened(older.rule.model_dump(mode="json"), PromoteConfig().model_dump(mode="json"))
    return ({"model": older.registry} if older.registry else {}) | {key: rule[key] for key in rule if key != "model"}


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
