"""Two figures of one map on one image: whether its highest place hits the finding, and how much of it lies inside.

Pointing game: Zhang et al., International Journal of Computer Vision 126:1084 (2018), who count a point up to 15 pixels off
in pictures of about 500 as a hit; energy inside: Wang et al., Score-CAM, CVPR Workshops 2020.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from cxr.localise.frame import Mask

TOLERANCE = 0.03
"""How far the highest place may lie outside, as a share of the image's side: 15 of 500 pixels. It does not depend on the grid,
so that a map with a fine grid is not judged more strictly than one with a coarse grid."""
Map = npt.NDArray[np.float32]
"""float32 [rows, columns], at least 0."""


@dataclass(frozen=True, eq=False)
class Target:
    """What is left of a finding's outline on the grid of a map.

    Args:
        hits: bool [rows, columns], cells whose centre lies in the finding, or up to `TOLERANCE` off.
        cover: float64 [rows, columns] in [0, 1], the share of each cell that lies in the finding.
    """

    hits: npt.NDArray[np.bool_]
    cover: npt.NDArray[np.float64]


def target(truth: Mask, rows: int, columns: int) -> Target:
    """The finding on a grid.

    Args:
        truth: bool [size, size], True somewhere.
        rows, columns: of the grid, each at most `size`.
    """
    outside = cv2.distanceTransform((~truth).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    size = truth.shape[0]
    centres = [np.minimum(((np.arange(cells) + 0.5) * size / cells).astype(int), size - 1) for cells in (rows, columns)]
    cover = cv2.resize(truth.astype(np.float64), (columns, rows), interpolation=cv2.INTER_AREA)
    return Target(outside[np.ix_(*centres)] <= TOLERANCE * size, np.asarray(cover, np.float64))


def pointing(found: Map, wanted: Target) -> float:
    """Whether the highest cell hits: 1 or 0; of cells that are equally high the share that hits.

    Of a map that is the same everywhere this is the chance of a hit by a cell that is drawn blindly.
    """
    return float(wanted.hits[found == found.max()].mean())


def energy(found: Map, wanted: Target) -> float:
    """The share of the map's sum inside the finding, in [0, 1]; NaN for a map of zeros.

    A cell's value counts as spread evenly over it, so that a map that is the same everywhere has the share of the image that
    the finding takes.
    """
    whole = float(found.sum(dtype=np.float64))
    return min(float((found * wanted.cover).sum() / whole), 1.0) if whole > 0 else float("nan")
