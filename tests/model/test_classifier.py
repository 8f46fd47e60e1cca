"""The classifier in float32, in bf16 and compiled; its parts and its widths have tests of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

from cxr.config_model import HeadConfig, ModelConfig, StackedConfig
from cxr.model.build import build_classifier
from cxr.model.classifier import Classifier, build_head

LABELS = 4


def _config(options: dict[str, Any], **changes: Any) -> ModelConfig:
    return ModelConfig(**{"options": options, "head": HeadConfig(hidden=8), **changes})


def _images(batch: int = 2, size: int = 32) -> torch.Tensor:
    return torch.randint(0, 256, (batch, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(5))


def _spread(classifier: Classifier) -> Classifier:
    """A classifier in evaluation mode whose parameters are all drawn, and whose logits differ between images."""
    with torch.no_grad():
        for parameter in classifier.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.02)
        for parameter in classifier.head.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.05)
    return classifier.eval()


def test_grey_values_come_to_the_backbone_centred_and_scaled(vit_options: dict[str, Any]) -> None:
    classifier = Classifier(_config(vit_options), 32, LABELS).eval()
    seen: list[torch.Tensor] = []
    classifier.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    images = torch.zeros(1, 32, 32, dtype=torch.uint8)
    images[0, 0, :3] = torch.tensor([0, 255, 51])
    classifier(images)
    assert seen[0].shape == (1, 1, 32, 32)
    assert seen[0][0, 0, 0, :3].tolist() == pytest.approx([-2, 2, -1.2])


def test_logits_depend_on_the_image(vit_options: dict[str, Any]) -> None:
    logits = _spread(Classifier(_config(vit_options), 32, LABELS))(_images(5)).combined
    assert logits.shape == (5, LABELS)
    assert logits.std(dim=0).min() > 1e-3


def test_a_classifier_computes_in_the_type_of_its_weights(vit_options: dict[str, Any]) -> None:
    classifier = Classifier(_config(vit_options), 32, LABELS).eval()
    exact = classifier(_images()).combined
    double = classifier.to(torch.float64)(_images()).combined
    assert double.dtype == torch.float64
    assert torch.allclose(double.float(), exact, atol=1e-5)


def test_without_a_choice_all_heads_are_all_there_is(vit_options: dict[str, Any]) -> None:
    classifier = Classifier(_config(vit_options), 32, LABELS)
    assert classifier.heads == ()
    assert classifier.at(None) is classifier
    with pytest.raises(ValueError, match="no network with 2 attention heads: its backbone is not stacked"):
        classifier.at(2)


def test_without_a_choice_every_parameter_is_its_own_part(vit_options: dict[str, Any]) -> None:
    classifier = Classifier(_config(vit_options), 32, LABELS)
    parts = classifier.parts(None)
    assert list(parts) == [name for name, _ in classifier.named_parameters()]
    assert all(part.whole is part.block is classifier.get_parameter(name) for name, part in parts.items())


def test_embeddings_and_vectors_of_a_label_do_not_decay(vit_options: dict[str, Any]) -> None:
    undecayed = Classifier(_config(vit_options), 32, LABELS).undecayed()
    vectors = {f"head.branches.{name}" for name in ("scale", "shift", "inner_bias")} | {"head.pool.query"}
    assert {"backbone.model.pos_embed", "backbone.model.cls_token"} | vectors <= undecayed
    convolutional = Classifier(_config({}, backbone="resnet10t"), 32, LABELS)
    assert convolutional.undecayed() == vectors  # it says nothing of its own


def test_the_head_is_built_as_configured() -> None:
    head = build_head(HeadConfig(kind="multi_branch", pooling="token", hidden=5, dropout=0.3), 12, LABELS)
    assert head.pool is None
    assert head.branches is not None
    assert head.branches.inner.shape == (LABELS, 12, 5)
    assert head.branches.dropout.p == 0.3
    assert build_head(HeadConfig(kind="aggregated"), 12, LABELS).branches is None


@pytest.fixture(scope="module")
def networks() -> dict[str, Classifier]:
    """A transformer as wide as ViT-Ti, and a stacked one as wide as ViT-B with 3, 6 and 12 heads; four layers deep."""
    torch.manual_seed(0)
    plain = ModelConfig(options={"depth": 4})
    wide = ModelConfig(backbone="vit_base_patch16_224", options={"depth": 4}, stacked=StackedConfig(heads=(3, 6, 12)))
    stacked = _spread(build_classifier(wide, 64, LABELS))
    return {"plain": _spread(Classifier(plain, 64, LABELS)), **{f"stacked {k}": stacked.at(k) for k in (3, 6, 12)}}


NETWORKS = pytest.mark.parametrize("name", ["plain", "stacked 3", "stacked 6", "stacked 12"])


@NETWORKS
@pytest.mark.parametrize("fused", [True, False])
@torch.no_grad()
def test_bf16_keeps_probabilities_within_a_hundredth(networks: dict[str, Classifier], name: str, fused: bool) -> None:
    network, images = networks[name], _images(4, 64)
    for block in network.backbone.model.blocks:
        block.attn.fused_attn = fused
    exact = torch.sigmoid(network(images).combined)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = torch.sigmoid(network(images).combined.float())
    assert exact.std() > 0.05  # neither all alike nor all certain
    assert exact.min() > 0.02
    assert exact.max() < 0.98
    assert 0 < (rounded - exact).abs().max() < 0.01


@pytest.fixture
def _fresh_compiler() -> Iterator[None]:
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def _compiled_equals(network: nn.Module, images: torch.Tensor, backend: str) -> None:
    compiled = torch.compile(network, fullgraph=True, backend=backend)
    expected, found = network(images), compiled(images)
    for name in ("combined", "branch", "aggregated", "weights", "maps"):
        assert torch.allclose(getattr(found, name), getattr(expected, name), atol=1e-5), name


@pytest.mark.usefixtures("_fresh_compiler")
@pytest.mark.parametrize("heads", [None, 3, 6, 12])
@torch.no_grad()
def test_a_compiled_classifier_is_one_graph_with_equal_outputs(heads: int | None, vit_options: dict[str, Any]) -> None:
    options = {**vit_options, **({"embed_dim": 96, "num_heads": 12} if heads else {})}
    stacked = StackedConfig(heads=(3, 6, 12)) if heads else None
    classifier = _spread(build_classifier(_config(options, stacked=stacked), 32, LABELS))
    _compiled_equals(classifier.at(heads), _images(), "eager")


@pytest.mark.usefixtures("_fresh_compiler")
@pytest.mark.parametrize("heads", [None, 3])
def test_a_compiled_classifier_has_the_same_gradients(heads: int | None, vit_options: dict[str, Any]) -> None:
    options = {**vit_options, **({"embed_dim": 96, "num_heads": 12} if heads else {})}
    stacked = StackedConfig(heads=(3, 6, 12)) if heads else None
    network = _spread(build_classifier(_config(options, stacked=stacked), 32, LABELS)).at(heads)
    parameters, gradients = list(network.parameters()), []
    for run in (network, torch.compile(network, fullgraph=True, backend="aot_eager")):
        gradients.append(torch.autograd.grad(run(_images()).combined.square().sum(), parameters))
    for one, other in zip(*gradients, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-5 * max(1.0, one.abs().max().item()))


@pytest.mark.usefixtures("_fresh_compiler")
@torch.no_grad()
def test_compiled_networks_of_one_set_of_weights_share_it(vit_options: dict[str, Any]) -> None:
    stacked = StackedConfig(heads=(3, 12))
    config = _config({**vit_options, "embed_dim": 96, "num_heads": 12}, stacked=stacked)
    classifier = _spread(build_classifier(config, 32, LABELS))
    compiled = torch.compile(classifier.at(3), fullgraph=True, backend="eager")
    before = compiled(_images()).combined
    classifier.backbone.model.pos_embed.add_(torch.randn_like(classifier.backbone.model.pos_embed))
    assert not torch.allclose(compiled(_images()).combined, before, atol=1e-3)
    assert torch.allclose(compiled(_images()).combined, classifier.at(3)(_images()).combined, atol=1e-5)
