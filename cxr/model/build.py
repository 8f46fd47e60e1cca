"""From a configuration to a classifier, stacked or not, and whether it will do."""

from __future__ import annotations

import torch

from cxr.config_model import ModelConfig
from cxr.errors import ConfigError
from cxr.model.classifier import Classifier
from cxr.model.stacked import StackedClassifier
from cxr.model.weights import first_line


def build_classifier(config: ModelConfig, size: int, labels: int) -> Classifier:
    """The classifier of a configuration, stacked or not.

    Raises:
        ConfigError: as `Classifier` and `StackedClassifier`.
    """
    return (Classifier if config.stacked is None else StackedClassifier)(config, size, labels)


def check_model(config: ModelConfig, size: int) -> None:
    """Build a classifier and try it on two black images, to refuse early what would fail in training.

    Raises:
        ConfigError: as `build_classifier`, or the backbone cannot take images of this size.
    """
    classifier = build_classifier(config, size, labels=1).eval()
    try:
        with torch.inference_mode():
            for heads in classifier.heads or (None,):
                classifier.at(heads)(torch.zeros(2, size, size, dtype=torch.uint8))
    except (RuntimeError, AssertionError, ValueError) as error:
        problem = first_line(error)
        raise ConfigError(f"model.backbone: {config.backbone} cannot take images of {size} pixels: {problem}") from error
