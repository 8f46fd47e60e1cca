"""Whether an older model fits: the network that its weights are of, and the images that it learned from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cxr.config_model import ModelConfig
from cxr.errors import ConfigError, DataError
from cxr.model.card import ModelCard, Preprocessing
from cxr.split.frozen import read_split
from cxr.split.split import split_digest

_FREE = ("dropout", "loss_weights")
"""Keys of the head that say how it learns, not what its weights mean."""


def refuse_other_network(older: ModelConfig, newer: ModelConfig) -> None:
    """Refuse weights that would not fit, before anything runs.

    Raises:
        ConfigError: names the key.
    """
    before, now = (dict(_plain(each)) for each in (older, newer))
    for key in dict.fromkeys([*before, *now]):
        if before.get(key) != now.get(key):
            raise ConfigError(
                f"'model.{key}' is {now.get(key)}, but {before.get(key)} in the older model, whose weights would not fit; "
                "set it so, or 'retrain.weights: random' to start from scratch"
            )


def _plain(config: ModelConfig) -> Iterator[tuple[str, Any]]:
    yield "backbone", config.backbone
    yield "options", config.options
    yield "stacked", None if config.stacked is None else config.stacked.model_dump()
    for key, value in config.head.model_dump(exclude=set(_FREE)).items():
        yield f"head.{key}", value


def refuse_other_size(card: ModelCard, size: int, fit: str) -> None:
    """Refuse images that are to be made in another way than the older model's, before anything runs.

    Raises:
        ConfigError: names the key.
    """
    for key, own, now in (("size", card.preprocessing.size, size), ("fit", card.preprocessing.fit, fit)):
        if own != now:
            raise ConfigError(f"'ingest.{key}' is {now}, but the older model learned from images with {key} {own}; set it so")


def refuse_other_split(card: ModelCard, split: Path) -> None:
    """Refuse a split that the older model was not made with: its test patients would not be those of this model.

    A model file of an older format does not tell its split, and is believed.

    Raises:
        ConfigError: another image trained or validated.
    """
    frame = read_split(split)
    if card.split_sha256 and split_digest(frame[frame["split"] != "test"]) != card.split_sha256:
        raise ConfigError(
            f"'retrain.split' is not the split that the older model was made with: {split}; the two belong together, take both "
            "from one pipeline"
        )


def refuse_other_images(card: ModelCard, made: Preprocessing, path: Path) -> None:
    """Refuse an older model whose images were made in another way than the new ones.

    Raises:
        DataError: names the difference.
    """
    if difference := card.preprocessing.difference(made):
        raise DataError(f"{path}: the older model learned from {difference}")
