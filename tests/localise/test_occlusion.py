"""Covering patches finds what a model looks at, and says how far a map agrees."""

from __future__ import annotations

import numpy as np
import pytest

from cxr.evaluate.undefined import Undefined
from cxr.localise.check import check_figures
from cxr.localise.truth import Pair
from tests.localise.sides import LABELS, SIZE, side_of

pytest.importorskip("monai", reason="the extra monai is not installed")

PLACE = (8, 20)
CELLS = 8


class Brightness:
    """Its logit is the mean grey value of a square of 8 pixels at `PLACE`, less for label 1; label 2 looks nowhere."""

    def __init__(self, maps):
        self._maps = np.asarray(maps, np.float32)

    def probabilities(self, images, /):
        top, left = PLACE
        seen = images[:, top : top + 8, left : left + 8].astype(np.float64).mean((1, 2)) / 50
        logits = np.stack([seen, -seen, np.zeros_like(seen)], axis=1)
        return 1 / (1 + np.exp(-logits))

    def maps(self, images, /):
        return np.repeat(self._maps[np.newaxis], len(images), axis=0)


def picture():
    image = np.full((SIZE, SIZE), 60, np.uint8)
    image[PLACE[0] : PLACE[0] + 8, PLACE[1] : PLACE[1] + 8] = 250
    return image


def square():
    truth = np.zeros((SIZE, SIZE), bool)
    truth[PLACE[0] : PLACE[0] + 8, PLACE[1] : PLACE[1] + 8] = True
    return truth


def peaked():
    found = np.full((CELLS, CELLS), 0.001, np.float32)
    found[2:4, 5:7] = 0.2
    return found


EVEN = np.full((CELLS, CELLS), 1 / CELLS**2, np.float32)


def test_the_loss_lies_where_the_model_looks_rows_as_rows():
    from cxr.localise.occlusion import losses

    lost = losses(Brightness([EVEN] * 3), picture())
    assert (lost.dtype, lost.shape) == (np.float32, (3, 16, 16))
    inside = np.zeros((16, 16), bool)
    inside[4:8, 10:14] = True  # cells of two pixels
    wide = np.zeros((16, 16), bool)
    wide[2:10, 8:16] = True  # a patch reaches half of itself beyond
    assert lost[0][inside].min() > 0
    assert np.abs(lost[0][~wide]).max() < 1e-5
    np.testing.assert_allclose(lost[1], -lost[0], atol=1e-5)
    assert np.abs(lost[2]).max() < 1e-5


def test_the_size_of_the_loss_is_that_of_the_logit():
    from cxr.localise.occlusion import losses

    image = picture()
    mean = round(float(image.mean()))
    lost = losses(Brightness([EVEN] * 3), image)[0]
    # a patch of 4 pixels hides a quarter of the square's area at most
    assert lost.max() == pytest.approx((250 - mean) / 50 / 4, abs=0.01)


def occluded(tmp_path, maps, count, images=12):
    from cxr.localise.occlusion import occlude

    class Given:
        def pairs(self):
            yield Undefined("left out")
            for row in range(count):
                yield Pair(row, 0, square())

    side = side_of(tmp_path, [[1, 0, 0]] * count, images=np.repeat(picture()[np.newaxis], count, axis=0))
    told = []
    found = occlude(side, Given(), Brightness(maps), images, lambda *each: told.append(each))
    assert told[-1][:2] == (found.images, found.images)
    return found


def test_a_map_that_looks_where_the_model_does_agrees_with_the_losses(tmp_path):
    found = occluded(tmp_path, [peaked(), EVEN, EVEN], count=20, images=12)
    assert (found.images, found.passes, len(found.table)) == (12, 225, 12)
    assert sorted(found.table["row"])[::11] == [0, 19]  # evenly chosen
    row, whole = check_figures(found.table, LABELS.names)
    assert (row.label, whole.label, row.images) == ("Mass", "all", 12)
    assert row.means["occlusion_pointing"].value == 1
    assert row.means["occlusion_energy"].value > 0.5
    assert row.means["occlusion_energy_gain"].value == pytest.approx(
        row.means["occlusion_energy"].value - row.means["occlusion_energy_even"].value
    )
    assert row.means["rank_correlation"].value > 0.5


def test_a_map_that_is_even_agrees_with_nothing_and_has_no_correlation(tmp_path):
    row = check_figures(occluded(tmp_path, [EVEN] * 3, count=11).table, LABELS.names)[0]
    assert "rank_correlation" not in row.means
    assert "rank_correlation" not in row.columns()


def test_few_patients_have_no_figures(tmp_path):
    row = check_figures(occluded(tmp_path, [EVEN] * 3, count=9).table, LABELS.names)[0]
    assert row.means == Undefined("too few: 9 images of 9 patients, fewer than 10")
    assert row.columns() == {"occlusion_images": 9}
