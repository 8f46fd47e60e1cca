from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from cxr.config_model import HeadConfig, ModelConfig, StackedConfig
from cxr.model.classifier import Classifier
from cxr.model.cost import Cost, costs, gmacs
from cxr.model.timm_gate import timm

PUBLISHED = {
    3: (5.72, 1.25),
    4: (9.98, 2.14),
    5: (15.43, 3.25),
    6: (22.05, 4.60),
    7: (29.85, 6.18),
    8: (38.84, 7.99),
    9: (49.00, 10.04),
    10: (60.34, 12.31),
    11: (72.87, 14.82),
    12: (86.57, 17.56),
}
"""Parameters in 10^6 and GMACs by heads, on three channels of 224 pixels with 1000 classes: the table of the stacked-heads
method (Haberer et al., arXiv 2409.17978), decoded from a figure of its authors; the parameters are those of DeiT too."""

OPTIONS: dict[str, Any] = {"embed_dim": 48, "num_heads": 6, "depth": 2, "patch_size": 8}


def _meta(*shape: int) -> torch.Tensor:
    return torch.zeros(*shape, device="meta")


@pytest.mark.parametrize("heads", PUBLISHED)
def test_every_width_costs_what_is_published(heads: int) -> None:
    with torch.device("meta"):
        network = timm.create_model("vit_base_patch16_224", embed_dim=64 * heads, num_heads=heads)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    found = f"{parameters / 1e6:.2f}", f"{gmacs(network.eval(), _meta(1, 3, 224, 224)):.2f}"
    assert found == tuple(f"{value:.2f}" for value in PUBLISHED[heads])


BASE_LABELS = 14


@pytest.fixture(scope="module")
def base_costs() -> dict[int | None, Cost]:
    """Of a stacked ViT-B of 3 to 12 heads with a plain linear head."""
    stacked = StackedConfig(heads=tuple(PUBLISHED))
    config = ModelConfig(backbone="vit_base_patch16_224", stacked=stacked, head=HeadConfig(kind="aggregated"))
    return {cost.heads: cost for cost in costs(config, 224, BASE_LABELS)}


@pytest.mark.parametrize("heads", PUBLISHED)
def test_a_stacked_base_costs_what_is_published(base_costs: dict[int | None, Cost], heads: int) -> None:
    """But for two channels of the stem and most of the 1000 classes, whose cost is known by hand."""
    cost, width = base_costs[heads], 64 * heads
    more_parameters = 2 * 256 * width + (width + 1) * (1000 - BASE_LABELS)
    more_macs = 2 * 256 * width * 196 + width * (1000 - BASE_LABELS)
    assert round((cost.parameters + more_parameters) / 1e6, 2) == PUBLISHED[heads][0]
    assert round(cost.gmacs + more_macs / 1e9, 2) == PUBLISHED[heads][1]


@pytest.mark.parametrize("kind", ["multi_branch", "aggregated", "branches"])
@pytest.mark.parametrize("share_head", [True, False])
def test_costs_are_those_of_the_extracted_networks(kind: Any, share_head: bool) -> None:
    stacked = StackedConfig(heads=(2, 3, 6), share_head=share_head)
    config = ModelConfig(options=OPTIONS, stacked=stacked, head=HeadConfig(kind=kind, hidden=8))
    found = costs(config, 32, 3)
    assert [cost.heads for cost in found] == [2, 3, 6]
    for cost in found:
        options = {**OPTIONS, "embed_dim": 8 * cost.heads, "num_heads": cost.heads}
        plain = Classifier(ModelConfig(options=options, head=config.head), 32, 3).eval()
        assert cost.parameters == sum(parameter.numel() for parameter in plain.parameters())
        image = torch.zeros(1, 32, 32, dtype=torch.uint8, device="meta")
        assert cost.gmacs == pytest.approx(gmacs(plain.to("meta"), image), rel=1e-12)


def test_a_backbone_without_a_choice_has_one_cost() -> None:
    config = ModelConfig(backbone="resnet10t", head=HeadConfig(hidden=8))
    (cost,) = costs(config, 32, 3)
    assert cost.heads is None
    assert cost.parameters == sum(parameter.numel() for parameter in Classifier(config, 32, 3).parameters())
    assert cost.gmacs > 0


def test_costs_need_no_weights(tmp_path: Any) -> None:
    missing = tmp_path / "absent.safetensors"
    config = ModelConfig(options=OPTIONS, head=HeadConfig(hidden=8))
    assert costs(config.model_copy(update={"weights": missing}), 32, 3) == costs(config, 32, 3)
    assert costs(config.model_copy(update={"hub": "nobody/nothing"}), 32, 3) == costs(config, 32, 3)


@pytest.mark.parametrize(
    ("network", "image", "expected"),
    [
        (nn.Linear(3, 5), (1, 3), 3 * 5),
        (nn.Linear(3, 5), (7, 3), 7 * 3 * 5),
        (nn.Conv2d(2, 4, 3, padding=1), (1, 2, 6, 6), 2 * 4 * 9 * 36),
        (nn.Sequential(nn.LayerNorm(8), nn.GELU(), nn.Softmax(-1)), (1, 8), 0),
    ],
    ids=["linear", "several", "convolution", "nothing that counts"],
)
def test_multiplications_are_counted_as_by_hand(network: nn.Module, image: tuple[int, ...], expected: int) -> None:
    assert gmacs(network.to("meta"), _meta(*image)) == pytest.approx(expected / 1e9, abs=1e-15)


def test_attention_counts_its_two_products_fused_or_not() -> None:
    tokens, width = 17, 24
    attention = timm.models.vision_transformer.Attention(width, num_heads=3).to("meta")
    linear, products = 4 * width * width * tokens, 2 * tokens * tokens * width
    for fused in (True, False):
        network = copy.deepcopy(attention)
        network.fused_attn = fused
        assert gmacs(network, _meta(1, tokens, width)) == pytest.approx((linear + products) / 1e9, abs=1e-15)
