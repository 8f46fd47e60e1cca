from __future__ import annotations

import cv2
import numpy as np
import pytest

from cxr.errors import DataError
from cxr.phantom.canvas import Pose
from cxr.phantom.findings import FINDINGS
from cxr.phantom.render import render

SHAPE = (240, 200)
POSE = Pose(0.01, 0.005, 1.0, 1.06)


def _picture(anatomy, severities, seed=(4,), shape=SHAPE):
    return render(anatomy, POSE, severities, shape, seed)


@pytest.mark.parametrize("shape", [(96, 80), (176, 192), (384, 320)])
def test_picture_is_single_precision_in_0_to_1_of_the_asked_shape(anatomy, shape):
    picture = _picture(anatomy, {}, shape=shape).picture
    assert picture.shape == shape
    assert picture.dtype == np.float32
    assert 0 <= picture.min() < 0.02
    assert 0.6 < picture.max() <= 1


def test_lungs_are_darker_than_the_mediastinum_and_air_is_darkest(anatomy):
    picture = _picture(anatomy, {}).picture
    lung, middle, air = picture[70:120, 45:65].mean(), picture[70:120, 97:105].mean(), picture[:12, :12].mean()
    assert air < lung < middle - 0.15


def test_masks_are_those_of_the_findings_present(anatomy):
    assert set(_picture(anatomy, {"Nodule": 0.5, "Edema": 0.2}).masks) == {"Nodule", "Edema"}
    assert not _picture(anatomy, {}).masks


@pytest.mark.parametrize("name", FINDINGS)
@pytest.mark.parametrize("severity", [0.3, 0.9])
def test_a_finding_changes_the_picture_where_its_mask_is_and_nowhere_else(anatomy, name, severity):
    before, after = _picture(anatomy, {}), _picture(anatomy, {name: severity})
    difference = np.abs(after.picture - before.picture)
    mask = after.masks[name].astype(np.uint8)
    # edema and consolidation fade out beyond their masks, a collapsed lung's air tapers off towards the base
    reach = {"Edema": 95, "Consolidation": 25, "Pneumothorax": 31}.get(name, 9)
    around = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))) > 0
    assert difference[~around].max() < 0.04
    assert difference[mask > 0].mean() > 3 * difference[~around].mean()


@pytest.mark.parametrize("name", ["Cardiomegaly", "Edema", "Effusion", "Consolidation", "Nodule"])
def test_fluid_and_tissue_brighten_the_picture(anatomy, name):
    before, after = _picture(anatomy, {}), _picture(anatomy, {name: 0.7})
    assert (after.picture - before.picture)[after.masks[name]].mean() > 0.03


def test_pneumothorax_darkens_the_picture(anatomy):
    before, after = _picture(anatomy, {}), _picture(anatomy, {"Pneumothorax": 0.7})
    assert (after.picture - before.picture)[after.masks["Pneumothorax"]].mean() < -0.03


def test_the_same_arguments_give_the_same_pixels_and_another_seed_does_not(anatomy):
    first, again, other = (_picture(anatomy, {"Edema": 0.5}, seed).picture for seed in ((4,), (4,), (5,)))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_an_unknown_finding_is_refused_by_name(anatomy):
    with pytest.raises(DataError, match="no finding Fracture"):
        _picture(anatomy, {"Fracture": 0.5})


def test_a_matrix_too_small_to_draw_on_is_refused(anatomy):
    with pytest.raises(DataError, match="too small"):
        _picture(anatomy, {}, shape=(16, 64))
