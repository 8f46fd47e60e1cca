"""What is carried over is carried over to the bit, and what is new depends on the seed and its own name alone."""

from __future__ import annotations

import pytest
import torch

from cxr.config import TrainStage
from cxr.config_model import ModelConfig
from cxr.config_retrain import CarryConfig
from cxr.config_training import TrainConfig
from cxr.errors import ConfigError, DataError
from cxr.labels.label_set import Label, LabelSet, read_label_set
from cxr.labels.shipped import SHIPPED
from cxr.model.build import build_classifier
from cxr.model.file import load_model
from cxr.model.head import SHARED
from cxr.retrain.carry import carry_over, check_older
from tests.retrain.conftest import MADE, MODELS, PLAIN, STACKED

NIH = read_label_set(SHIPPED / "nih14" / "labels.yaml")
NEWER = LabelSet(
    name="newer",
    labels=tuple(
        Label(name=name) for name in ("Catheter", "Hernia", "Pleural Effusion", "Mass", "Viral pneumonia", "Fibrosis", "Stent")
    ),
)
"""Of NIH-14 three kept, one renamed, one split, two new, the others dropped."""
SAME = {"Hernia": "Hernia", "Pleural Effusion": "Effusion", "Mass": "Mass", "Fibrosis": "Fibrosis"}
IMAGES = torch.randint(0, 256, (3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def carried(path, model, labels, own=None, seed=5):
    torch.manual_seed(99)
    config = ModelConfig.model_validate(model)
    classifier = build_classifier(config, MADE.size, len(labels.names))
    carry_over(CarryConfig(model=path, labels=own or {}), labels, MADE, classifier, config.head, seed)
    return classifier.eval()


def rows(labels, names):
    return [labels.names.index(name) for name in names]


@pytest.fixture(params=MODELS, ids=list(MODELS))
def model(request):
    return MODELS[request.param]


def test_carried_weights_are_equal_to_the_bit(older_model, model):
    path = older_model(model, NIH)
    older = load_model(path, torch.device("cpu")).classifier.state_dict()
    newer = carried(path, model, NEWER).state_dict()
    assert older.keys() == newer.keys()
    starts = SAME | {"Viral pneumonia": "Pneumonia"}
    of_labels = 0
    for name, tensor in older.items():
        if "backbone" in name or SHARED in name:
            assert torch.equal(newer[name], tensor), name
        else:
            of_labels += 1
            assert torch.equal(newer[name][rows(NEWER, starts)], tensor[rows(NIH, starts.values())]), name
    assert of_labels >= 2


def test_kept_labels_are_predicted_as_by_the_older_model(older_model, model):
    path = older_model(model, NIH)
    older, newer = load_model(path, torch.device("cpu")).classifier, carried(path, model, NEWER)
    for heads in older.heads or (None,):
        before, now = (torch.sigmoid(each.at(heads)(IMAGES).combined) for each in (older, newer))
        assert (now[:, rows(NEWER, SAME)] - before[:, rows(NIH, SAME.values())]).abs().max() < 1e-6


def test_the_order_of_the_new_labels_changes_nothing(older_model, model):
    path = older_model(model, NIH)
    turned = NEWER.model_copy(update={"labels": NEWER.labels[::-1]})
    first, second = (carried(path, model, labels)(IMAGES).combined for labels in (NEWER, turned))
    assert (first - second.flip(1)).abs().max() < 1e-6


def test_the_order_of_the_older_labels_changes_nothing(older_model):
    path = older_model(PLAIN, NIH)
    first = carried(path, PLAIN, NEWER)(IMAGES).combined
    loaded = load_model(path, torch.device("cpu")).classifier
    turned = NIH.model_copy(update={"labels": NIH.labels[::-1]})
    state = {n: t.flip(0) if "head." in n and SHARED not in n else t for n, t in loaded.state_dict().items()}
    path = older_model(PLAIN, turned)  # overwritten with the same weights in another order
    from cxr.model.card import read_card
    from cxr.model.file import save_model

    save_model(path, state, read_card(path))
    assert torch.allclose(carried(path, PLAIN, NEWER)(IMAGES).combined, first, atol=1e-6)


def test_a_new_label_differs_from_another_and_with_the_seed(older_model):
    path = older_model(PLAIN, NIH)
    first, second = (carried(path, PLAIN, NEWER, seed=seed).state_dict()["head.branches.inner"] for seed in (5, 6))
    catheter, stent, mass = rows(NEWER, ("Catheter", "Stent", "Mass"))
    assert not torch.equal(first[catheter], first[stent])
    assert not torch.equal(first[catheter], second[catheter])
    assert torch.equal(first[mass], second[mass])


def test_the_same_seed_gives_the_same_whatever_was_drawn_before(older_model):
    path = older_model(PLAIN, NIH)
    first = carried(path, PLAIN, NEWER)
    torch.rand(7)
    assert torch.equal(first(IMAGES).combined, carried(path, PLAIN, NEWER)(IMAGES).combined)


def test_a_new_row_is_drawn_like_those_of_a_new_model(older_model):
    path = older_model(PLAIN, NIH)
    wide = LabelSet(name="wide", labels=tuple(Label(name=f"new {index}") for index in range(200)))
    state = carried(path, PLAIN, wide).state_dict()
    torch.manual_seed(0)
    usual = build_classifier(ModelConfig.model_validate(PLAIN), 32, 200).state_dict()
    for name in ("head.branches.inner", "head.pool.query", "head.linear.weight"):
        assert state[name].std() == pytest.approx(usual[name].std().item(), rel=0.05)
        assert len(state[name].flatten(1).unique(dim=0)) == 200


def test_images_made_in_another_way_are_refused(older_model):
    path = older_model(PLAIN, NIH, preprocessing=MADE.model_copy(update={"normaliser": 2}))
    with pytest.raises(DataError, match="learned from images with normaliser 2, these have normaliser 3"):
        carried(path, PLAIN, NEWER)


def stage(path, model, **keys):
    values = {"seed": 1, "labels": SHIPPED / "nih14" / "labels.yaml", "size": 32, "train": TrainConfig()}
    carry = CarryConfig(model=path, labels={})
    return TrainStage(**(values | {"model": ModelConfig.model_validate(model), "retrain": carry} | keys))


def test_the_same_network_passes_the_check_with_another_dropout(older_model):
    path = older_model(PLAIN, NIH)
    check_older(stage(path, PLAIN | {"head": {"hidden": 8, "dropout": 0.3, "loss_weights": "uniform"}}))


@pytest.mark.parametrize(
    ("model", "keys", "problem"),
    [
        (PLAIN | {"backbone": "vit_small_patch16_224"}, {}, "'model.backbone' is vit_small_patch16_224, but vit_tiny"),
        (PLAIN | {"head": {"hidden": 9}}, {}, "'model.head.hidden' is 9, but 8"),
        (PLAIN | {"options": {}}, {}, "'model.options'"),
        (STACKED | {"options": PLAIN["options"]}, {}, "'model.stacked'"),
        (PLAIN, {"size": 64}, "'ingest.size' is 64, but the older model learned from images with size 32"),
        (PLAIN, {"fit": "crop"}, "'ingest.fit' is crop"),
    ],
)
def test_another_network_and_other_images_are_refused_before_anything_runs(older_model, model, keys, problem):
    path = older_model(PLAIN, NIH)
    with pytest.raises(ConfigError, match=problem):
        check_older(stage(path, model, **keys))
