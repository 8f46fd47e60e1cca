from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from cxr.errors import ConfigError
from cxr.model.backbone import Backbone
from cxr.model.timm_gate import timm

SWIN = {"embed_dim": 16, "depths": (1, 1), "num_heads": (1, 2), "window_size": 4, "patch_size": 4}


def test_timm_imports_next_to_any_torch() -> None:
    assert timm.is_model("vit_tiny_patch16_224")
    assert hasattr(torch.ops.torchvision, "nms")


@pytest.mark.parametrize(
    ("name", "options", "tokens"),
    [
        ("vit_tiny_patch16_224", None, 16),
        ("vit_tiny_patch16_224", {"reg_tokens": 3, "global_pool": "avg"}, 16),
        ("swin_tiny_patch4_window7_224", SWIN, 16),
        ("resnet10t", {}, 1),
        ("mobilenetv3_small_050", {}, 1),
        ("pvt_v2_b0", {}, 1),
    ],
)
def test_a_grey_backbone_gives_pooled_and_patch_tokens(
    name: str, options: dict[str, Any] | None, tokens: int, vit_options: dict[str, Any]
) -> None:
    if name.startswith("vit"):
        options = {**vit_options, **(options or {})}
    backbone = Backbone(name, 32, options or {}).eval()
    features = backbone(torch.randn(2, 1, 32, 32))
    assert features.pooled.shape == (2, backbone.width)
    assert features.tokens.shape == (2, tokens, backbone.width)


@pytest.mark.parametrize(("name", "options"), [("swin_tiny_patch4_window7_224", SWIN), ("resnet10t", {})])
def test_tokens_of_a_feature_map_stand_row_by_row(name: str, options: dict[str, Any]) -> None:
    backbone = Backbone(name, 64, options).eval()
    images = torch.randn(1, 1, 64, 64)
    features = backbone.model.forward_features(images)
    rows_columns_width = features if name.startswith("swin") else features.permute(0, 2, 3, 1)
    side = rows_columns_width.shape[1]
    tokens = backbone(images).tokens
    assert side > 1
    assert torch.equal(tokens[0, side + 1], rows_columns_width[0, 1, 1])
    assert torch.equal(tokens[0, 1], rows_columns_width[0, 0, 1])


def test_prefix_tokens_are_not_patches(vit_options: dict[str, Any]) -> None:
    backbone = Backbone("vit_tiny_patch16_224", 32, {**vit_options, "reg_tokens": 2}).eval()
    images = torch.randn(1, 1, 32, 32)
    assert torch.equal(backbone(images).tokens, backbone.model.forward_features(images)[:, 3:])


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="no model 'vit_tiny_patch16_242'; did you mean vit_tiny_patch16_224"):
        Backbone("vit_tiny_patch16_242", 32, {})


@pytest.mark.parametrize(("size", "options"), [(36, {}), (32, {"depht": 2})])
def test_a_size_or_option_that_does_not_fit_is_refused(size: int, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"model.backbone: vit_tiny_patch16_224 at {size} pixels"):
        Backbone("vit_tiny_patch16_224", size, options)


@pytest.mark.parametrize("option", [{"pretrained": True}, {"checkpoint_path": "/home/x/weights.pth"}, {"in_chans": 3}])
def test_an_option_that_would_go_to_the_network_or_be_overruled_is_refused(option: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"model.options.{next(iter(option))}: cannot be set"):
        Backbone("vit_tiny_patch16_224", 32, option)


def _colour_weights(path: Path, options: dict[str, Any], name: str = "vit_tiny_patch16_224") -> Any:
    model = timm.create_model(name, img_size=32, **options).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    state = model.state_dict()
    torch.save(state, path) if path.suffix == ".pth" else save_file(state, path)
    return model


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_colour_weights_fold_to_one_channel_exactly(tmp_path: Path, suffix: str, vit_options: dict[str, Any]) -> None:
    path = tmp_path / f"weights.{suffix}"
    colour = _colour_weights(path, vit_options)
    backbone = Backbone("vit_tiny_patch16_224", 32, vit_options, path).eval()
    images = torch.randn(3, 1, 32, 32)
    expected = colour.forward_features(images.repeat(1, 3, 1, 1))
    assert torch.allclose(backbone.model.forward_features(images), expected, atol=1e-5)


def test_weights_of_another_size_are_resized_by_position(tmp_path: Path, vit_options: dict[str, Any]) -> None:
    _colour_weights(tmp_path / "weights.safetensors", vit_options)
    backbone = Backbone("vit_tiny_patch16_224", 48, vit_options, tmp_path / "weights.safetensors").eval()
    assert backbone(torch.randn(1, 1, 48, 48)).tokens.shape == (1, 36, 32)


def test_weights_of_another_network_are_refused(tmp_path: Path, vit_options: dict[str, Any]) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({"layer.weight": torch.zeros(3)}, path)
    with pytest.raises(ConfigError, match="weights of vit_tiny_patch16_224 are missing, like cls_token"):
        Backbone("vit_tiny_patch16_224", 32, vit_options, path)


def test_weights_of_another_depth_are_refused(tmp_path: Path, vit_options: dict[str, Any]) -> None:
    _colour_weights(tmp_path / "weights.safetensors", vit_options)
    with pytest.raises(ConfigError, match=r"weights of vit_tiny_patch16_224 are missing, like blocks\.2"):
        Backbone("vit_tiny_patch16_224", 32, {**vit_options, "depth": 3}, tmp_path / "weights.safetensors")


class _Code:
    """Would print when unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("code ran",))


def test_a_weights_file_with_code_in_it_is_refused(
    tmp_path: Path, vit_options: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"cls_token": _Code()}, tmp_path / "weights.pth")
    with pytest.raises(ConfigError, match="neither safetensors nor a weights-only"):
        Backbone("vit_tiny_patch16_224", 32, vit_options, tmp_path / "weights.pth")
    assert "code ran" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pth"])
def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path, name: str, vit_options: dict[str, Any]) -> None:
    (tmp_path / name).write_bytes(b"no weights at all")
    with pytest.raises(ConfigError, match="neither safetensors nor a weights-only"):
        Backbone("vit_tiny_patch16_224", 32, vit_options, tmp_path / name)


@pytest.mark.parametrize(
    ("name", "options", "size", "tokens"),
    [
        ("deit_tiny_distilled_patch16_224", {"embed_dim": 32, "depth": 1, "num_heads": 2}, 48, 9),
        ("vit_tiny_r_s16_p8_224", {"embed_dim": 32, "depth": 1, "num_heads": 2}, 64, 4),
        ("swin_tiny_patch4_window7_224", SWIN, 48, 36),
    ],
)
def test_a_backbone_takes_another_size_than_its_name_says(name: str, options: dict[str, Any], size: int, tokens: int) -> None:
    backbone = Backbone(name, size, options).eval()
    features = backbone(torch.randn(2, 1, size, size))
    assert features.tokens.shape == (2, tokens, backbone.width)
    assert features.pooled.shape == (2, backbone.width)
    assert features.pooled.isfinite().all()


def test_the_pooled_feature_is_timms_own(vit_options: dict[str, Any]) -> None:
    backbone, images = Backbone("vit_tiny_patch16_224", 32, vit_options).eval(), torch.randn(2, 1, 32, 32)
    assert torch.equal(backbone(images).pooled, backbone.model(images))
    mean = Backbone("vit_tiny_patch16_224", 32, {**vit_options, "global_pool": "avg"}).eval()
    assert torch.equal(mean(images).pooled, mean.model(images))


@pytest.mark.parametrize(("name", "size", "options"), [("resnet10t", 32, {}), ("swin_tiny_patch4_window7_224", 32, SWIN)])
def test_colour_weights_of_other_networks_fold_to_one_channel_exactly(
    tmp_path: Path, name: str, size: int, options: dict[str, Any]
) -> None:
    sized = {"img_size": size} if name.startswith("swin") else {}
    colour = timm.create_model(name, **sized, **options).eval()
    save_file(colour.state_dict(), tmp_path / "weights.safetensors")
    backbone, images = Backbone(name, size, options, tmp_path / "weights.safetensors").eval(), torch.randn(3, 1, size, size)
    expected = colour.forward_features(images.repeat(1, 3, 1, 1))
    assert torch.allclose(backbone.model.forward_features(images), expected, atol=1e-4)


def test_positions_are_resized_as_timm_does(tmp_path: Path, vit_options: dict[str, Any]) -> None:
    colour = _colour_weights(tmp_path / "weights.safetensors", vit_options)
    backbone = Backbone("vit_tiny_patch16_224", 48, vit_options, tmp_path / "weights.safetensors")
    expected = timm.layers.resample_abs_pos_embed(colour.pos_embed, new_size=[6, 6], num_prefix_tokens=1)
    assert torch.allclose(backbone.model.pos_embed, expected, atol=1e-6)


def test_the_type_of_a_backbone_is_that_of_its_weights(vit_options: dict[str, Any]) -> None:
    backbone = Backbone("vit_tiny_patch16_224", 32, vit_options)
    assert backbone.dtype == torch.float32
    assert backbone.to(torch.bfloat16).dtype == torch.bfloat16


@pytest.mark.parametrize(
    "features", [[torch.zeros(1, 4, 8)], torch.zeros(1, 8), (torch.zeros(1, 4, 8),) * 2], ids=["list", "pooled", "two"]
)
def test_what_is_neither_tokens_nor_one_feature_map_is_refused(features: Any, vit_options: dict[str, Any]) -> None:
    backbone = Backbone("vit_tiny_patch16_224", 32, vit_options)
    backbone.model.forward_features = lambda _: features
    with pytest.raises(ValueError, match="neither tokens nor one feature map"):
        backbone(torch.zeros(1, 1, 32, 32))


def test_weights_that_have_no_place_are_refused(tmp_path: Path, vit_options: dict[str, Any]) -> None:
    path = tmp_path / "weights.safetensors"
    _colour_weights(path, {**vit_options, "depth": 3})
    with pytest.raises(ConfigError, match=r"12 weights have no place in vit_tiny_patch16_224, like blocks\.2"):
        Backbone("vit_tiny_patch16_224", 32, vit_options, path)
    _colour_weights(path, {**vit_options, "init_values": 0.1})
    with pytest.raises(ConfigError, match=r"4 weights have no place in vit_tiny_patch16_224, like blocks\.0\.ls1\.gamma"):
        Backbone("vit_tiny_patch16_224", 32, vit_options, path)


def test_weights_without_the_statistics_of_batch_norm_are_refused(tmp_path: Path) -> None:
    state = timm.create_model("resnet10t").state_dict()
    save_file({name: value for name, value in state.items() if "running" not in name}, tmp_path / "cut.safetensors")
    with pytest.raises(ConfigError, match=r"weights of resnet10t are missing, like conv1\.1\.running_mean"):
        Backbone("resnet10t", 32, {}, tmp_path / "cut.safetensors")


def test_a_swin_file_with_its_classifier_and_computed_tables_is_taken(tmp_path: Path) -> None:
    model = timm.create_model("swin_tiny_patch4_window7_224", img_size=32, **SWIN)
    state = model.state_dict() | {"layers.0.blocks.0.attn.relative_position_index": torch.zeros(16, 16)}
    save_file(state, tmp_path / "swin.safetensors")
    backbone = Backbone("swin_tiny_patch4_window7_224", 32, SWIN, tmp_path / "swin.safetensors")
    assert torch.equal(backbone.model.layers[0].blocks[0].attn.qkv.weight, model.layers[0].blocks[0].attn.qkv.weight)


def test_a_model_of_cxr_is_not_taken_for_one_of_timm(tmp_path: Path, vit_options: dict[str, Any]) -> None:
    save_file({"backbone.model.cls_token": torch.zeros(1, 1, 32)}, tmp_path / "model.safetensors")
    with pytest.raises(ConfigError, match="a model of cxr, where the weights of a timm model are sought"):
        Backbone("vit_tiny_patch16_224", 32, vit_options, tmp_path / "model.safetensors")


@pytest.mark.parametrize("options", [{"norm_layer": "foo"}, {"patch_size": 0}, {"num_heads": 0}])
def test_options_that_timm_stumbles_over_are_refused_in_words(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"model\.backbone: vit_tiny_patch16_224 at 32 pixels with"):
        Backbone("vit_tiny_patch16_224", 32, options)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("pvt_v2_b0", {"embed_dims": [8, 16, 40, 32], "depths": [1, 1, 1, 1]}),
        ("resnet10t", {}),
        ("swin_tiny_patch4_window7_224", {"embed_dim": 8, "depths": (1, 1, 1, 1), "num_heads": (1, 1, 2, 2), "window_size": 2}),
    ],
)
def test_a_backbone_that_ends_coarser_gives_the_tokens_of_the_last_stage_that_is_as_fine(
    name: str, options: dict[str, Any]
) -> None:
    torch.manual_seed(1)
    backbone, images = Backbone(name, 64, options, stride=16).eval(), torch.randn(2, 1, 64, 64)
    coarse = Backbone(name, 64, options).eval()
    coarse.load_state_dict(backbone.state_dict())
    with torch.no_grad():
        fine, last = backbone(images), coarse(images)
    assert fine.tokens.shape == (2, 16, backbone.token_width)
    assert last.tokens.shape == (2, 4, coarse.width)
    assert torch.allclose(fine.pooled, last.pooled, atol=1e-5)  # what the aggregated branch sees is the same


def test_fine_tokens_are_of_their_places_row_by_row() -> None:
    torch.manual_seed(1)
    backbone, images = Backbone("resnet10t", 64, {}, stride=4).eval(), torch.zeros(1, 1, 64, 64)
    marked = images.clone()
    marked[0, 0, 8:12, 40:44] = 1
    with torch.no_grad():
        changed = (backbone(marked).tokens - backbone(images).tokens).abs().sum(-1).reshape(16, 16)
    row, column = divmod(int(changed.argmax()), 16)
    assert (row, column) in [(r, c) for r in (1, 2, 3) for c in (9, 10, 11)]


@pytest.mark.parametrize("stride", [16, 8, 2])
def test_a_plain_transformer_has_one_grid_whatever_the_stride(stride: int, vit_options: dict[str, Any]) -> None:
    backbone = Backbone("vit_tiny_patch16_224", 32, vit_options, stride=stride)
    assert backbone.token_width == backbone.width
    assert backbone(torch.zeros(1, 1, 32, 32)).tokens.shape[-1] == backbone.width
