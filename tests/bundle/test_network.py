from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cxr.bundle.network import BundleNetwork, Lines
from cxr.calibrate.calibration import Calibration, LabelCalibration
from cxr.calibrate.scaling import Platt, Temperature, Unchanged
from cxr.export.network import Chosen
from tests.serve.models import NAMES, SIZE

SCALINGS = (Platt(slope=0.4, intercept=-1.5), Temperature(slope=2.5), Unchanged(reason="too few patients"))


def mixed(calibration: Calibration) -> Calibration:
    """A calibration with each of the three kinds of scaling."""
    labels = {
        name: LabelCalibration(scaling=scaling, points=calibration.labels[name].points)
        for name, scaling in zip(NAMES, SCALINGS, strict=True)
    }
    return calibration.model_copy(update={"labels": labels})


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_calibration_as_a_layer_is_the_calibration_at_every_score(chosen: Chosen, scores: list[float]) -> None:
    calibration = mixed(chosen.card.calibration)
    found = Lines(calibration, NAMES)(torch.tensor([scores], dtype=torch.float64)).numpy()
    assert found == pytest.approx(calibration.apply(np.array([scores]), NAMES), abs=1e-12)


def test_scores_of_exactly_0_and_1_have_finite_probabilities(chosen: Chosen) -> None:
    calibration = mixed(chosen.card.calibration)
    ends = np.array([[0.0] * 3, [1.0] * 3])
    found = Lines(calibration, NAMES)(torch.from_numpy(ends)).numpy()
    assert found == pytest.approx(calibration.apply(ends, NAMES), abs=1e-12)
    assert found[0, :2].min() > 0


def test_the_network_gives_the_probabilities_of_the_predictor(chosen: Chosen) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, SIZE, SIZE), dtype=np.uint8)
    scores = chosen.reference.probabilities(images)
    with torch.inference_mode():
        found = BundleNetwork(chosen)(torch.from_numpy(images)[:, None].float())
    assert found.dtype == torch.float64
    assert found.numpy() == pytest.approx(chosen.card.calibration.apply(scores, NAMES), abs=1e-6)


@pytest.mark.parametrize("value", [0.5, -1, 256, float("nan"), float("inf")])
def test_an_image_that_is_no_canonical_one_gets_no_number_and_its_neighbour_keeps_its_own(chosen: Chosen, value: float) -> None:
    images = torch.randint(0, 256, (2, 1, SIZE, SIZE)).float()
    network = BundleNetwork(chosen)
    with torch.inference_mode():
        before = network(images)
        images[1, 0, 3, 4] = value
        after = network(images)
    assert after[1].isnan().all()
    assert torch.equal(after[0], before[0])
