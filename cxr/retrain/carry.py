"""The weights of an older model carried over into a new one on another label set, exactly.

The backbone is taken as it is. Of the head, everything that a label has for itself (its query, its branch, its row of the
aggregated branch, its combination weight) comes from the label that it starts from; a new label's is drawn at random from the
seed and the label's name, so that the order of the labels, and which others are new, changes nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch

from cxr.config import TrainStage
from cxr.config_model import HeadConfig
from cxr.config_retrain import CarryConfig
from cxr.labels.label_set import LabelSet
from cxr.model.card import Preprocessing, read_card
from cxr.model.classifier import Classifier, build_head
from cxr.model.file import load_model
from cxr.model.head import SHARED
from cxr.retrain.fits import refuse_other_images, refuse_other_network, refuse_other_size
from cxr.retrain.plan import LabelPlan, plan_labels


@dataclass(frozen=True)
class _Head:
    """A classification head among the tensors of a classifier; a stacked one may have several.

    Args:
        prefix: that the names of its tensors begin with.
        width, token_width: of the features and tokens that it takes.
    """

    prefix: str
    width: int
    token_width: int


def plan_of(carry: CarryConfig, labels: LabelSet) -> LabelPlan:
    """What becomes of each label; see `cxr.retrain.plan.plan_labels`.

    Raises:
        DataError: the older model's file cannot be read.
        ConfigError: the labels do not fit.
    """
    return plan_labels(read_card(carry.model).labels, labels, carry.labels)


def check_older(config: TrainStage) -> None:
    """Refuse an older model that the new one cannot start from, before anything runs.

    Raises:
        ConfigError: another network, or images made in another way.
        DataError: the file cannot be read.
    """
    if config.retrain is None:
        return
    card = read_card(config.retrain.model)
    refuse_other_network(card.model, config.model)
    refuse_other_size(card, config.size, config.fit)


def carry_over(
    carry: CarryConfig, labels: LabelSet, made: Preprocessing, classifier: Classifier, head: HeadConfig, seed: int
) -> None:
    """Fill a new classifier with the weights of an older one.

    Args:
        carry: the older model, and which label comes from which.
        labels: of the new one.
        made: how its images are made.
        classifier: the new one; changed in place.
        head: how its heads are built.
        seed: of the rows of new labels.

    Raises:
        DataError: the older file cannot be read, or its images were made in another way.
        ConfigError: the labels do not fit.
    """
    older = load_model(carry.model, torch.device("cpu"))
    refuse_other_images(older.card, made, carry.model)
    state = _carried(older.classifier.state_dict(), classifier, plan_of(carry, labels), head, seed)
    classifier.load_state_dict(state)


def _carried(
    older: dict[str, torch.Tensor], classifier: Classifier, plan: LabelPlan, head: HeadConfig, seed: int
) -> dict[str, torch.Tensor]:
    """The state of the new classifier; `older` is that of the older one."""
    heads = _heads(classifier)
    fresh = {(each.prefix, name): _fresh(head, each, name, seed) for each in heads for name in plan.newer.names}
    state: dict[str, torch.Tensor] = {}
    for name, tensor in older.items():
        prefix = next((each.prefix for each in heads if name.startswith(each.prefix)), None)
        rest = name.removeprefix(prefix or "")
        if prefix is None or rest.startswith(SHARED):
            state[name] = tensor
            continue
        rows = [
            tensor[plan.older.names.index(plan.starts[label])] if label in plan.starts else fresh[prefix, label][rest][0]
            for label in plan.newer.names
        ]
        state[name] = torch.stack(rows)
    return state


def _heads(classifier: Classifier) -> list[_Head]:
    own = getattr(classifier, "own_heads", {})
    heads = {"head.": classifier.head} | {f"own_heads.{k}.": head for k, head in own.items()}
    return [_Head(prefix, head.width, head.token_width) for prefix, head in heads.items()]


def _fresh(config: HeadConfig, head: _Head, label: str, seed: int) -> dict[str, torch.Tensor]:
    """The tensors of a head of one new label."""
    digest = hashlib.sha256(f"{seed} {head.prefix} {label}".encode()).digest()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int.from_bytes(digest[:7], "big"))
        return dict(build_head(config, head.width, 1, head.token_width).state_dict())
