from __future__ import annotations

import cv2
import numpy as np
import pytest

from cxr.labels.label_set import read_label_set
from cxr.labels.shipped import SHIPPED
from cxr.phantom.canvas import Canvas, Pose
from cxr.phantom.findings import FINDINGS
from cxr.phantom.thorax import build_thorax

SEVERITIES = (0.03, 0.5, 1.0)


def _change(thorax, name, severity, seed=0):
    return FINDINGS[name](thorax, severity, np.random.default_rng(seed))


def test_findings_are_the_labels_of_the_shipped_label_set():
    assert tuple(FINDINGS) == read_label_set(SHIPPED / "phantom" / "labels.yaml").names


@pytest.mark.parametrize("name", FINDINGS)
@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("seed", range(4))
def test_mask_is_not_empty_and_lies_inside_the_thorax(thorax, name, severity, seed):
    change = _change(thorax, name, severity, seed)
    assert change.mask.dtype == np.bool_
    assert change.mask.any()
    hull = cv2.dilate(thorax.hull().astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    inside = (change.mask & hull).sum() / change.mask.sum()
    # the lower part of the heart lies on the diaphragm, and so does a hernia
    assert inside > (0.97 if name not in ("Cardiomegaly", "Hernia") else 0.9)


@pytest.mark.parametrize("name", ["Cardiomegaly", "Effusion", "Consolidation", "Nodule", "Pneumothorax", "Hernia"])
def test_a_severe_finding_is_larger_than_a_mild_one(thorax, name):
    mild, severe = (_change(thorax, name, severity, 1).mask.sum() for severity in (0.05, 0.95))
    assert severe > 1.15 * mild


def test_a_severe_edema_is_denser_than_a_mild_one(thorax):
    mild, severe = (_change(thorax, "Edema", severity, 1) for severity in (0.05, 0.95))
    assert severe.fill[severe.mask].mean() > 1.5 * mild.fill[severe.mask].mean()


def test_edema_is_bilateral_and_consolidation_is_not(thorax):
    sides = [thorax.lung(side) > 0.5 for side in (-1, 1)]
    edema, consolidation = (_change(thorax, name, 0.6).mask for name in ("Edema", "Consolidation"))
    assert all((edema & side).any() for side in sides)
    assert not all((consolidation & side).any() for side in sides)


def test_cardiomegaly_is_wider_than_half_the_thorax(thorax):
    columns = np.nonzero(_change(thorax, "Cardiomegaly", 0.0).mask.any(axis=0))[0]
    thoracic = np.nonzero((thorax.lungs > 0.5).any(axis=0))[0]
    assert np.ptp(columns) / np.ptp(thoracic) > 0.54


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("seed", range(4))
def test_effusion_fills_a_costophrenic_angle(thorax, severity, seed):
    mask = _change(thorax, "Effusion", severity, seed).mask
    filled = []
    for side in (-1, 1):
        angle = np.array([side * (thorax.anatomy.thorax_half_width - 0.012), thorax.anatomy.costophrenic(side) - 0.025])
        column, row = np.rint(thorax.canvas.pixels(angle)).astype(int)
        filled.append(bool(mask[row, column]))
    assert any(filled)


def test_effusion_stands_highest_at_the_chest_wall(thorax):
    mask = _change(thorax, "Effusion", 0.8).mask
    side = 1 if (mask & (thorax.left_lung > 0.5)).any() else -1
    top = []
    for share in (0.5, 0.9):
        column = round(float(thorax.canvas.pixels(np.array([side * share * thorax.anatomy.thorax_half_width, 0.1]))[0]))
        top.append(np.nonzero(mask[:, column])[0].min())
    assert top[1] < top[0] - 3


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("shape", [(384, 320), (352, 384)])
def test_a_nodule_is_round_and_4_to_10_percent_of_the_width(anatomy, severity, shape):
    thorax = build_thorax(anatomy, Canvas(*shape, Pose()))
    single = next(seed for seed in range(9) if np.random.default_rng(seed).choice([1, 2, 3], p=[0.6, 0.25, 0.15]) == 1)
    rows, columns = np.nonzero(_change(thorax, "Nodule", severity, single).mask)
    assert abs(np.ptp(rows) - np.ptp(columns)) <= 2
    assert 0.043 <= (np.ptp(columns) + 1) / shape[1] <= 0.107


def test_pneumothorax_is_air_without_vessels_on_one_side(thorax):
    change = _change(thorax, "Pneumothorax", 0.6)
    assert change.tissue[change.mask].mean() < -1
    assert change.hidden[change.mask].mean() > 0.8
    assert not all((change.mask & (thorax.lung(side) > 0.5)).any() for side in (-1, 1))


def test_hernia_has_air_above_a_level_of_fluid(thorax):
    change = _change(thorax, "Hernia", 0.6)
    rows = np.nonzero(change.mask)[0]
    upper, lower = (np.zeros_like(change.mask) for _ in range(2))
    upper[int(np.percentile(rows, 15)) : int(np.percentile(rows, 40))] = True
    lower[int(np.percentile(rows, 65)) : int(np.percentile(rows, 90))] = True
    assert change.tissue[change.mask & upper].mean() < 0 < change.tissue[change.mask & lower].mean()
