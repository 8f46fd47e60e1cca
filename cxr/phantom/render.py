"""From anatomy and findings to a frontal chest radiograph, as a workstation would present it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from cxr.errors import DataError
from cxr.phantom.anatomy import Anatomy
from cxr.phantom.canvas import Canvas, FloatImage, Mask, Pose, as_float, blur
from cxr.phantom.findings import FINDINGS, Change
from cxr.phantom.skeleton import bone_thickness
from cxr.phantom.thorax import Thorax, aorta_fill, build_thorax, gastric_bubble, trunk_tissue
from cxr.phantom.vessels import vessel_thickness

TISSUE_PER_CM = 0.2
"""Linear attenuation of soft tissue in a hardened chest beam, 1/cm."""
BONE_PER_CM = 0.42
"""Linear attenuation of bone, 1/cm."""
LUNG_AIR = 0.74
"""Share of an aerated lung's depth that is air."""


@dataclass(frozen=True)
class Exposure:
    """How a radiograph was taken and processed.

    Args:
        photons: quanta per pixel in the open field.
        scatter: scattered share of the signal behind soft tissue.
        level: attenuation that is presented as middle grey.
        width: attenuation over which grey rises from 0.27 to 0.73.
        marker: whether the lead letter of the patient's left side is on the picture.
    """

    photons: float
    scatter: float
    level: float
    width: float
    marker: bool


@dataclass(frozen=True)
class Radiograph:
    """A rendered radiograph.

    Args:
        picture: float32 [height, width] in 0..1, bright where attenuation is high.
        masks: bool [height, width] for each finding that is present.
    """

    picture: FloatImage
    masks: Mapping[str, Mask]


def draw_exposure(generator: np.random.Generator, anteroposterior: bool) -> Exposure:
    """Draw an exposure; a bedside (AP) one is poorer: fewer quanta, more scatter."""
    g = generator
    return Exposure(
        photons=g.uniform(2.5e4, 6e4) * (0.5 if anteroposterior else 1.0),
        scatter=g.uniform(0.10, 0.22) + (0.10 if anteroposterior else 0.0),
        level=g.uniform(2.72, 2.98),
        width=g.uniform(0.62, 0.78),
        marker=bool(g.random() < 0.8),
    )


def render(
    anatomy: Anatomy, pose: Pose, severities: Mapping[str, float], shape: tuple[int, int], seed: tuple[int, ...]
) -> Radiograph:
    """Render one radiograph; equal arguments give equal pixels, and a finding leaves the rest of the picture alone.

    Args:
        anatomy: the patient.
        pose: position, breath and projection.
        severities: severity in 0..1 of every finding that is present.
        shape: height and width in pixels, each at least 32.
        seed: seed of everything that is drawn at random in this radiograph.

    Raises:
        DataError: a finding is none of `FINDINGS`, or the matrix is too small.
    """
    if unknown := sorted(set(severities) - set(FINDINGS)):
        raise DataError(f"the phantom draws no finding {', '.join(unknown)}; it draws {', '.join(FINDINGS)}")
    if min(shape) < 32:
        raise DataError(f"a radiograph of {shape[0]} x {shape[1]} pixels is too small to draw; 32 x 32 is the least")
    canvas = Canvas(*shape, pose)
    thorax = build_thorax(anatomy.posed(pose), canvas)
    changes = {name: FINDINGS[name](thorax, severities[name], _generator(seed, name)) for name in severities}
    exposure = draw_exposure(_generator(seed, "exposure"), pose.anteroposterior)
    line = attenuation(thorax, list(changes.values()), _generator(seed, "texture"))
    seen = detect(line, canvas, exposure, _generator(seed, "noise"))
    picture = present(seen, exposure)
    if exposure.marker:
        picture = np.maximum(picture, _marker(canvas))
    return Radiograph(picture, {name: change.mask for name, change in changes.items()})


def _generator(seed: tuple[int, ...], purpose: str) -> np.random.Generator:
    """A generator for one purpose, so that drawing one thing never shifts the chance of another."""
    return np.random.default_rng([*seed, int.from_bytes(purpose.encode()[:8], "big")])


def attenuation(thorax: Thorax, changes: list[Change], generator: np.random.Generator) -> FloatImage:
    """The line integral of attenuation along the beam, float32 [height, width], no unit."""
    open_lung = (1 - thorax.heart) * (1 - aorta_fill(thorax))
    vessels = vessel_thickness(thorax) * (1 - thorax.heart)
    tissue = trunk_tissue(thorax) - gastric_bubble(thorax)
    for change in changes:
        open_lung = open_lung * (1 - change.fill)
        vessels = vessels * (1 - change.hidden)
        tissue = tissue + change.tissue
    tissue -= thorax.lung_depth * LUNG_AIR * open_lung
    tissue += vessels + _texture(thorax, generator)
    # nothing that lies in the body is thinner than the chest wall in front of it
    tissue = np.maximum(tissue, 0)
    return as_float(TISSUE_PER_CM * tissue + BONE_PER_CM * bone_thickness(thorax) * (tissue > 0.5))


def _texture(thorax: Thorax, generator: np.random.Generator) -> FloatImage:
    """What is too fine to be drawn: small vessels in the lungs, layers of muscle and fat elsewhere, centimetres."""
    height, width = thorax.canvas.height, thorax.canvas.width
    noise = generator.standard_normal((height // 2, width // 2), np.float32)
    fine = blur(noise, 0.0022 * thorax.canvas.side)
    coarse = blur(noise, 0.02 * thorax.canvas.side)
    mixed = fine * np.float32(0.42) + coarse * np.float32(3.2)
    return thorax.canvas.enlarge(mixed) * (0.35 + 0.65 * thorax.lungs)


def detect(line: FloatImage, canvas: Canvas, exposure: Exposure, generator: np.random.Generator) -> FloatImage:
    """The logarithm of what a detector behind the body measures: scatter, unsharpness, quantum noise.

    Returns:
        float32 [height, width], apparent attenuation.
    """
    primary = np.exp(-line)
    scatter = np.float32(exposure.scatter * 0.12) * canvas.soften(as_float(np.minimum(primary, 0.25)) ** 0.5, 0.08)
    signal = blur(as_float(primary), 0.0013 * canvas.side) + scatter
    noise = generator.standard_normal(signal.shape, np.float32) * np.sqrt(signal / np.float32(exposure.photons))
    return as_float(-np.log(np.maximum(signal + noise, np.float32(1e-4))))


def present(seen: FloatImage, exposure: Exposure) -> FloatImage:
    """Apparent attenuation as grey in 0..1 under a sigmoid, as a For Presentation image has it."""
    grey = 1 / (1 + np.exp((np.float32(exposure.level) - seen) / np.float32(exposure.width)))
    black = 1 / (1 + math.exp(exposure.level / exposure.width))
    return as_float(np.clip((grey - black) / (0.97 - black), 0, 1))


def _marker(canvas: Canvas) -> FloatImage:
    """The lead letter L beside the patient's left shoulder; it lies on the detector, so it does not move with the pose."""
    image = np.zeros((canvas.height, canvas.width), np.uint8)
    column, row, size = round(canvas.width * 0.925), round(canvas.height * 0.055), canvas.side / 384
    cv2.putText(image, "L", (column, row), cv2.FONT_HERSHEY_SIMPLEX, 0.42 * size, (245,), max(1, round(size)), cv2.LINE_AA)
    return as_float(image / np.float32(255))
