from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import pytest
import torch
from torch import nn

from cxr.errors import ConfigError
from cxr.model.stacked_layers import HeadMajorAttention, InOutLinear, stack_heads
from cxr.model.timm_gate import timm

Attention = timm.models.vision_transformer.Attention
FORMS: list[dict[str, Any]] = [
    {},
    {"qk_norm": True},
    {"init_values": 0.5},
    {"reg_tokens": 3},
    {"global_pool": "avg"},
    {"class_token": False, "global_pool": "avg"},
    {"qkv_bias": False},
    {"pre_norm": True},
    {"mlp_ratio": 3},
]


def _vit(**options: Any) -> Any:
    """A small transformer with four heads of 8, all its parameters drawn, so that no term vanishes."""
    sizes = {"embed_dim": 32, "num_heads": 4, "depth": 2, "patch_size": 8, "img_size": 32, "in_chans": 1, "num_classes": 0}
    model = timm.create_model("vit_tiny_patch16_224", **{**sizes, **options}).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.2)
    return model


def _stacked(model: Any) -> Any:
    model = copy.deepcopy(model)
    stack_heads(model)
    return model.eval()


def _set_fused(model: Any, *, fused: bool) -> None:
    for block in model.blocks:
        block.attn.fused_attn = fused


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("options", FORMS, ids=str)
def test_stacking_changes_no_output(options: dict[str, Any], fused: bool) -> None:
    plain, images = _vit(**options), torch.randn(2, 1, 32, 32)
    _set_fused(plain, fused=fused)
    stacked = _stacked(plain)
    assert all(block.attn.fused_attn == fused for block in stacked.blocks)
    assert (stacked(images) - plain(images)).abs().max() < 1e-5
    assert (stacked.forward_features(images) - plain.forward_features(images)).abs().max() < 1e-5
    assert plain(images).std() > 0.1  # else anything would do


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("options", [{}, {"qk_norm": True}], ids=str)
def test_stacking_changes_no_output_in_bf16(options: dict[str, Any], fused: bool) -> None:
    plain, images = _vit(**options), torch.randn(2, 1, 32, 32)
    _set_fused(plain, fused=fused)
    stacked = _stacked(plain)
    exact = plain(images)
    with torch.autocast("cpu", torch.bfloat16):
        expected, found = plain(images), stacked(images)
    error = (expected.float() - exact).abs().max()
    assert error > 1e-4  # bf16 did take part
    assert (found.float() - exact).abs().max() < 2 * error
    assert (found.float() - expected.float()).abs().max() < 2 * error


def test_stacking_changes_no_gradient() -> None:
    plain, images = _vit(), torch.randn(2, 1, 32, 32)
    stacked = _stacked(plain)
    for model in (plain, stacked):
        model(images).square().sum().backward()
    gradients = _stacked(plain)  # to bring gradients into timm's order, as weights are
    with torch.no_grad():
        for own, other in zip(gradients.parameters(), stacked.parameters(), strict=True):
            own.copy_(other.grad)
    for name, gradient in gradients.state_dict().items():
        expected = plain.get_parameter(name).grad
        assert torch.allclose(gradient, expected, rtol=1e-4, atol=1e-4 * expected.abs().max()), name


@pytest.mark.parametrize("fused", [True, False])
def test_dropout_of_attention_is_drawn_in_training_only(fused: bool) -> None:
    plain, images = _vit(attn_drop_rate=0.5), torch.randn(2, 1, 32, 32)
    _set_fused(plain, fused=fused)
    stacked = _stacked(plain)
    assert (stacked(images) - plain(images)).abs().max() < 1e-5
    stacked.train()
    assert not torch.equal(stacked(images), stacked(images))


@pytest.mark.parametrize("options", FORMS, ids=str)
def test_the_state_dict_is_timms_to_the_bit(options: dict[str, Any]) -> None:
    plain = _vit(**options)
    found, expected = _stacked(plain).state_dict(), plain.state_dict()
    assert set(found) == set(expected)
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name
        assert found[name].is_contiguous(), name


@pytest.mark.parametrize("options", FORMS, ids=str)
def test_state_dicts_load_strictly_both_ways(options: dict[str, Any]) -> None:
    plain, other, images = _vit(**options), _vit(**options), torch.randn(2, 1, 32, 32)
    stacked = _stacked(other)
    stacked.load_state_dict(plain.state_dict())
    assert (stacked(images) - plain(images)).abs().max() < 1e-5
    other.load_state_dict(stacked.state_dict())
    assert torch.equal(other(images), plain(images))


def test_loading_leaves_the_state_dict_of_the_caller_as_it_is() -> None:
    plain = _vit()
    state = {name: tensor.clone() for name, tensor in plain.state_dict().items()}
    _stacked(_vit()).load_state_dict(state)
    assert all(torch.equal(state[name], tensor) for name, tensor in plain.state_dict().items())


@pytest.mark.parametrize("again", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))], ids=["copied", "pickled"])
def test_the_order_of_state_dicts_survives_copying(again: Any) -> None:
    plain, target = _vit(), _stacked(_vit())
    stacked = again(_stacked(plain))
    assert all(torch.equal(stacked.state_dict()[name], tensor) for name, tensor in plain.state_dict().items())
    again(target).load_state_dict(plain.state_dict())
    assert not torch.equal(target.state_dict()["cls_token"], plain.state_dict()["cls_token"])


def test_a_state_dict_of_another_width_is_refused() -> None:
    with pytest.raises(RuntimeError, match="size mismatch for blocks"):
        _stacked(_vit()).load_state_dict(_vit(embed_dim=24, num_heads=3).state_dict())


def test_an_in_out_linear_is_the_linear_layer_transposed_in_memory() -> None:
    linear = nn.Linear(3, 5)
    layer = InOutLinear(linear)
    assert layer.weight.shape == (3, 5)
    assert torch.equal(layer.weight, linear.weight.t())
    assert torch.equal(layer.state_dict()["weight"], linear.weight)
    assert (layer(torch.eye(3)) - linear(torch.eye(3))).abs().max() < 1e-6


def test_the_first_heads_of_the_fused_projection_are_one_piece() -> None:
    attention = Attention(32, num_heads=4, qkv_bias=True)
    layer = HeadMajorAttention(attention)
    of_head = [torch.cat([part[8 * head : 8 * head + 8] for part in attention.qkv.weight.chunk(3)]) for head in range(4)]
    assert torch.equal(layer.qkv.weight.t(), torch.cat(of_head))


@pytest.mark.parametrize("name", ["swin_tiny_patch4_window7_224", "pvt_v2_b0", "resnet10t", "deit_tiny_distilled_patch16_224"])
def test_another_model_than_a_plain_transformer_is_refused_by_name(name: str) -> None:
    with torch.device("meta"):
        model = timm.create_model(name)
    with pytest.raises(ConfigError, match=f"must be a plain vision transformer.*not a {type(model).__name__}"):
        stack_heads(model)


def test_a_transformer_with_attention_pooling_is_refused() -> None:
    with pytest.raises(ConfigError, match="without attention pooling"):
        stack_heads(_vit(global_pool="map"))


@pytest.mark.parametrize(
    "options",
    [
        {"mlp_layer": timm.layers.SwiGLUPacked},
        {"block_fn": timm.models.vision_transformer.ResPostBlock},
        {"block_fn": timm.models.vision_transformer.ParallelScalingBlock},
    ],
    ids=["gated mlp", "post-norm", "parallel"],
)
def test_blocks_of_another_form_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="blocks of another form"):
        stack_heads(_vit(**options))


class _OtherAttention(Attention):
    """What timm calls by another name computes something else."""


@pytest.mark.parametrize("options", [{"scale_norm": True}, {"gated": True}], ids=str)
def test_an_attention_with_further_parts_is_refused(options: dict[str, Any]) -> None:
    if not set(options) <= set(inspect.signature(Attention).parameters):
        pytest.skip("this timm has none such")
    attention = Attention(24, num_heads=3, norm_layer=nn.LayerNorm, **options)
    with pytest.raises(ConfigError, match="the attention of this one has further parts"):
        HeadMajorAttention(attention)


def test_another_attention_is_refused() -> None:
    with pytest.raises(ConfigError, match="the attention of this one has further parts"):
        HeadMajorAttention(_OtherAttention(24, num_heads=3))


@pytest.mark.parametrize("asked", [{"attn_mask": torch.ones(4, 4)}, {"is_causal": True}], ids=["mask", "causal"])
def test_a_mask_is_refused_rather_than_left_out(asked: dict[str, Any]) -> None:
    layer = HeadMajorAttention(Attention(24, num_heads=3))
    with pytest.raises(ValueError, match="masks are not supported"):
        layer(torch.randn(1, 4, 24), **asked)
