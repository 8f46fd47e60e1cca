"""The seven findings: what each does to the beam's path, and where it truly is.

A finding never changes another one, nor the rest of the picture: it returns a `Change`, and the renderer joins all of
them. Severity runs from 0 (barely there) to 1 (massive).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import cv2
import numpy as np

from cxr.phantom import outlines
from cxr.phantom.canvas import FloatImage, Mask, Points, Stroke, as_float, blur, distance_inside, smoothstep
from cxr.phantom.thorax import Thorax, heart_profile

CARDIOMEGALY_RATIO = 0.56
"""The least cardiothoracic ratio that is drawn as cardiomegaly."""


@dataclass(frozen=True)
class Change:
    """What a finding does to one radiograph; maps are float32 [height, width].

    Args:
        mask: bool [height, width], where the finding is.
        fill: share of the aerated lung's depth that it replaces by fluid or tissue, 0..1.
        tissue: soft tissue that it adds, centimetres; negative where it puts air in its place.
        hidden: share of the vessels that can no longer be told from their surroundings, 0..1.
    """

    mask: Mask
    fill: FloatImage | float = 0.0
    tissue: FloatImage | float = 0.0
    hidden: FloatImage | float = field(default=0.0)


def cardiomegaly(thorax: Thorax, severity: float, generator: np.random.Generator) -> Change:
    """An enlarged heart, cardiothoracic ratio 0.56 to 0.69; the mask is the whole heart."""
    del generator
    ratio = CARDIOMEGALY_RATIO + 0.13 * severity
    large = heart_profile(thorax.anatomy, thorax.canvas, ratio)
    fill = 1 - (1 - np.maximum(large, thorax.heart)) / (1 - thorax.heart)
    mask = thorax.canvas.fill(outlines.heart(thorax.anatomy, ratio)) > 0.5
    return Change(mask, fill=as_float(fill))


def edema(thorax: Thorax, severity: float, generator: np.random.Generator) -> Change:
    """Bilateral perihilar haze, denser towards the bases, with blurred vessels; the mask is where it is dense."""
    haze = np.zeros_like(thorax.x)
    for side in (-1, 1):
        x, y = outlines.hilum(thorax.anatomy, side)
        across = (thorax.x - x * 1.2) / np.float32(0.10 + 0.04 * severity)
        down = (thorax.y - y - 0.05) / np.float32(0.13 + 0.06 * severity)
        haze += np.exp(-0.5 * (across * across + down * down)) * thorax.lung(side)
    patches = 0.9 + 0.22 * _patches(thorax, generator, 0.02)
    fill = np.clip(haze * (0.26 + 0.46 * severity) * patches, 0, 0.85)
    mask = (haze > 0.4) & (thorax.lungs > 0.5)
    return Change(mask, fill=as_float(fill), hidden=as_float(np.clip(haze, 0, 1) * 0.6))


def effusion(thorax: Thorax, severity: float, generator: np.random.Generator) -> Change:
    """Fluid that blunts the costophrenic angle under a meniscus, on one side or, when there is much, often on both."""
    both = generator.random() < 0.25 + 0.4 * severity
    first = 1 if generator.random() < 0.5 else -1
    share = generator.uniform(0.35, 0.9)
    fluid = _pleural_fluid(thorax, first, severity)
    if both:
        fluid = np.maximum(fluid, _pleural_fluid(thorax, -first, severity * share))
    return Change(fluid > 0.45, fill=as_float(0.93 * fluid), hidden=fluid)


def _pleural_fluid(thorax: Thorax, side: int, severity: float) -> FloatImage:
    """Fluid of one side, higher at the chest wall than towards the heart, 0..1."""
    width = thorax.anatomy.thorax_half_width
    height = 0.074 + 0.30 * severity
    outwards = np.clip(side * thorax.x / width, 0, 1)
    meniscus = np.float32(0.05 + 0.05 * severity) * (1 - outwards**3)
    level = np.float32(thorax.anatomy.costophrenic(side) - height) + meniscus
    return as_float(smoothstep(as_float(thorax.y - level), -0.008, 0.022) * thorax.lung(side))


def consolidation(thorax: Thorax, severity: float, generator: np.random.Generator) -> Change:
    """A patchy opacity with ragged edges within one zone of one lung; the vessels in it vanish."""
    side = 1 if generator.random() < 0.5 else -1
    top, bottom = thorax.anatomy.apex_y, thorax.anatomy.dome(side)
    y = top + (bottom - top) * generator.choice([0.3, 0.6, 0.82], p=[0.25, 0.3, 0.45])
    x = side * generator.uniform(0.155, 0.235)
    radius = 0.055 + 0.05 * severity
    blob = np.zeros_like(thorax.x)
    for _ in range(6):
        across, down = generator.normal(0, [0.5 * radius, 0.42 * radius])
        spread = np.float32(2 * (generator.uniform(0.4, 0.75) * radius) ** 2)
        blob += np.exp(-((thorax.x - np.float32(x + across)) ** 2 + (thorax.y - np.float32(y + down)) ** 2) / spread)
    blob *= 1 + 0.22 * _patches(thorax, generator, 0.012)
    dense = as_float(smoothstep(as_float(blob), 0.3, 2.6) * thorax.lung(side))
    return Change(dense > 0.22, fill=as_float(dense * (0.55 + 0.37 * severity)), hidden=as_float(0.9 * dense))


def nodule(thorax: Thorax, severity: float, generator: np.random.Generator) -> Change:
    """One to three round opacities, 4.5 to 10 % of the image's width across, anywhere in the lungs."""
    count = int(generator.choice([1, 2, 3], p=[0.6, 0.25, 0.15]))
    room = distance_inside((thorax.lungs > 0.5) & (thorax.heart < 0.15), thorax.canvas.side)
    tissue, mask = np.zeros_like(thorax.x), np.zeros(thorax.x.shape, np.bool_)
    for index in range(count):
        shrink = 1.0 if index == 0 else generator.uniform(0.8, 1.0)
        diameter = max(0.045, shrink * (0.055 + 0.045 * severity)) * thorax.canvas.width / thorax.canvas.side
        x, y = _place(thorax, room, diameter / 2, generator)
        inside = as_float(1 - ((thorax.x - x) ** 2 + (thorax.y - y) ** 2) / np.float32(diameter / 2) ** 2)
        edge = 0.5 / (thorax.canvas.side * diameter / 2)
        tissue += (0.55 + np.sqrt(np.clip(inside, 0, 1))) * smoothstep(inside, -edge, 3 * edge)
        mask |= inside > 0
    return Change(mask, tissue=as_float(tissue * (2.5 + 1.1 * severity)))


def _place(thorax: Thorax, room: FloatImage, radius: float, generator: np.random.Generator) -> tuple[float, float]:
    """A point where a disc of `radius` fits; where none does, the roomiest."""
    rows, columns = np.nonzero(room >= min(radius * 1.15, float(room.max())))
    pick = int(generator.integers(len(rows)))
    row, column = rows[pick], columns[pick]
    return float(thorax.x[row, column]), float(thorax.y[row, column])


def pneumothorax(thorax: Thorax, severity: float, generator: np.random.Generator) -> Change:
    """Air between chest wall and one lung: a dark crescent without vessels, inside a thin pleural line."""
    side = 1 if generator.random() < 0.5 else -1
    line = _collapsed_lung(thorax, side, severity)
    remaining = thorax.canvas.fill(line)
    air = as_float(np.clip(thorax.lung(side) - remaining, 0, 1))
    tapering = air * smoothstep(thorax.y, thorax.anatomy.dome(side) + 0.06, thorax.anatomy.dome(side) - 0.1)
    pleura = thorax.canvas.soften(thorax.canvas.strokes([Stroke(_visible_pleura(thorax, line), 0.005, 1.0)]), 0.0008)
    tissue = 0.75 * pleura * thorax.lung(side) - (2.0 + 1.4 * severity) * tapering
    return Change(_opened(as_float(tapering)), tissue=as_float(tissue), hidden=air)


def _collapsed_lung(thorax: Thorax, side: int, severity: float) -> Points:
    """The outline of the lung, drawn towards its root, more at the apex than at the base."""
    anatomy = thorax.anatomy
    points = outlines.lung(anatomy, side)
    root = np.array([side * 0.05, anatomy.costophrenic(side)])
    height = np.clip((root[1] - points[:, 1]) / (root[1] - anatomy.apex_y), 0, 1)
    inwards = 1 - (0.10 + 0.36 * severity) * np.minimum(1, 2.2 * height)
    downwards = 1 - (0.05 + 0.17 * severity) * height
    return np.asarray(root + (points - root) * np.stack([inwards, downwards], axis=1), np.float64)


def _visible_pleura(thorax: Thorax, outline: Points) -> Points:
    """The part of a collapsed lung's outline that faces the chest wall: its first points, down to near the diaphragm."""
    lateral = outline[:30]
    return lateral[lateral[:, 1] < thorax.anatomy.dome_y]


def _opened(share: FloatImage) -> Mask:
    """Where a share is more than a third, without slivers of a pixel."""
    mask = (share > 0.33).astype(np.uint8)
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8)) > 0, np.bool_)


def hernia(thorax: Thorax, severity: float, generator: np.random.Generator) -> Change:
    """A hiatal hernia: a round opacity behind the heart, over the diaphragm, with a level of fluid under air."""
    radius = 0.068 + 0.032 * severity
    x = generator.uniform(0.0, 0.05)
    y = thorax.anatomy.dome_y - generator.uniform(0.0, 0.02) - 0.25 * radius
    distance = as_float(np.hypot(thorax.x - np.float32(x), thorax.y - np.float32(y)) / np.float32(radius))
    disc = smoothstep(distance, 1.02, 0.95)
    inside = smoothstep(distance, 0.96, 0.80)
    air = inside * smoothstep(thorax.y, y + 0.012 * severity + 0.004, y + 0.012 * severity - 0.002)
    tissue = (1.5 + 0.8 * severity) * disc - (3.6 + 0.6 * severity) * air
    return Change(distance < 1, tissue=as_float(tissue), hidden=disc)


def _patches(thorax: Thorax, generator: np.random.Generator, size: float) -> FloatImage:
    """Smooth noise of unit deviation and mean 0, with patches of `size`, float32 [height, width]."""
    shape = thorax.canvas.height // 2, thorax.canvas.width // 2
    noise = blur(generator.standard_normal(shape, np.float32), size * thorax.canvas.side / 2)
    return thorax.canvas.enlarge((noise - noise.mean()) / (noise.std() + np.float32(1e-6)))


Finding = Callable[[Thorax, float, np.random.Generator], Change]
FINDINGS: Mapping[str, Finding] = MappingProxyType(
    {
        "Cardiomegaly": cardiomegaly,
        "Edema": edema,
        "Effusion": effusion,
        "Consolidation": consolidation,
        "Nodule": nodule,
        "Pneumothorax": pneumothorax,
        "Hernia": hernia,
    }
)
"""The findings by name, in the order of the phantom's label set and of the bits of a mask file."""
