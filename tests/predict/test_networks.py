"""Which network scores, and that no calibration is used for another one than it was fitted to."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from cxr.errors import ConfigError, DataError
from cxr.predict.cascade import Cascade
from cxr.predict.networks import Wanted, choose_heads, open_networks, read_cascade
from cxr.predict.predictor import Predictor
from tests.serve.models import NAMES, write_model

CASCADE = {
    "heads": [1, 4],
    "rule": "entropy",
    "limit": 0.9,
    "references": [{"entropy": 0.5, "spread": 1.0, "youden": 0.0}] * len(NAMES),
}
IDENTITY = Cascade.model_validate(CASCADE).identity
OF_CASCADE = f"cascade of 1 and 4 attention heads: 20 % of the test studies went on to the wide one ({IDENTITY})"
OF_AN_OLDER_VERSION = "cascade of 1 and 4 attention heads: 20 % of the test studies went on to the wide one (rule: entropy)"


@pytest.fixture
def cascade(tmp_path):
    path = tmp_path / "cascade.json"
    path.write_text(json.dumps(CASCADE))
    return path


def stacked(tmp_path, network):
    return write_model(tmp_path / "model.safetensors", heads=(1, 2, 4), network=network)


def scores(scorer):
    return scorer.probabilities(np.random.default_rng(0).integers(0, 256, (3, 32, 32), dtype=np.uint8))


def test_the_calibrated_network_runs_where_nothing_is_said(tmp_path):
    path = stacked(tmp_path, "2 of 4 attention heads")
    found = open_networks(path, Wanted(device="cpu"))
    assert found.words == "2 of 4 attention heads"
    assert found.calibration is not None
    np.testing.assert_array_equal(scores(found.first), scores(Predictor(path, torch.device("cpu"), 2)))


@pytest.mark.parametrize("wanted", [{"heads": 4}, {"heads": 1}, {"milliseconds": 1e6}])
def test_a_calibration_of_another_network_is_refused_in_words(tmp_path, wanted):
    path = stacked(tmp_path, "2 of 4 attention heads")
    with pytest.raises(
        DataError, match=r"was fitted to 2 of 4 attention heads, and does not hold for [14] of 4 .*--uncalibrated"
    ):
        open_networks(path, Wanted(**wanted, device="cpu"))
    found = open_networks(path, Wanted(**wanted, device="cpu", uncalibrated=True))
    assert found.calibration is None


def test_the_widest_network_within_the_budget_is_taken():
    times = {1: 2.0, 2: 3.0, 4: 9.0}
    heads, told = choose_heads((1, 2, 4), times.__getitem__, 3.0)
    assert (heads, told) == (2, "--milliseconds 3: one image alone takes with 1 heads 2.0 ms, 2 heads 3.0 ms, 4 heads 9.0 ms")
    assert choose_heads((1, 2, 4), times.__getitem__, 100.0)[0] == 4
    with pytest.raises(DataError, match=r"no network is as fast here; the narrowest has 1 attention heads and takes 2.0 ms"):
        choose_heads((1, 2, 4), times.__getitem__, 1.9)


def test_nothing_wider_is_measured_once_one_is_too_slow_and_a_hiccup_does_not_count():
    asked: list[int] = []
    answers = {1: [2.0], 2: [50.0, 3.0], 4: [9.0, 8.0], 8: []}

    def measure(heads: int) -> float:
        asked.append(heads)
        return answers[heads].pop(0)

    assert choose_heads((1, 2, 4, 8), measure, 5.0)[0] == 2
    assert asked == [1, 2, 2, 4, 4]


def test_what_was_measured_is_told(tmp_path):
    found = open_networks(stacked(tmp_path, "4 of 4 attention heads"), Wanted(milliseconds=1e6, device="cpu"))
    (remark,) = found.remarks
    assert all(f"{heads} heads " in remark for heads in (1, 2, 4))


def test_a_cascade_runs_with_the_calibration_of_just_it(tmp_path, cascade):
    path = stacked(tmp_path, OF_CASCADE)
    found = open_networks(path, Wanted(cascade=cascade, device="cpu"))
    assert found.calibration is not None
    assert found.cascade is not None
    assert np.abs(scores(found.first) - scores(found.second)).max() > 1e-3
    with pytest.raises(DataError, match=r"calibrated as a cascade of 1 and 4 attention heads: give its cascade\.json"):
        open_networks(path, Wanted(device="cpu"))


OTHERS = [
    {"heads": [2, 4]},
    {"rule": "largest entropy"},
    {"limit": 0.8},
    {"limit": None},
    {"references": [{"entropy": 0.5, "spread": 1.0, "youden": 0.1}, *CASCADE["references"][1:]]},
]


@pytest.mark.parametrize("change", OTHERS)
def test_another_cascade_than_the_calibrated_one_is_refused(tmp_path, cascade, change):
    cascade.write_text(json.dumps(CASCADE | change))
    with pytest.raises(
        DataError, match=r"fitted to cascade of 1 and 4 attention heads \(rule: entropy, cascade [0-9a-f]{12}\), and does not"
    ):
        open_networks(stacked(tmp_path, OF_CASCADE), Wanted(cascade=cascade, device="cpu"))


@pytest.mark.parametrize("change", OTHERS[:2])
def test_a_model_file_of_an_older_version_is_judged_by_heads_and_rule_and_says_so(tmp_path, cascade, change):
    path = stacked(tmp_path, OF_AN_OLDER_VERSION)
    found = open_networks(path, Wanted(cascade=cascade, device="cpu"))
    assert found.calibration is not None
    assert "does not tell the limit of its cascade" in found.remarks[0]
    assert "was judged by its heads and its rule" in found.remarks[0]
    cascade.write_text(json.dumps(CASCADE | change))
    with pytest.raises(DataError, match=r"fitted to cascade of 1 and 4 attention heads \(rule: entropy\), and does not hold"):
        open_networks(path, Wanted(cascade=cascade, device="cpu"))


def test_the_layout_of_a_file_is_no_part_of_what_a_cascade_is(tmp_path, cascade):
    cascade.write_text(json.dumps(dict(reversed(CASCADE.items())), indent=4))
    found = open_networks(stacked(tmp_path, OF_CASCADE), Wanted(cascade=cascade, device="cpu"))
    assert (found.remarks, found.calibration is None) == ((), False)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{}", "no cascade: heads"),
        ("no", "no cascade"),
        (json.dumps(CASCADE | {"references": CASCADE["references"][:2]}), "2 lab"),
    ],
)
def test_a_file_that_is_no_cascade_of_the_model_is_refused(cascade, text, problem):
    cascade.write_text(text)
    with pytest.raises(DataError, match=problem):
        read_cascade(cascade, len(NAMES))


def test_a_choice_where_there_is_none_is_refused(tmp_path, cascade):
    path = write_model(tmp_path / "model.safetensors")
    for name, value in {"heads": 2, "milliseconds": 5.0, "cascade": cascade}.items():
        with pytest.raises(ConfigError, match=f"--{name}: the model has one network only"):
            open_networks(path, Wanted(**{name: value}, device="cpu"))
    with pytest.raises(ConfigError, match="--heads and --cascade: choose one"):
        Wanted(heads=2, cascade=cascade)


def test_scores_without_calibration_are_given_only_where_they_are_wanted(tmp_path):
    path = write_model(tmp_path / "model.safetensors", calibrated=False)
    with pytest.raises(DataError, match="has no calibration"):
        open_networks(path, Wanted(device="cpu"))
    assert open_networks(path, Wanted(device="cpu", uncalibrated=True)).calibration is None


def test_a_model_that_needs_other_images_is_refused(tmp_path):
    with pytest.raises(DataError, match="trained on images with normaliser 0"):
        open_networks(write_model(tmp_path / "model.safetensors", normaliser=0), Wanted(device="cpu"))
