"""Every width of a stacked backbone is a plain transformer: here the plain ones are cut by hand and run by timm alone."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch.func import functional_call

from cxr.config_model import HeadConfig, ModelConfig, StackedConfig
from cxr.errors import ConfigError
from cxr.model.backbone import Backbone, Features
from cxr.model.build import build_classifier, check_model
from cxr.model.classifier import Classifier
from cxr.model.head import MultiBranchHead
from cxr.model.leading import leading
from cxr.model.stacked import StackedClassifier
from cxr.model.timm_gate import timm
from cxr.train.gradients import merge

HEAD_WIDTH, WIDEST, LABELS, SIZE, HIDDEN = 8, 12, 4, 32, 8
EVERY = range(3, 13)
State = dict[str, torch.Tensor]


def _options(heads: int = WIDEST) -> dict[str, Any]:
    return {"embed_dim": HEAD_WIDTH * heads, "num_heads": heads, "depth": 2, "patch_size": 8}


def _config(heads: tuple[int, ...] = tuple(EVERY), *, share_head: bool = True, **changes: Any) -> ModelConfig:
    stacked = StackedConfig(heads=heads, share_head=share_head)
    values = {"options": _options(), "stacked": stacked, "head": HeadConfig(hidden=HIDDEN)}
    return ModelConfig(**{**values, **changes})


def _randomise(module: torch.nn.Module) -> None:
    """Move every parameter, so that nothing is equal by being zero or one."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.2)


def _stacked(*arguments: Any, **changes: Any) -> StackedClassifier:
    classifier = StackedClassifier(_config(*arguments, **changes), SIZE, LABELS).eval()
    _randomise(classifier)
    return classifier


def _images(batch: int = 3) -> torch.Tensor:
    return torch.randint(0, 256, (batch, SIZE, SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(5))


def _vit(heads: int, **changes: Any) -> Any:
    values = {"img_size": SIZE, "in_chans": 1, "num_classes": 0, **_options(heads), **changes}
    return timm.create_model("vit_tiny_patch16_224", **values).eval()


def _cut(name: str, whole: torch.Tensor, p: int) -> torch.Tensor:
    """The share of a network of width p in a tensor of a timm state dict; its hidden layers are 4 p wide."""
    if name.endswith(("qkv.weight", "qkv.bias")):  # timm has the rows of all queries, then all keys, then all values
        rows = torch.cat([part[:p] for part in whole.chunk(3)])
        return rows[:, :p] if whole.ndim == 2 else rows
    if name.endswith(("fc1.weight", "fc1.bias")):
        return whole[: 4 * p, :p] if whole.ndim == 2 else whole[: 4 * p]
    if name.endswith("fc2.weight"):
        return whole[:p, : 4 * p]
    if name.endswith("attn.proj.weight"):
        return whole[:p, :p]
    return whole[..., :p] if name in ("cls_token", "pos_embed") else whole[:p]


def _cut_head(name: str, whole: torch.Tensor, p: int) -> torch.Tensor:
    """The same of the head: what runs over the features is cut, what runs over labels or the hidden layer is not."""
    of_features = ("linear.weight", "pool.query", "branches.scale", "branches.shift", "branches.inner")
    if name.startswith("pool.norm"):
        return whole[:p]
    return whole[:, :p] if name in of_features else whole


def _cut_named(name: str, whole: torch.Tensor, p: int) -> torch.Tensor:
    part, _, rest = name.partition(".")
    return _cut(rest.removeprefix("model."), whole, p) if part == "backbone" else _cut_head(rest, whole, p)


def _part(state: State, prefix: str) -> State:
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def _by_hand(state: State, heads: int) -> tuple[Any, MultiBranchHead]:
    """A timm model and a head of k heads, with weights cut from a stacked classifier's state dict."""
    p = heads * HEAD_WIDTH
    vit, head = _vit(heads), MultiBranchHead(p, LABELS, hidden=HIDDEN).eval()
    vit.load_state_dict({name: _cut(name, whole, p) for name, whole in _part(state, "backbone.model.").items()})
    head.load_state_dict({name: _cut_head(name, whole, p) for name, whole in _part(state, "head.").items()})
    return vit, head


def _error(one: torch.Tensor, other: torch.Tensor) -> float:
    assert one.shape == other.shape
    return (one - other).abs().max().item()


@torch.no_grad()
def _assert_is_the_plain_one(classifier: StackedClassifier, heads: int) -> None:
    images = _images()
    grey = (images[:, None].float() / 255 - 0.5) / 0.25
    network, extracted = classifier.at(heads), classifier.extract(heads)
    vit, head = _by_hand(classifier.state_dict(), heads)
    tokens = vit.forward_features(grey)
    features, plain = network.backbone(grey), Features(vit.forward_head(tokens, pre_logits=True), tokens[:, 1:])
    assert _error(features.pooled, plain.pooled) < 1e-5
    assert _error(features.tokens, plain.tokens) < 1e-5
    logits, expected = network(images), head(plain)
    assert expected.combined.std() > 0.05  # else anything would do
    for name in ("combined", "branch", "aggregated", "weights", "maps"):
        assert _error(getattr(logits, name), getattr(expected, name)) < 1e-5, name
        assert _error(getattr(extracted(images), name), getattr(expected, name)) < 1e-5, name


@pytest.mark.parametrize("heads", EVERY)
def test_every_width_is_the_plain_transformer_cut_by_hand(heads: int) -> None:
    _assert_is_the_plain_one(_stacked(), heads)


@pytest.mark.parametrize("of_file", [3, 6, 12])
def test_every_width_is_the_plain_transformer_with_loaded_weights(tmp_path: Path, of_file: int) -> None:
    start = _vit(of_file)
    _randomise(start)
    save_file(start.state_dict(), tmp_path / "weights.safetensors")
    classifier = StackedClassifier(_config(weights=tmp_path / "weights.safetensors"), SIZE, LABELS).eval()
    _randomise(classifier.head)
    state = _part(classifier.state_dict(), "backbone.model.")
    for name, given in start.state_dict().items():
        assert torch.equal(_cut(name, state[name], of_file * HEAD_WIDTH), given), name
    for heads in EVERY:
        _assert_is_the_plain_one(classifier, heads)


@pytest.mark.parametrize(
    "options",
    [
        {"qk_norm": True},
        {"init_values": 0.5},
        {"reg_tokens": 2},
        {"global_pool": "avg"},
        {"class_token": False, "global_pool": "avg"},
        {"qkv_bias": False},
        {"pre_norm": True},
        {"mlp_ratio": 3},
    ],
    ids=str,
)
@torch.no_grad()
def test_other_forms_of_a_plain_transformer_are_cut_as_well(options: dict[str, Any]) -> None:
    classifier, images = _stacked((3, 7, 12), options={**_options(), **options}), _images()
    for heads in (3, 7, 12):
        network, plain = classifier.at(heads), classifier.extract(heads)
        assert type(plain.backbone.model.blocks[0].attn) is timm.models.vision_transformer.Attention
        assert _error(network(images).combined, plain(images).combined) < 1e-5


@pytest.mark.parametrize("kind", ["multi_branch", "aggregated", "branches"])
@pytest.mark.parametrize("pooling", ["attention", "token"])
@torch.no_grad()
def test_every_form_of_the_head_is_cut_with_the_backbone(kind: Any, pooling: Any) -> None:
    classifier, images = _stacked((3, 12), head=HeadConfig(kind=kind, pooling=pooling, hidden=HIDDEN)), _images()
    for heads in (3, 12):
        assert _error(classifier.at(heads)(images).combined, classifier.extract(heads)(images).combined) < 1e-5


def test_the_published_sizes_are_timms_models_by_name() -> None:
    stacked = StackedConfig(heads=(3, 6, 12))
    classifier = StackedClassifier(ModelConfig(backbone="vit_base_patch16_224", stacked=stacked), 224, 2).eval()
    _randomise(classifier.backbone)
    image = torch.randn(1, 1, 224, 224)
    for heads, size in ((3, "tiny"), (6, "small"), (12, "base")):
        with torch.device("meta"):
            plain = timm.create_model(f"vit_{size}_patch16_224", in_chans=1, num_classes=0)
        plain.load_state_dict(classifier.at(heads).backbone.model.state_dict(), strict=True, assign=True)
        with torch.no_grad():
            tokens, found = plain.eval().forward_features(image), classifier.at(heads).backbone(image)
            assert _error(found.tokens, tokens[:, 1:]) < 1e-5
            assert _error(found.pooled, plain.forward_head(tokens, pre_logits=True)) < 1e-5
            assert found.pooled.std() > 0.1


def _colour_file(path: Path, heads: int) -> Path:
    """Weights as those of DeiT are published: three channels, another size of image, a classifier."""
    model = _vit(heads, img_size=48, in_chans=3, num_classes=10)
    _randomise(model)
    torch.save({"model": model.state_dict()}, path)
    return path


@pytest.mark.parametrize("heads", [3, 12])
def test_published_weights_fold_and_resize_as_in_the_plain_backbone(tmp_path: Path, heads: int) -> None:
    path = _colour_file(tmp_path / "deit.pth", heads)
    classifier = StackedClassifier(_config(weights=path), SIZE, LABELS).eval()
    plain = Backbone("vit_tiny_patch16_224", SIZE, _options(heads), path).eval()
    found = classifier.at(heads).backbone.state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in plain.state_dict().items())
    grey = torch.randn(2, 1, SIZE, SIZE)
    with torch.no_grad():
        assert _error(classifier.at(heads).backbone(grey).pooled, plain(grey).pooled) < 1e-5


def test_weights_from_the_hub_are_loaded_as_those_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _colour_file(tmp_path / "deit.pth", 3)
    monkeypatch.setattr("cxr.model.weights.hf_hub_download", lambda *_, **__: str(path))
    torch.manual_seed(1)
    from_hub = StackedClassifier(_config(hub="someone/deit"), SIZE, LABELS)
    torch.manual_seed(1)
    from_file = StackedClassifier(_config(weights=path), SIZE, LABELS)
    assert all(torch.equal(from_hub.state_dict()[name], tensor) for name, tensor in from_file.state_dict().items())


def test_what_loaded_weights_do_not_fill_stays_random(tmp_path: Path) -> None:
    path = _colour_file(tmp_path / "deit.pth", 5)
    torch.manual_seed(1)
    empty = StackedClassifier(_config((3, 12)), SIZE, LABELS)
    torch.manual_seed(1)
    loaded = StackedClassifier(_config((3, 12), weights=path), SIZE, LABELS)  # no network of its own has 5 heads
    for name, parameter in loaded.named_parameters():
        before = dict(empty.named_parameters())[name].detach()
        if not name.startswith("backbone."):
            assert torch.equal(parameter, before), name
            continue
        kept = torch.ones_like(parameter, dtype=torch.bool)
        leading(kept, loaded._with(5).get_parameter(name).shape).fill_(value=False)
        assert torch.equal(parameter[kept], before[kept]), name
        assert (parameter[~kept] != before[~kept]).float().mean() > 0.9, name


@pytest.mark.parametrize(("width", "head_width"), [(104, 8), (28, 7)])
def test_weights_of_a_width_that_does_not_fit_are_refused(tmp_path: Path, width: int, head_width: int) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(_vit(width // head_width, embed_dim=width).state_dict(), path)
    with pytest.raises(ConfigError, match=f"a transformer of width {width} does not fit; sought is a multiple of 8 up to 96"):
        StackedClassifier(_config(weights=path), SIZE, LABELS)


def test_weights_of_another_kind_of_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({"conv1.weight": torch.zeros(4, 4)}, path)
    with pytest.raises(
        ConfigError, match=r"model\.weights: .*: 30 weights of vit_tiny_patch16_224 are missing, like cls_token"
    ):
        StackedClassifier(_config(weights=path), SIZE, LABELS)


def test_weights_of_another_depth_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(_vit(3, depth=1).state_dict(), path)
    with pytest.raises(ConfigError, match=r"weights of vit_tiny_patch16_224 are missing, like blocks\.1"):
        StackedClassifier(_config(weights=path), SIZE, LABELS)


def test_numbers_of_heads_that_do_not_end_with_the_backbones_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"model\.stacked\.heads: vit_tiny_patch16_224 has 12 attention heads; end with that"):
        StackedClassifier(_config((3, 6)), SIZE, LABELS)


def test_another_backbone_than_a_plain_transformer_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"model\.stacked: the backbone must be a plain vision transformer.*not a ResNet"):
        StackedClassifier(_config(backbone="resnet10t", options={}), SIZE, LABELS)


def test_a_stacked_classifier_without_its_section_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"model\.stacked: the numbers of attention heads are not given"):
        StackedClassifier(_config(stacked=None), SIZE, LABELS)


def test_the_configuration_decides_what_is_built() -> None:
    assert type(build_classifier(_config(), SIZE, LABELS)) is StackedClassifier
    assert type(build_classifier(_config(stacked=None), SIZE, LABELS)) is Classifier


@pytest.mark.parametrize("heads", [99, 2, 0, -1])
def test_a_number_of_heads_that_there_is_not_is_refused_with_the_choice(heads: int) -> None:
    classifier = _stacked((3, 6, 12))
    for ask in (classifier.at, classifier.extract, classifier.parts):
        with pytest.raises(ValueError, match=f"no network with {heads} attention heads: it runs with 3, 6, 12"):
            ask(heads)


def test_all_heads_are_the_classifier_itself() -> None:
    classifier = _stacked()
    assert classifier.at(None) is classifier.at(12) is classifier


def test_a_network_is_made_once() -> None:
    classifier = _stacked()
    assert classifier.at(5) is classifier.at(5)


@torch.no_grad()
def test_parts_are_the_blocks_that_the_network_uses() -> None:
    classifier = _stacked()
    own = dict(classifier.named_parameters())
    for heads in (3, 12, None):
        network = dict(classifier.at(heads).named_parameters())
        parts = classifier.parts(heads)
        assert set(parts) == set(network) == set(own)
        for name, part in parts.items():
            assert part.whole is own[name]
            assert part.block is network[name]
            assert part.block.data_ptr() == part.whole.data_ptr()


def test_the_state_dict_is_that_of_the_plain_classifier() -> None:
    classifier = _stacked()
    plain = Classifier(_config(stacked=None), SIZE, LABELS)
    plain.load_state_dict(classifier.state_dict())
    assert _error(plain.eval()(_images()).combined, classifier(_images()).combined) < 1e-5


def test_an_extracted_classifier_is_a_copy() -> None:
    classifier = _stacked()
    extracted = classifier.extract(4)
    before = classifier.at(4)(_images()).combined
    _randomise(extracted)
    assert torch.equal(classifier.at(4)(_images()).combined, before)


@pytest.mark.parametrize("training", [True, False])
def test_every_network_is_in_the_mode_of_the_classifier(training: bool) -> None:
    classifier = _stacked(head=HeadConfig(hidden=HIDDEN, dropout=0.5))
    assert not classifier.at(3).training
    classifier.train(training)
    for network in (classifier.at(3), classifier.extract(3)):
        assert {module.training for module in network.modules()} == {training}
        outputs = [network(_images()).combined for _ in range(2)]
        assert torch.equal(*outputs) != training


AGAIN = {
    "copied": copy.deepcopy,
    "pickled": lambda classifier: pickle.loads(pickle.dumps(classifier)),
    "loaded": lambda classifier: _loaded(classifier.state_dict()),
    "assigned": lambda classifier: _loaded(copy.deepcopy(classifier.state_dict()), assign=True),
    "moved": lambda classifier: classifier.to(torch.float64).to(torch.float32),
}


def _loaded(state: State, **how: Any) -> StackedClassifier:
    classifier = StackedClassifier(_config(), SIZE, LABELS).eval()
    classifier.at(3)  # made before the weights come
    classifier.load_state_dict(state, **how)
    return classifier


@pytest.mark.parametrize("again", AGAIN.values(), ids=AGAIN)
@torch.no_grad()
def test_networks_follow_the_weights_wherever_they_go(again: Any) -> None:
    classifier, images = _stacked(), _images()
    expected = {heads: classifier.at(heads)(images).combined for heads in EVERY}
    other = again(classifier)
    for heads, logits in expected.items():
        assert torch.equal(other.at(heads)(images).combined, logits)
    other.backbone.model.pos_embed.add_(torch.randn_like(other.backbone.model.pos_embed))
    _assert_is_the_plain_one(other, 3)
    assert not torch.equal(other.at(3)(images).combined, expected[3])
    if other is not classifier:
        assert torch.equal(classifier.at(3)(images).combined, expected[3])


def test_a_pickled_classifier_holds_its_weights_once() -> None:
    classifier = _stacked()
    before = len(pickle.dumps(classifier))
    for heads in EVERY:
        classifier.at(heads)
    assert len(pickle.dumps(classifier)) == before
    assert classifier.at(3) is classifier.at(3)  # it has not lost its own


def test_networks_compute_in_the_type_of_the_weights() -> None:
    classifier = _stacked().to(torch.float64)
    for network in (classifier.at(3), classifier.extract(3)):
        assert network(_images()).combined.dtype == torch.float64
    assert _error(classifier.at(3)(_images()).combined, classifier.extract(3)(_images()).combined) < 1e-5


def test_frozen_weights_are_frozen_at_every_width() -> None:
    classifier = _stacked()
    classifier.at(3)
    classifier.backbone.requires_grad_(requires_grad=False)
    classifier.at(3)(_images()).combined.sum().backward()
    for name, part in classifier.parts(3).items():
        assert part.block.requires_grad == name.startswith("head."), name
    assert classifier.at(3).head.linear.weight.grad is not None
    classifier.requires_grad_(requires_grad=True)
    assert all(part.block.requires_grad for part in classifier.parts(3).values())


def test_each_number_of_heads_may_have_a_head_of_its_own() -> None:
    classifier, images = _stacked((3, 6, 12), share_head=False), _images()
    assert {name.split(".")[1] for name in classifier.state_dict() if name.startswith("own_heads.")} == {"3", "6"}
    for heads in (3, 6):
        names = {name for name in classifier.parts(heads) if not name.startswith("backbone.")}
        assert names == {f"own_heads.{heads}.{name}" for name, _ in classifier.head.named_parameters()}
        vit, _ = _by_hand(classifier.state_dict(), heads)
        tokens = vit.forward_features((images[:, None].float() / 255 - 0.5) / 0.25)
        expected = classifier.own_heads[str(heads)](Features(vit.forward_head(tokens, pre_logits=True), tokens[:, 1:])).combined
        assert _error(classifier.at(heads)(images).combined, expected) < 1e-5
        assert _error(classifier.extract(heads)(images).combined, expected) < 1e-5
    assert not [name for name in classifier.parts(None) if name.startswith("own_heads.")]
    assert set(classifier.parts(12)) == set(classifier.parts(None))


def test_a_pass_through_one_of_several_heads_leaves_the_others_alone() -> None:
    classifier = _stacked((3, 6, 12), share_head=False)
    classifier.at(6)(_images()).combined.sum().backward()
    for heads, trained in ((3, False), (6, True), (12, False)):
        blocks = [part.block for name, part in classifier.parts(heads).items() if not name.startswith("backbone.")]
        assert all((block.grad is not None) == trained for block in blocks), heads


def test_vectors_of_every_head_are_kept_from_decay() -> None:
    classifier = _stacked((3, 12), share_head=False)
    assert {
        "backbone.model.pos_embed",
        "head.branches.scale",
        "own_heads.3.branches.scale",
        "own_heads.3.pool.query",
    } <= classifier.undecayed()
    assert not [name for name in classifier.undecayed() if name.endswith(("inner", "outer"))]


def _objective(output: Any) -> torch.Tensor:
    weights = torch.linspace(-1, 1, LABELS)
    return (output.combined.sin() * weights).sum() + output.branch.square().mean()


@pytest.mark.parametrize("passes", [(12, 7, 3), (9, 4), (12, 3), (5,), (None,)])
def test_merged_gradients_are_those_of_the_summed_objective(passes: tuple[int | None, ...]) -> None:
    classifier, images = _stacked(), _images()
    whole = {name: tensor.clone().requires_grad_() for name, tensor in classifier.state_dict().items()}
    total = torch.zeros(())
    for heads in passes:
        p = (heads or WIDEST) * HEAD_WIDTH
        cut = {name: _cut_named(name, tensor, p) for name, tensor in whole.items()}
        total = total + _objective(functional_call(classifier.extract(heads or WIDEST), cut, (images,)))
    total.backward()

    for heads in passes:
        _objective(classifier.at(heads)(images)).backward()
    carrier = copy.deepcopy(classifier)  # to bring the gradients into timm's order, as weights are
    with torch.no_grad():
        for parameter in carrier.parameters():
            parameter.zero_()
        for name, part in merge(classifier, passes).items():
            leading(carrier.get_parameter(name), part.block.shape).copy_(part.block.grad)
    for name, gradient in carrier.state_dict().items():
        expected = whole[name].grad
        assert torch.allclose(gradient, expected, rtol=1e-4, atol=1e-5 * max(1.0, float(expected.abs().max()))), name


def test_merging_takes_the_gradients_of_the_narrower_ones_away() -> None:
    classifier = _stacked()
    for heads in (12, 3):
        classifier.at(heads)(_images()).combined.sum().backward()
    parts = merge(classifier, (12, 3))
    assert all(part.block is part.whole for part in parts.values())
    assert all(part.block.grad is None for part in classifier.parts(3).values())


def test_merging_with_heads_of_their_own_keeps_all_of_them() -> None:
    classifier = _stacked((3, 6, 12), share_head=False)
    for heads in (12, 3):
        classifier.at(heads)(_images()).combined.sum().backward()
    names = set(merge(classifier, (12, 3)))
    assert {name.split(".")[0] for name in names} == {"backbone", "head", "own_heads"}
    assert not [name for name in names if name.startswith("own_heads.6")]


def test_merging_where_the_wider_pass_left_no_gradient_takes_that_of_the_narrower() -> None:
    classifier = _stacked()
    classifier.at(3)(_images()).combined.sum().backward()
    expected = classifier.at(3).backbone.model.pos_embed.grad.clone()
    gradient = merge(classifier, (12, 3))["backbone.model.pos_embed"].block.grad
    assert gradient.shape[-1] == WIDEST * HEAD_WIDTH
    assert torch.equal(gradient[..., : 3 * HEAD_WIDTH], expected)
    assert not gradient[..., 3 * HEAD_WIDTH :].any()


@pytest.mark.parametrize("config", [_config(), _config(stacked=None), _config(stacked=None, backbone="resnet10t", options={})])
def test_a_model_that_takes_the_images_passes_its_trial(config: ModelConfig) -> None:
    check_model(config, SIZE)


@pytest.mark.parametrize("stacked", [StackedConfig(), None], ids=["stacked", "plain"])
def test_a_model_that_cannot_be_built_is_refused_before_training(stacked: StackedConfig | None) -> None:
    with pytest.raises(
        ConfigError, match=r"model\.backbone: vit_tiny_patch16_224 at 36 pixels: the size must be a multiple of 8"
    ):
        check_model(_config(stacked=stacked), 36)


def test_a_network_that_fails_on_images_is_refused_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(network: Classifier, _: torch.Tensor) -> None:
        if network.backbone.width == 5 * HEAD_WIDTH:
            raise RuntimeError("no such thing\nand more")

    monkeypatch.setattr(Classifier, "forward", fail)
    with pytest.raises(ConfigError, match=r"vit_tiny_patch16_224 cannot take images of 32 pixels: no such thing$"):
        check_model(_config(), SIZE)
    check_model(_config((3, 12)), SIZE)


def test_the_widest_network_is_extracted_beside_heads_of_its_own() -> None:
    classifier = _stacked((3, 12), share_head=False)
    assert _error(classifier.extract(12)(_images()).combined, classifier(_images()).combined) < 1e-5


def test_an_extracted_copy_keeps_every_digit() -> None:
    classifier = _stacked((3, 12)).to(torch.float64)
    _randomise(classifier)
    extracted = classifier.extract(3).state_dict()
    assert all(torch.equal(extracted[name], tensor) for name, tensor in classifier.at(3).state_dict().items())
