"""A patient's anatomy: the numbers that all of the patient's radiographs share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from cxr.phantom.canvas import Pose

AP_HEART_MAGNIFICATION = 1.04
"""The heart lies far from the detector in an AP projection, and appears wider by this factor."""


@dataclass(frozen=True)
class Anatomy:
    """What makes one patient's thorax; lengths are shares of the longer side of the radiograph, y grows downwards.

    Args:
        sex: "M" or "F".
        age_years: whole years.
        thorax_half_width: half of the largest inner width of the rib cage.
        wall: thickness of the lateral chest wall.
        apex_y: height of the lung apices.
        dome_y: height of the right hemidiaphragm's dome.
        left_dome_drop: how much lower the left dome stands.
        dome_height: height of the domes above the costophrenic angles.
        mediastinum_half_width: half width of the upper mediastinum.
        heart_ratio: cardiothoracic ratio.
        heart_left_share: share of the heart's width that lies left of the midline.
        aortic_knob: radius of the aortic knob.
        spine_tilt: sideways drift of the spine over the field.
        spine_curve: amplitude of the spine's sideways curve.
        rib_pairs: pairs of ribs that are drawn.
        rib_spacing: distance of two posterior ribs at the spine.
        rib_drop: how much a posterior rib falls from the spine to the chest wall.
        depth_cm: depth of the chest from front to back, centimetres.
        lung_depth_cm: largest depth of the aerated lung, centimetres.
        breast_cm: thickness of the breasts, centimetres; 0 for none.
        bone_density: factor on all bone.
        gastric_bubble: radius of the air bubble of the stomach; 0 for none.
        detail_seed: seed of the vessel tree.
    """

    sex: Literal["M", "F"]
    age_years: int
    thorax_half_width: float
    wall: float
    apex_y: float
    dome_y: float
    left_dome_drop: float
    dome_height: float
    mediastinum_half_width: float
    heart_ratio: float
    heart_left_share: float
    aortic_knob: float
    spine_tilt: float
    spine_curve: float
    rib_pairs: int
    rib_spacing: float
    rib_drop: float
    depth_cm: float
    lung_depth_cm: float
    breast_cm: float
    bone_density: float
    gastric_bubble: float
    detail_seed: int

    def posed(self, pose: Pose) -> Anatomy:
        """The anatomy as one radiograph shows it: diaphragm moved by the breath, heart magnified by an AP projection."""
        magnification = AP_HEART_MAGNIFICATION if pose.anteroposterior else 1.0
        return replace(self, dome_y=self.dome_y + pose.inspiration, heart_ratio=self.heart_ratio * magnification)

    def dome(self, side: int) -> float:
        """Height (y) of a hemidiaphragm's dome; side -1 is the patient's right, 1 the left."""
        return self.dome_y + (self.left_dome_drop if side > 0 else 0.0)

    def costophrenic(self, side: int) -> float:
        """Height (y) of a costophrenic angle; side -1 is the patient's right, 1 the left."""
        return self.dome(side) + self.dome_height

    def spine_x(self, y: float) -> float:
        """Where the spine's midline lies at height y."""
        return self.spine_tilt * y + self.spine_curve * float(np.sin(5 * y))


def draw_anatomy(generator: np.random.Generator) -> Anatomy:
    """Draw a patient; two generators in the same state give the same patient."""
    g = generator
    sex: Literal["M", "F"] = "M" if g.random() < 0.54 else "F"
    age = int(np.clip(g.normal(58, 17), 19, 94))
    broad = 1.0 if sex == "M" else 0.95
    return Anatomy(
        sex=sex,
        age_years=age,
        thorax_half_width=broad * g.uniform(0.315, 0.345),
        wall=g.uniform(0.04, 0.075),
        apex_y=g.uniform(-0.355, -0.325),
        dome_y=g.uniform(0.145, 0.205),
        left_dome_drop=g.uniform(0.012, 0.032),
        dome_height=g.uniform(0.075, 0.11),
        mediastinum_half_width=g.uniform(0.058, 0.074),
        heart_ratio=g.uniform(0.40, 0.48),
        heart_left_share=g.uniform(0.64, 0.72),
        aortic_knob=g.uniform(0.026, 0.034) + 0.0001 * age,
        spine_tilt=g.normal(0, 0.012),
        spine_curve=g.normal(0, 0.004),
        rib_pairs=int(g.integers(9, 11)),
        rib_spacing=g.uniform(0.054, 0.061),
        rib_drop=g.uniform(0.04, 0.08),
        depth_cm=broad * g.uniform(18.5, 23.5),
        lung_depth_cm=g.uniform(11.5, 13.5),
        breast_cm=g.uniform(1.0, 3.5) if sex == "F" else 0.0,
        bone_density=g.uniform(0.85, 1.15) - 0.002 * max(0, age - 60),
        gastric_bubble=g.uniform(0.02, 0.042) if g.random() < 0.6 else 0.0,
        detail_seed=int(g.integers(2**31)),
    )
