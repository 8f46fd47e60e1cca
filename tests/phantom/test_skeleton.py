from __future__ import annotations

import numpy as np

from cxr.phantom.skeleton import anterior_ribs, bone_thickness, posterior_ribs


def test_every_rib_runs_outwards_at_the_back_and_inwards_at_the_front(anatomy):
    for side in (-1, 1):
        back, front = posterior_ribs(anatomy, side) * side, anterior_ribs(anatomy, side) * side
        assert len(back) == anatomy.rib_pairs
        assert (np.diff(back[:, :, 0], axis=1) > 0).all()
        assert (np.diff(front[:, :, 0], axis=1) < 0).all()


def test_spine_is_denser_than_the_lung_fields(thorax):
    bone = bone_thickness(thorax)
    middle = bone[:, thorax.canvas.width // 2 - 3 : thorax.canvas.width // 2 + 3].mean()
    assert middle > 2 * bone[thorax.lungs > 0.9].mean() > 0
