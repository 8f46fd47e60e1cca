from __future__ import annotations

from dataclasses import replace

import numpy as np

from cxr.phantom import outlines
from cxr.phantom.vessels import vessel_thickness


def test_vessels_stay_in_the_lungs_and_thin_out_from_the_hilum(thorax):
    vessels = vessel_thickness(thorax)
    assert (vessels[thorax.lungs == 0] == 0).all()
    x, y = outlines.hilum(thorax.anatomy, 1)
    distance = np.hypot(thorax.x - x, thorax.y - y)
    lung = thorax.left_lung > 0.5
    assert vessels[lung & (distance < 0.08)].mean() > 1.5 * vessels[lung & (distance > 0.16)].mean()


def test_vessels_belong_to_the_patient(thorax):
    other = replace(thorax, anatomy=replace(thorax.anatomy, detail_seed=1))
    assert np.array_equal(vessel_thickness(thorax), vessel_thickness(thorax))
    assert not np.array_equal(vessel_thickness(thorax), vessel_thickness(other))
