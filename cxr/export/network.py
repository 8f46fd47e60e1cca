"""The network of a model file as it is exported: canonical images in, scores and disease maps out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from cxr.calibrate.calibration import Calibration
from cxr.errors import DataError
from cxr.model.backbone import Features
from cxr.model.card import ModelCard
from cxr.model.classifier import Classifier
from cxr.model.file import load_model
from cxr.model.stacked import StackedClassifier
from cxr.predict.files import calibration_of, network_of
from cxr.predict.predictor import Predictor

_CPU = torch.device("cpu")


class ExportedNetwork(nn.Module):
    """A classifier with the outputs of an exported file.

    Args:
        classifier: in evaluation mode.
        size: side of its images, in pixels.
    """

    def __init__(self, classifier: Classifier, size: int) -> None:
        super().__init__()
        self.classifier, self.size = classifier, size
        self.side = _side_of_maps(classifier, size)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of what `forward` gives."""
        return ("scores", "maps") if self.side else ("scores",)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Scores and maps of canonical images.

        Args:
            images: uint8 [batch, size, size].

        Returns:
            float64 [batch, labels] in [0, 1], since calibration takes their logits, which float32 would round near 1; and where
            there are maps float32 [batch, labels, side, side].
        """
        output = self.classifier(images)
        scores = torch.sigmoid(output.combined.double())
        return (scores, output.maps.float().unflatten(-1, (self.side, self.side))) if self.side else (scores,)

    def to_bf16(self) -> ExportedNetwork:
        """The same with a backbone that computes in bfloat16; the head, which costs little, stays in float32."""
        self.classifier.backbone.to(torch.bfloat16)
        self.classifier.head.register_forward_pre_hook(_in_float32)
        return self


@dataclass(frozen=True)
class Chosen:
    """What is exported of a model file.

    Args:
        network: with the weights, on its own copy of them.
        card: of the model; without calibration where that was fitted to another number of heads.
        heads: the number of attention heads, where the model is stacked.
        reference: the model as every command runs it.
    """

    network: ExportedNetwork
    card: ModelCard
    heads: int | None
    reference: Predictor


def choose(path: Path, heads: int | None) -> Chosen:
    """The network of a model file that is to be exported.

    Args:
        path: a calibrated model file.
        heads: of a stacked model the number of attention heads; None for the network that was calibrated.

    Raises:
        DataError: no model file, one without calibration, one that cannot run with that number of heads, or, where no number
            is given, one that was calibrated as a cascade.
    """
    saved = load_model(path, _CPU)
    calibration = calibration_of(saved.card, path)
    asked = network_of(calibration) if heads is None else heads
    reference = Predictor(path, _CPU, asked)
    classifier, heads = saved.classifier, None
    if isinstance(classifier, StackedClassifier):
        heads = asked or classifier.heads[-1]
        classifier = classifier.extract(heads)
    holds = heads is None or asked is None or _fitted_to(calibration, asked)
    card = saved.card if holds else saved.card.model_copy(update={"calibration": None})
    network = ExportedNetwork(classifier.eval(), card.preprocessing.size)
    return Chosen(network.requires_grad_(False), card, heads, reference)


def _fitted_to(calibration: Calibration, heads: int) -> bool:
    try:
        return network_of(calibration) == heads
    except DataError:  # it is a cascade's
        return False


def _side_of_maps(classifier: Classifier, size: int) -> int:
    """Rows and columns of a disease map; 0 where the head has none, or the tokens form no square grid."""
    with torch.inference_mode():
        maps = classifier(torch.zeros(1, size, size, dtype=torch.uint8)).maps
    side = 0 if maps is None else math.isqrt(maps.shape[-1])
    return side if maps is not None and side * side == maps.shape[-1] else 0


def _in_float32(_: nn.Module, features: tuple[Features]) -> tuple[Features]:
    (given,) = features
    return (Features(given.pooled.float(), given.tokens.float()),)
