from __future__ import annotations

import numpy as np

from cxr.phantom.anatomy import draw_anatomy
from cxr.phantom.canvas import Pose


def test_the_same_generator_state_gives_the_same_patient():
    assert draw_anatomy(np.random.default_rng(8)) == draw_anatomy(np.random.default_rng(8))
    assert draw_anatomy(np.random.default_rng(8)) != draw_anatomy(np.random.default_rng(9))


def test_healthy_hearts_stay_within_normal_limits_even_in_ap():
    patients = [draw_anatomy(np.random.default_rng(seed)) for seed in range(200)]
    ratios = [patient.posed(Pose(anteroposterior=True)).heart_ratio for patient in patients]
    assert min(ratios) >= 0.40
    assert max(ratios) < 0.51


def test_right_hemidiaphragm_is_the_higher_one():
    patients = [draw_anatomy(np.random.default_rng(seed)) for seed in range(50)]
    assert all(patient.dome(-1) < patient.dome(1) for patient in patients)


def test_a_deeper_breath_lowers_the_diaphragm_only():
    patient = draw_anatomy(np.random.default_rng(1))
    deep = patient.posed(Pose(inspiration=0.02))
    assert deep.dome(1) > patient.dome(1)
    assert deep.heart_ratio == patient.heart_ratio
