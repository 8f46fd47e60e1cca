"""Which parameters decay, and how fast each layer learns."""

from __future__ import annotations

from typing import Any

from torch import nn

from cxr.model.classifier import Classifier
from cxr.model.timm_gate import timm

_TIMM: Any = timm


def parameter_groups(classifier: Classifier, loss: nn.Module, weight_decay: float, layer_decay: float) -> list[dict[str, Any]]:
    """The parameters of a classifier and of its loss, in groups of an optimiser.

    With n layers of the backbone, counted from its stem as timm counts them, layer i learns at layer_decay^(n - i) times the
    rate, the head and the loss at the rate itself: n + 1 different rates, of which a vision transformer of depth d has d + 2.
    Vectors and scalars (biases, norms, embeddings, combination and loss weights) do not decay, nor do the queries of attention
    pooling, which learn faster; see `cxr.model.head.AttentionPooling`.

    Args:
        classifier: whose parameters are grouped, each once.
        loss: with its learned weights.
        weight_decay: of matrices.
        layer_decay: in (0, 1]; 1 gives every layer the same rate.

    Returns:
        Groups with `params`, `weight_decay`, `scale` (of the learning rate) and `name`, stem first; none is empty.
    """
    layers = _layers(classifier) if layer_decay < 1 else {}
    last = 1 + max(layers.values(), default=-1)
    undecayed, faster = classifier.undecayed(), classifier.faster()
    groups: dict[tuple[int, bool, float], dict[str, Any]] = {}
    for name, parameter in [*classifier.named_parameters(), *loss.named_parameters()]:
        layer, decays, rate = layers.get(name, last), parameter.ndim > 1 and name not in undecayed, faster.get(name, 1.0)
        group = {"params": [], "weight_decay": weight_decay if decays else 0.0, "scale": rate * layer_decay ** (last - layer)}
        place = "all" if layer_decay == 1 else "head" if layer == last else f"layer_{layer}"
        group["name"] = place + ("" if decays else "_undecayed") + ("" if rate == 1 else f"_{rate:.3g}_times")
        groups.setdefault((layer, not decays, rate), group)["params"].append(parameter)
    return [groups[key] for key in sorted(groups)]


def _layers(classifier: Classifier) -> dict[str, int]:
    """The layer of each parameter of the backbone, from 0, by its name in the classifier."""
    model: Any = classifier.backbone.model
    found = _TIMM.models.group_parameters(model, model.group_matcher(coarse=False), reverse=True)
    return {f"backbone.model.{name}": int(layer) for name, layer in found.items()}
