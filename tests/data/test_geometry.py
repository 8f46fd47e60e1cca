from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from albumentations.augmentations.geometric.functional import create_affine_transformation_matrix

from cxr.config_training import AugmentConfig
from cxr.data.draws import Draws
from cxr.data.geometry import affine_matrices

SIZE = 64
CONFIG = AugmentConfig(rotate_degrees=20, shift=0.1, zoom=0.3)
FLIP = AugmentConfig(rotate_degrees=0, shift=0, zoom=0, horizontal_flip=True)


def _draws(**changed: float) -> Draws:
    return Draws(**{name: np.array([changed.get(name, 0.0)]) for name in Draws._fields})


def _expected(x: float, y: float, zoom: float, degrees: float) -> npt.NDArray[np.float64]:
    centre = ((SIZE - 1) / 2, (SIZE - 1) / 2)
    return np.asarray(
        create_affine_transformation_matrix({"x": x, "y": y}, {"x": 0, "y": 0}, {"x": zoom, "y": zoom}, degrees, centre)
    )


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, (0, 0, 1, 0)),
        ({"shift_x": 1}, (6.4, 0, 1, 0)),
        ({"shift_y": -0.5}, (0, -3.2, 1, 0)),
        ({"zoom": -1}, (0, 0, 0.7, 0)),
        ({"rotate": 1}, (0, 0, 1, 20)),
        ({"shift_x": 0.5, "shift_y": 1, "zoom": 0.5, "rotate": -0.5}, (3.2, 6.4, 1.15, -10)),
    ],
)
def test_matrices_are_those_that_albumentations_makes_of_the_same_values(
    changed: dict[str, float], expected: tuple[float, float, float, float]
) -> None:
    assert np.allclose(affine_matrices(CONFIG, _draws(**changed), SIZE)[0], _expected(*expected), atol=1e-12)


def test_a_mirror_image_turns_columns_round_and_only_where_asked_for() -> None:
    mirrored = affine_matrices(FLIP, _draws(flip=-0.5), SIZE)[0]
    assert np.array_equal(mirrored, [[-1, 0, SIZE - 1], [0, 1, 0], [0, 0, 1]])
    assert np.array_equal(affine_matrices(FLIP, _draws(flip=0.5), SIZE)[0], np.eye(3))
    assert np.array_equal(affine_matrices(CONFIG, _draws(flip=-0.5), SIZE)[0], np.eye(3))


def test_no_draw_turns_an_image_upside_down() -> None:
    strongest = AugmentConfig(rotate_degrees=45, shift=1, zoom=0.9, horizontal_flip=True)
    numbers = 2 * np.random.default_rng(0).random((len(Draws._fields), 500)) - 1
    matrices = affine_matrices(strongest, Draws(*numbers), SIZE)
    assert (matrices[:, 1, 1] > 0).all()
    assert (np.linalg.det(matrices[:, :2, :2]) < 0).any()  # mirrored
