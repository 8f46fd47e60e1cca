"""What a network costs: parameters, and multiplications with additions for one image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cxr.config_model import ModelConfig
from cxr.model.build import build_classifier
from cxr.model.weights import FROM_SCRATCH


@dataclass(frozen=True)
class Cost:
    """The cost of a network.

    Args:
        heads: its number of attention heads; None where there is no choice.
        parameters: number of weights.
        gmacs: multiply-accumulates of one image, in 10^9; see `gmacs`.
    """

    heads: int | None
    parameters: int
    gmacs: float


def costs(config: ModelConfig, size: int, labels: int) -> list[Cost]:
    """The cost of a classifier, at each number of attention heads that it runs with.

    Args:
        config: of the classifier.
        size: side of its images, in pixels.
        labels: number of labels.

    Raises:
        ConfigError: the backbone cannot be built.
    """
    with torch.device("meta"):
        classifier = build_classifier(config.model_copy(update=FROM_SCRATCH), size, labels).eval()
        image = torch.zeros(1, size, size, dtype=torch.uint8)
    return [
        Cost(heads, sum(part.block.numel() for part in classifier.parts(heads).values()), gmacs(classifier.at(heads), image))
        for heads in classifier.heads or (None,)
    ]


def gmacs(network: nn.Module, image: torch.Tensor) -> float:
    """Multiply-accumulates of a network, in 10^9.

    Convolutions and products of matrices count, those of attention among them; norms, activations and softmax do not.

    Args:
        network: on the meta device, where nothing is computed; there attention is made of products that can be counted.
        image: its input, on the meta device.
    """
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(image)
    return float(counter.get_total_flops()) / 2e9
