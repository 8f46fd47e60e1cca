"""Pictures of the maps that show a finding best and worst."""

from __future__ import annotations

import cv2
import numpy as np
import pandas as pd
import pytest

from cxr.errors import CxrError
from cxr.localise.outputs import PICTURES
from cxr.localise.pictures import draw, write_pictures
from cxr.localise.truth import Pair
from tests.localise.sides import LABELS, SIZE, Looking, side_of

EVEN = np.full((2, 2), 0.25, np.float32)


def test_the_outline_runs_round_the_finding_and_the_image_is_enlarged():
    truth = np.zeros((SIZE, SIZE), bool)
    truth[8:16, 16:28] = True
    picture = draw(np.full((SIZE, SIZE), 90, np.uint8), EVEN, truth)
    assert picture.shape == (512, 512, 3)
    cyan = (picture == (0, 255, 255)).all(axis=2)
    rows, columns = (np.flatnonzero(cyan.any(axis=axis)) for axis in (1, 0))
    scale = 512 // SIZE
    assert abs(rows[0] - 8 * scale) <= 2
    assert abs(rows[-1] - 16 * scale) <= 2
    assert abs(columns[0] - 16 * scale) <= 2
    assert abs(columns[-1] - 28 * scale) <= 2
    assert not cyan[12 * scale, 22 * scale]  # not filled


class Given:
    def pairs(self):
        truth = np.zeros((SIZE, SIZE), bool)
        truth[:8, :8] = True
        for row in range(3):
            yield Pair(row, 0, truth)


@pytest.mark.parametrize(
    ("count", "starts"),
    [(1, {0: "worst-01", 2: "best-01"}), (2, {0: "worst-01", 1: "best-02", 2: "best-01"})],
)
def test_best_and_worst_are_drawn_once_each_and_named(tmp_path, count, starts):
    side = side_of(tmp_path / "store", [[1, 0, 0]] * 3)
    table = pd.DataFrame({"row": [0, 1, 2], "label": 0, "energy": [0.1, 0.2, 0.9], "energy_even": 0.1})
    maps = np.repeat(EVEN[np.newaxis, np.newaxis], 41, axis=0).repeat(3, axis=1)
    written = write_pictures(tmp_path, count, table, side, Given(), Looking(maps))
    assert {path.name for path in tmp_path.glob(PICTURES)} == set(written)
    assert set(written) == {f"{start}-{LABELS.names[0]}-t:{row:04d}.png" for row, start in starts.items()}
    assert all(cv2.imread(str(tmp_path / name)).shape == (512, 512, 3) for name in written)


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    side = side_of(tmp_path / "store", [[1, 0, 0]] * 3)
    table = pd.DataFrame({"row": [0], "label": 0, "energy": [0.1], "energy_even": 0.1})
    maps = np.repeat(EVEN[np.newaxis, np.newaxis], 41, axis=0).repeat(3, axis=1)
    with pytest.raises(CxrError, match="No such file or directory"):
        write_pictures(tmp_path / "none", 1, table, side, Given(), Looking(maps))
