from __future__ import annotations

from typing import Any

import pytest
import torch

from cxr.config_model import HeadConfig, ModelConfig, StackedConfig
from cxr.model.build import build_classifier
from cxr.model.classifier import Classifier
from cxr.train.groups import parameter_groups
from cxr.train.losses import MultiBranchLoss

VIT = {"embed_dim": 32, "depth": 3, "num_heads": 4, "patch_size": 8}
SWIN = {"embed_dim": 16, "depths": (1, 2), "num_heads": (1, 2), "window_size": 4, "patch_size": 4}


def _grouped(decay: float, stacked: bool = False, **config: Any) -> tuple[Classifier, MultiBranchLoss, list[dict[str, Any]]]:
    config = {"options": VIT, "head": HeadConfig(hidden=8), **config}
    classifier = build_classifier(ModelConfig(stacked=StackedConfig(heads=(2, 4)) if stacked else None, **config), 32, 2)
    loss = MultiBranchLoss(torch.ones(2), "learned")
    return classifier, loss, parameter_groups(classifier, loss, 0.05, decay)


@pytest.mark.parametrize("stacked", [False, True])
def test_a_transformer_of_depth_d_has_d_plus_two_rates_rising_to_the_head(stacked: bool) -> None:
    classifier, loss, groups = _grouped(0.5, stacked)
    names = {id(p): name for module in (classifier, loss) for name, p in module.named_parameters()}
    assert sorted({group["scale"] for group in groups if "times" not in group["name"]}) == [0.5**4, 0.5**3, 0.5**2, 0.5, 1.0]
    layer_of = {"patch_embed": 0, "cls_token": 0, "pos_embed": 0, "blocks.0": 1, "blocks.1": 2, "blocks.2": 3}
    for group in groups:
        for parameter in group["params"]:
            name = names[id(parameter)]
            layers = [layer for part, layer in layer_of.items() if name.startswith(f"backbone.model.{part}")]
            last = 3 if name.startswith("backbone.model.norm") else 4  # the last norm belongs to the last block
            faster = classifier.faster().get(name, 1.0)
            assert group["scale"] == faster * 0.5 ** (4 - (layers[0] if layers else last)), name


@pytest.mark.parametrize(
    "config", [{}, {"backbone": "swin_tiny_patch4_window7_224", "options": SWIN}, {"backbone": "resnet10t", "options": {}}]
)
@pytest.mark.parametrize("decay", [1.0, 0.7])
def test_every_parameter_is_in_one_group_and_none_is_empty(decay: float, config: dict[str, Any]) -> None:
    classifier, loss, groups = _grouped(decay, **config)
    grouped = [id(p) for group in groups for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for module in (classifier, loss) for p in module.parameters())
    assert all(group["params"] for group in groups)
    assert len({group["name"] for group in groups}) == len(groups)


def test_without_layer_decay_there_is_one_rate() -> None:
    classifier, _, groups = _grouped(1.0)
    assert [(group["scale"], group["weight_decay"]) for group in groups] == [(1.0, 0.05), (1.0, 0.0), (32**0.5, 0.0)]
    assert [id(query) for query in groups[-1]["params"]] == [id(classifier.head.pool.query)]


def test_only_matrices_decay() -> None:
    classifier, loss, groups = _grouped(0.5)
    names = {id(p): name for module in (classifier, loss) for name, p in module.named_parameters()}
    kept = {names[id(p)] for group in groups if not group["weight_decay"] for p in group["params"]}
    vectors = ("bias", "norm", "scale", "shift", "theta", "log_variance", "pos_embed", "cls_token", "query")
    assert kept == {name for name in names.values() if any(vector in name for vector in vectors)}
