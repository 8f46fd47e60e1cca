from __future__ import annotations

from typing import Any, Literal

import pytest
import torch
from torch import nn

from cxr.config_model import HeadConfig, ModelConfig
from cxr.model.backbone import Features
from cxr.model.classifier import Classifier
from cxr.model.head import Branches, HeadOutput, MultiBranchHead
from cxr.train.losses import MultiBranchLoss

WIDTH, LABELS, TOKENS = 12, 4, 9
Pooling = Literal["attention", "token"]
POOLINGS = pytest.mark.parametrize("pooling", ["attention", "token"])


def _features(batch: int = 5, seed: int = 1) -> Features:
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(batch, TOKENS, WIDTH, generator=generator)
    return Features(torch.randn(batch, WIDTH, generator=generator), tokens)


def _head(kind: Any = "multi_branch", pooling: Pooling = "attention", labels: int = LABELS) -> MultiBranchHead:
    """A head with all its parameters drawn, so that nothing is equal by being zero."""
    head = MultiBranchHead(WIDTH, labels, kind, pooling, hidden=6).eval()
    for parameter in head.parameters():
        nn.init.normal_(parameter)
    return head


def _pick(head: MultiBranchHead, labels: list[int]) -> MultiBranchHead:
    """The head whose label i is label labels[i] of another."""
    shared = ("pool.norm.weight", "pool.norm.bias")
    state = {name: value if name in shared else value[labels] for name, value in head.state_dict().items()}
    pooling: Pooling = "token" if head.pool is None else "attention"
    kind = "multi_branch" if head.theta is not None else "aggregated" if head.branches is None else "branches"
    picked = _head(kind, pooling, len(labels))
    picked.load_state_dict(state)
    return picked


@POOLINGS
@pytest.mark.parametrize("kind", ["multi_branch", "aggregated", "branches"])
def test_permuting_labels_permutes_outputs(kind: str, pooling: Pooling) -> None:
    head, order = _head(kind, pooling), [2, 0, 3, 1]
    expected, output = head(_features()), _pick(head, order)(_features())
    assert torch.allclose(output.combined, expected.combined[:, order], atol=1e-5)
    if output.maps is not None:
        assert torch.allclose(output.maps, expected.maps[:, order], atol=1e-6)


@POOLINGS
def test_a_branch_in_company_equals_the_branch_alone(pooling: Pooling) -> None:
    head = _head("branches", pooling)
    together = head(_features()).combined
    for label in range(LABELS):
        assert torch.allclose(_pick(head, [label])(_features()).combined[:, 0], together[:, label], atol=1e-5)


def test_a_branch_equals_its_written_formula() -> None:
    branches = _head("branches", "token").branches
    assert isinstance(branches, Branches)
    features = _features().pooled
    for j in range(LABELS):
        normalised = nn.functional.layer_norm(features, (WIDTH,)) * branches.scale[j] + branches.shift[j]
        hidden = nn.functional.gelu(normalised @ branches.inner[j] + branches.inner_bias[j])
        expected = hidden @ branches.outer[j] + branches.outer_bias[j]
        assert torch.allclose(branches(features[:, None])[:, j], expected, atol=1e-5)


def test_attention_pooling_equals_its_written_formula() -> None:
    pool, tokens = _head().pool, _features().tokens
    assert pool is not None
    keys = pool.norm(tokens)
    pooled, maps = pool(tokens)
    for j in range(LABELS):
        weights = torch.softmax((keys * pool.query[j]).sum(-1) / WIDTH**0.5, dim=1)
        assert torch.allclose(maps[:, j], weights, atol=1e-6)
        assert torch.allclose(pooled[:, j], (weights[..., None] * keys).sum(1), atol=1e-5)


@POOLINGS
def test_logits_of_a_sample_do_not_depend_on_its_neighbours(pooling: Pooling) -> None:
    head, features = _head(pooling=pooling), _features()
    together = head(features).combined
    alone = head(Features(features.pooled[2:3], features.tokens[2:3])).combined
    assert torch.allclose(together[2:3], alone, atol=1e-5)


def test_logits_depend_on_the_samples_own_tokens() -> None:
    head, features = _head("branches"), _features()
    changed = features.tokens.clone()
    changed[2] += 1 + torch.randn(TOKENS, WIDTH)
    differs = (head(Features(features.pooled, changed)).combined != head(features).combined).any(dim=1)
    assert differs.tolist() == [False, False, True, False, False]


def test_aggregated_only_is_the_plain_linear_head() -> None:
    head = _head("aggregated")
    linear = nn.Linear(WIDTH, LABELS)
    linear.load_state_dict({"weight": head.state_dict()["linear.weight"], "bias": head.state_dict()["linear.bias"]})
    output = head(_features())
    assert torch.equal(output.combined, linear(_features().pooled))
    assert output.branch is None
    assert sum(p.numel() for p in head.parameters()) == sum(p.numel() for p in linear.parameters())


def test_the_combination_starts_even() -> None:
    output = MultiBranchHead(WIDTH, LABELS).eval()(_features())
    assert torch.allclose(output.combined, (output.branch + output.aggregated) / 2, atol=1e-6)


def test_the_combination_lies_between_branch_and_aggregated() -> None:
    output = _head()(_features(64))
    low, high = torch.minimum(output.branch, output.aggregated), torch.maximum(output.branch, output.aggregated)
    assert ((output.combined >= low - 1e-5) & (output.combined <= high + 1e-5)).all()


def test_the_combination_weight_is_the_branchs_share() -> None:
    head = _head()
    nn.init.constant_(head.theta, 30.0)
    output = head(_features())
    assert torch.allclose(output.combined, output.branch, atol=1e-5)


def test_maps_are_distributions_over_the_tokens() -> None:
    maps = _head()(_features()).maps
    assert maps.shape == (5, LABELS, TOKENS)
    assert (maps >= 0).all()
    assert torch.allclose(maps.sum(-1), torch.ones(5, LABELS), atol=1e-6)


def _gradients(head: MultiBranchHead, targets: torch.Tensor) -> dict[str, torch.Tensor]:
    head.zero_grad(set_to_none=True)
    output: HeadOutput = head(_features())
    MultiBranchLoss(torch.ones(targets.shape[1]), "learned")(output, targets).backward()
    return {name: parameter.grad.clone() for name, parameter in head.named_parameters()}


def test_a_label_that_is_unknown_in_a_batch_leaves_its_branch_alone() -> None:
    targets = torch.randint(0, 2, (5, LABELS)).float()
    targets[:, 2] = torch.nan
    own = ("pool.query", "branches.scale", "branches.shift", "branches.inner", "branches.outer", "linear.weight", "theta")
    gradients = _gradients(_head(), targets)
    for name in own:
        assert not gradients[name][2].any(), name
        assert gradients[name][[0, 1, 3]].any(), name


def test_a_label_that_is_unknown_in_a_batch_changes_nothing_for_the_others() -> None:
    targets = torch.randint(0, 2, (5, LABELS)).float()
    targets[:, 2] = torch.nan
    head, others = _head(), [0, 1, 3]
    with_it, without = _gradients(head, targets), _gradients(_pick(head, others), targets[:, others])
    for name, gradient in without.items():
        expected = with_it[name] if name.startswith("pool.norm") else with_it[name][others]
        assert torch.allclose(gradient, expected, atol=1e-5), name


@pytest.mark.parametrize("kind", ["multi_branch", "aggregated", "branches"])
@POOLINGS
def test_a_classifier_gives_the_same_logits_in_any_batch(kind: Any, pooling: Pooling, vit_options: dict[str, Any]) -> None:
    config = ModelConfig(options=vit_options, head=HeadConfig(kind=kind, pooling=pooling, hidden=8))
    classifier = Classifier(config, 32, LABELS).eval()
    images = torch.randint(0, 256, (6, 32, 32), dtype=torch.uint8)
    together = classifier(images).combined
    assert together.shape == (6, LABELS)
    assert torch.allclose(classifier(images[3:4]).combined, together[3:4], atol=1e-5)
    assert together.std(dim=0).min() > 1e-4


def test_tokens_may_be_of_another_width_than_the_features() -> None:
    head = MultiBranchHead(WIDTH, LABELS, hidden=6, token_width=7).eval()
    features = Features(_features().pooled, torch.randn(5, TOKENS, 7, generator=torch.Generator().manual_seed(2)))
    output = head(features)
    assert output.combined.shape == (5, LABELS)
    assert output.maps.shape == (5, LABELS, TOKENS)


def test_branches_on_the_pooled_feature_do_not_ask_for_the_width_of_tokens() -> None:
    head = MultiBranchHead(WIDTH, LABELS, pooling="token", hidden=6, token_width=7).eval()
    assert head(_features()).combined.shape == (5, LABELS)


def test_queries_start_near_the_even_map_and_learn_faster_the_wider_the_tokens() -> None:
    torch.manual_seed(0)
    for width in (64, 1024):
        pool = MultiBranchHead(width, 50).pool
        assert pool is not None
        scores = pool.query.detach() @ torch.randn(width, 200) / width**0.5
        assert scores.std() == pytest.approx(0.02 * width**0.5, rel=0.15)
        assert pool.rate == width**0.5
