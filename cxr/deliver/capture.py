"""The disease map of a label as a Secondary Capture: the radiograph as the model sees it, the map over it, a caption below.

The picture names the finding and the model, never the patient.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from highdicom.sc import SCImage
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset

from cxr.deliver.identity import made_by, reference_to, take_over
from cxr.deliver.model import ReportedModel
from cxr.deliver.result import Finding, ScoredImage
from cxr.deliver.uids import derived_uid
from cxr.deliver.wording import CAPTION, decision_text, map_text, series_text
from cxr.predict.maps import FULL

_SERIES_NUMBER = 9102
_SIDE = 1024
"""Least side of a picture in pixels, so that its caption can be read."""
_LINE, _SIZE = 30, 20  # height of a line of the caption and of its letters, in pixels

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Capture:
    """A map, and what it is the map of.

    Args:
        image: SOPInstanceUID of the image.
        label: whose branch looked there.
        item: the object itself.
    """

    image: str
    label: str
    item: SCImage


def build_capture(
    image: ScoredImage, finding: Finding, overlay: Picture, model: ReportedModel, number: int, basis: str
) -> Capture:
    """A map as an object of the study, in the model's own series of maps.

    Args:
        image: what the map is of.
        finding: the label.
        overlay: uint8 [size, size, 3], from `cxr.predict.maps.overlay`.
        model: what made it.
        number: of the picture in its series, from 1.
        basis: as in `cxr.deliver.report.build_report`.

    Raises:
        Undeliverable: the image cannot be referred to, or the patient's name cannot be read.
    """
    reference = reference_to(image.header)
    with warnings.catch_warnings(action="ignore"):  # of odd values, which they quote, and which stay as they are
        capture = SCImage(
            pixel_array=with_caption(overlay, _caption(finding, model)),
            photometric_interpretation="RGB",
            bits_allocated=8,
            coordinate_system="PATIENT",
            study_instance_uid=reference.StudyInstanceUID,
            series_instance_uid=derived_uid("map series", reference.StudyInstanceUID, *model.identity),
            series_number=_SERIES_NUMBER,
            sop_instance_uid=derived_uid("map", image.uid, finding.label, basis),
            instance_number=number,
            series_description=series_text("maps", model),
            patient_orientation=("L", "F"),
            **made_by(model),
        )
        take_over(capture, image.header)
    if not image.upright:
        capture["PatientOrientation"].value = ""  # must be there (type 2C), and nothing is known
    _describe(capture, finding, model)
    capture.SourceImageSequence = [_source(reference)]
    return Capture(image.uid, finding.label, capture)


def _describe(capture: SCImage, finding: Finding, model: ReportedModel) -> None:
    capture.BodyPartExamined = "CHEST"  # nothing else is scored
    capture.BurnedInAnnotation = "YES"
    capture.DerivationDescription = map_text(finding, model)
    capture.ImageComments = f"{finding.label}: {decision_text(finding)}. {CAPTION}"


def _source(reference: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = reference.SOPClassUID
    item.ReferencedSOPInstanceUID = reference.SOPInstanceUID
    return item


def _caption(finding: Finding, model: ReportedModel) -> tuple[str, ...]:
    word = "probability" if model.scaled(finding.label) else "score, not calibrated,"
    decided = f"{finding.label}: {word} {finding.probability:.3f}, {decision_text(finding)} at '{model.point_name}'"
    return (
        decided,
        f"{model.name}; run {model.run_id[:8]}, weights {model.weights[:8]}",
        f"{CAPTION}. Colour: where the branch looked, up to {FULL:g} x the average",
    )


def with_caption(picture: Picture, lines: tuple[str, ...]) -> Picture:
    """A picture of at least 1024 pixels with lines of text below it.

    Args:
        picture: uint8 [size, size, 3].
        lines: as many as there are; what does not fit is cut off.

    Returns:
        uint8 [height, width, 3].
    """
    side = max(_SIDE, picture.shape[0])
    large = cv2.resize(picture, (side, side), interpolation=cv2.INTER_LINEAR)
    strip = Image.new("RGB", (side, _LINE * len(lines) + _LINE // 3))
    font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), _SIZE)
    draw = ImageDraw.Draw(strip)
    for number, line in enumerate(lines):
        draw.text((_LINE // 3, _LINE // 6 + number * _LINE), line, font=font, fill="white")
    return np.concatenate([np.asarray(large, np.uint8), np.asarray(strip, np.uint8)])
