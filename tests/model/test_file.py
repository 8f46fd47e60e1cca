from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from cxr.calibrate.calibration import Calibration
from cxr.config_evaluate import CalibrateConfig, OperatingRule
from cxr.config_model import HeadConfig, ModelConfig, StackedConfig
from cxr.errors import DataError
from cxr.labels.label_set import Label, LabelSet
from cxr.model.build import build_classifier
from cxr.model.card import ModelCard, Preprocessing, read_card
from cxr.model.classifier import Classifier
from cxr.model.file import calibrated_copy, load_model, save_model
from cxr.predict.predictor import Predictor

CPU = torch.device("cpu")
LABELS = LabelSet(name="two", labels=(Label(name="Mass", synonyms=("lump",)), Label(name="Effusion", uncertain=0.3)))


@pytest.fixture
def saved(tmp_path: Path, vit_options: dict[str, Any]) -> tuple[Path, Classifier, ModelCard]:
    config = ModelConfig(options=vit_options, head=HeadConfig(hidden=8))
    classifier = Classifier(config, 32, 2).eval()
    card = ModelCard(
        cxr_version="0",
        labels=LABELS,
        model=config,
        preprocessing=Preprocessing(size=32, fit="crop", normaliser=3, canonical=2),
        run_id="r",
        data_sha256="d",
        epoch=7,
    )
    save_model(tmp_path / "model.safetensors", classifier.state_dict(), card)
    return tmp_path / "model.safetensors", classifier, card


def test_a_model_comes_back_with_equal_outputs(saved: tuple[Path, Classifier, ModelCard]) -> None:
    path, classifier, _ = saved
    images = torch.randint(0, 256, (4, 32, 32), dtype=torch.uint8)
    loaded = load_model(path, CPU).classifier
    assert not loaded.training
    assert torch.equal(loaded(images).combined, classifier(images).combined)


def test_a_model_with_buffers_comes_back_with_equal_outputs(tmp_path: Path, saved: tuple[Path, Classifier, ModelCard]) -> None:
    config = ModelConfig(backbone="resnet10t", head=HeadConfig(hidden=8))
    classifier = Classifier(config, 32, 2)
    images = torch.randint(0, 256, (8, 32, 32), dtype=torch.uint8)
    classifier(images)  # moves the running statistics
    save_model(tmp_path / "cnn.safetensors", classifier.state_dict(), saved[2].model_copy(update={"model": config}))
    loaded = load_model(tmp_path / "cnn.safetensors", CPU).classifier
    assert torch.equal(loaded(images).combined, classifier.eval()(images).combined)


def test_the_header_carries_what_a_served_model_needs(saved: tuple[Path, Classifier, ModelCard]) -> None:
    path, _, card = saved
    assert read_card(path) == card
    with safe_open(path, "pt") as file:
        header = json.loads(file.metadata()["cxr.model"])
    assert [label["name"] for label in header["labels"]["labels"]] == ["Mass", "Effusion"]
    assert header["labels"]["labels"][1]["uncertain"] == 0.3
    assert header["preprocessing"] == {"size": 32, "fit": "crop", "normaliser": 3, "canonical": 2}


def test_tensors_are_plain_and_their_names_carry_no_wrapper(saved: tuple[Path, Classifier, ModelCard]) -> None:
    path, classifier, _ = saved
    with safe_open(path, "pt") as file:
        names = set(file.keys())
    assert names == set(classifier.state_dict())
    assert not [name for name in names if "module." in name or "_orig_mod" in name]


@pytest.mark.parametrize("keep", [0.0, 0.001, 0.5, 0.999])
def test_a_cut_file_is_refused(saved: tuple[Path, Classifier, ModelCard], keep: float) -> None:
    content = saved[0].read_bytes()
    saved[0].write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(DataError, match="not a model file of cxr"):
        load_model(saved[0], CPU)


def test_a_folder_is_told_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a folder, not a model file of cxr; name the file"):
        load_model(tmp_path, CPU)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    with pytest.raises(DataError, match="not a model file of cxr"):
        load_model(path, CPU)
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(DataError, match="not a model file of cxr"):
        load_model(path, CPU)
    save_file({"weight": torch.zeros(2)}, path, metadata={"cxr.model": '{"format": 99}'})
    with pytest.raises(DataError, match="format 99; this version reads 1, 2, 3, 4"):
        load_model(path, CPU)
    save_file({"weight": torch.zeros(2)}, path, metadata={"cxr.model": '{"format": 4}'})
    with pytest.raises(DataError, match="header"):
        load_model(path, CPU)


def test_weights_that_are_not_the_headers_network_are_refused(saved: tuple[Path, Classifier, ModelCard]) -> None:
    path, _, card = saved
    save_model(path, {"weight": torch.zeros(2)}, card)
    with pytest.raises(DataError, match="weights do not fit vit_tiny_patch16_224"):
        load_model(path, CPU)


HEADS = (3, 6)


@pytest.fixture(params=[True, False], ids=["one head", "heads of their own"])
def stacked(
    request: pytest.FixtureRequest, tmp_path: Path, vit_options: dict[str, Any], saved: tuple[Path, Classifier, ModelCard]
) -> tuple[Path, Classifier]:
    """A file of a stacked model, all its parameters drawn, and the model."""
    config = ModelConfig(
        options={**vit_options, "embed_dim": 48, "num_heads": 6},
        stacked=StackedConfig(heads=HEADS, share_head=request.param),
        head=HeadConfig(hidden=8),
    )
    classifier = build_classifier(config, 32, 2).eval()
    for parameter in classifier.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    path = tmp_path / "stacked.safetensors"
    save_model(path, classifier.state_dict(), saved[2].model_copy(update={"model": config}))
    return path, classifier


def test_a_stacked_model_comes_back_with_equal_outputs_at_every_width(stacked: tuple[Path, Classifier]) -> None:
    path, classifier = stacked
    images = torch.randint(0, 256, (4, 32, 32), dtype=torch.uint8)
    loaded = load_model(path, CPU).classifier
    assert loaded.heads == HEADS
    for heads in (None, *HEADS):
        assert torch.equal(loaded.at(heads)(images).combined, classifier.at(heads)(images).combined)


def test_a_stacked_model_lies_in_its_file_in_timms_order(stacked: tuple[Path, Classifier]) -> None:
    path, classifier = stacked
    with safe_open(path, "pt") as file:
        rows = file.get_tensor("backbone.model.blocks.0.attn.qkv.weight")
    attention = classifier.get_submodule("backbone.model.blocks.0.attn")
    of_head = [torch.cat([part[8 * head : 8 * head + 8] for part in rows.chunk(3)]) for head in range(6)]
    assert torch.equal(attention.qkv.weight, torch.cat(of_head).t())


def test_a_predictor_runs_with_the_number_of_heads_asked_for(stacked: tuple[Path, Classifier]) -> None:
    path, classifier = stacked
    images = torch.randint(0, 256, (4, 32, 32), dtype=torch.uint8)
    for heads in (None, *HEADS):
        with torch.no_grad():
            expected = torch.sigmoid(classifier.at(heads)(images).combined.double()).numpy()
        scores = Predictor(path, CPU, heads=heads).probabilities(images.numpy())
        np.testing.assert_allclose(scores, expected, rtol=1e-6)
    narrow, wide = (Predictor(path, CPU, heads=heads).probabilities(images.numpy()) for heads in HEADS)
    assert abs(narrow - wide).max() > 1e-3


def test_a_predictor_with_a_number_of_heads_that_there_is_not_is_refused(
    stacked: tuple[Path, Classifier], saved: tuple[Path, Classifier, ModelCard]
) -> None:
    with pytest.raises(DataError, match=r"stacked\.safetensors: no network with 4 attention heads: it runs with 3, 6"):
        Predictor(stacked[0], CPU, heads=4)
    with pytest.raises(DataError, match=r"model\.safetensors: no network with 2 attention heads: its backbone is not stacked"):
        Predictor(saved[0], CPU, heads=2)


def test_a_calibrated_copy_has_the_same_weights_and_carries_its_calibration(
    saved: tuple[Path, Classifier, ModelCard], tmp_path: Path
) -> None:
    config = CalibrateConfig(points=(OperatingRule(rule="youden"),))
    fitted = {"scaling": {"method": "platt", "slope": 1.5, "intercept": -0.2}, "points": {"youden": {"reason": "no positives"}}}
    calibration = Calibration(
        schema_version=1, config=config, unit="image", combine="mean", images=9, patients=3, labels={"Mass": fitted}
    )
    path, copy = saved[0], tmp_path / "calibrated.safetensors"
    calibrated_copy(path, copy, calibration)
    assert read_card(copy).calibration == calibration
    assert read_card(copy).model_copy(update={"calibration": None}) == read_card(path)
    assert all(torch.equal(tensor, load_file(copy)[name]) for name, tensor in load_file(path).items())


def test_a_file_of_the_format_before_has_the_tokens_of_the_last_stage(
    tmp_path: Path, saved: tuple[Path, Classifier, ModelCard]
) -> None:
    older = saved[2].model_dump(mode="json") | {"format": 3}
    del older["model"]["head"]["stride"]
    path = tmp_path / "older.safetensors"
    save_file({"weight": torch.zeros(2)}, path, metadata={"cxr.model": json.dumps(older)})
    assert read_card(path).model.head.stride is None
    assert ModelCard.model_validate(older | {"format": 4}).model.head.stride == 16
