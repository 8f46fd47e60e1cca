from __future__ import annotations

import numpy as np

from cxr.phantom.thorax import aorta_fill, gastric_bubble, heart_profile, trunk_tissue


def test_lungs_do_not_overlap_and_lie_in_the_hull(thorax):
    assert not ((thorax.right_lung > 0.5) & (thorax.left_lung > 0.5)).any()
    assert not ((thorax.lungs > 0.6) & ~thorax.hull()).any()


def test_patients_right_lung_is_on_the_images_left(thorax):
    columns = [np.nonzero(thorax.lung(side) > 0.5)[1].mean() for side in (-1, 1)]
    assert columns[0] < columns[1]


def test_aerated_lung_is_no_deeper_than_the_anatomy_says(thorax):
    assert 0.8 * thorax.anatomy.lung_depth_cm < thorax.lung_depth.max() <= thorax.anatomy.lung_depth_cm + 1e-4
    assert (thorax.lung_depth[thorax.lungs == 0] == 0).all()


def test_a_larger_ratio_gives_a_larger_heart(thorax):
    large = heart_profile(thorax.anatomy, thorax.canvas, 0.65)
    assert (large > 0.4).sum() > 1.3 * (thorax.heart > 0.4).sum()


def test_maps_are_finite_single_precision_and_not_negative(thorax):
    for image in (trunk_tissue(thorax), aorta_fill(thorax), gastric_bubble(thorax)):
        assert image.dtype == np.float32
        assert np.isfinite(image).all()
        assert image.min() >= -0.01
