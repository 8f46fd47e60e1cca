"""An outline lands on the canonical image where the finding does, whatever ingest did with the pixels."""

from __future__ import annotations

import json
from io import BytesIO

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.config_sources import PhantomSource
from cxr.evaluate.undefined import Undefined
from cxr.ingest.read.canonical import canonical
from cxr.ingest.read.dicom import read_dicom
from cxr.ingest.store import Preprocessing
from cxr.localise.frame import Frame, frame_of
from cxr.phantom.dicom import build_dicom
from cxr.phantom.encoding import ENCODINGS
from cxr.phantom.plan import plan_cohort
from cxr.phantom.render import render

PAD, CROP = (Preprocessing(96, fit, 3, 2) for fit in ("pad", "crop"))
STORED = {  # how a file that stores an upright image lies, by where its rows and columns lead
    "L\\F": lambda upright: upright,
    "R\\F": lambda upright: upright[:, ::-1],
    "R\\H": lambda upright: upright[::-1, ::-1],
    "L\\H": lambda upright: upright[::-1],
    "F\\L": lambda upright: upright.T,
    "F\\R": lambda upright: np.rot90(upright, 1),
    "H\\L": lambda upright: np.rot90(upright, -1),
    "H\\R": lambda upright: upright[::-1, ::-1].T,
}


@pytest.fixture(scope="module")
def phantoms():
    """Upright pictures with masks, two of them not square."""
    source = PhantomSource(kind="phantom", patients=12, images_per_patient=1, matrix=160)
    planned = [each for each in plan_cohort(source, seed=3).good if each.severities and each.shape[0] != each.shape[1]][:2]
    assert len({each.shape for each in planned}) == 2
    return [(each, render(each.anatomy, each.pose, each.severities, each.shape, each.seed)) for each in planned]


def as_read(planned, picture, orientation, spacing=None):
    """What the reader of ingest makes of a file with this picture: its pixels, and its decisions as the manifest has them."""
    dataset = build_dicom(np.ascontiguousarray(picture), planned.examination, ENCODINGS[0])
    dataset.PatientOrientation = orientation.split("\\")
    if spacing is not None:
        dataset.PixelSpacing = dataset.ImagerPixelSpacing = [str(each) for each in spacing]
    content = BytesIO()
    dataset.save_as(content, enforce_file_format=True)
    radiograph = read_dicom(content.getvalue())
    return radiograph.pixels, json.dumps(radiograph.decisions)


def agree(one, two):
    """Masks that differ at most in a rim of one pixel."""
    rim = np.ones((3, 3), np.uint8)
    wide, narrow = cv2.dilate(two.astype(np.uint8), rim) > 0, cv2.erode(two.astype(np.uint8), rim, borderValue=1) > 0
    return one.any() and not (one & ~wide).any() and not (narrow & ~one).any()


@pytest.mark.parametrize("made", [PAD, CROP], ids=["pad", "crop"])
@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("number", [0, 1])
def test_a_mask_lands_where_its_picture_does_however_the_file_lies(phantoms, orientation, number, made):
    planned, drawn = phantoms[number]
    mask = np.logical_or.reduce(list(drawn.masks.values()))
    stored = STORED[orientation]
    # the mask as a picture goes through the reader itself, and so says where the finding is
    pixels, decisions = as_read(planned, stored(mask.astype(np.float32)), orientation)
    expected = canonical(pixels, made.size, made.fit) > 127
    frame = frame_of(*pixels.shape, decisions, made)
    assert isinstance(frame, Frame)
    assert frame.has(stored(mask).shape)
    assert not frame.has((stored(mask).shape[0] + 1, stored(mask).shape[1]))
    assert agree(frame.lay(np.ascontiguousarray(stored(mask))), expected)
    turned = frame.lay(np.ascontiguousarray(stored(mask)[::-1, ::-1]))
    assert not agree(turned, expected)  # the phantoms are not symmetrical: the test can fail


@pytest.mark.parametrize("orientation", ["L\\F", "F\\L", "H\\R"])
@pytest.mark.parametrize("spacing", [(0.25, 0.2), (0.2, 0.25)])
def test_a_mask_is_stretched_with_pixels_that_are_not_square(phantoms, orientation, spacing):
    planned, drawn = phantoms[0]
    mask = np.ascontiguousarray(STORED[orientation](np.logical_or.reduce(list(drawn.masks.values()))))
    pixels, decisions = as_read(planned, mask.astype(np.float32), orientation, spacing)
    assert pixels.size > mask.size
    frame = frame_of(*pixels.shape, decisions, PAD)
    assert isinstance(frame, Frame)
    assert frame.has(mask.shape)
    assert agree(frame.lay(mask), canonical(pixels, PAD.size, PAD.fit) > 127)


@pytest.mark.parametrize(
    ("decisions", "reason"),
    [
        ({"orientation": "turned about", "aspect": "as stored"}, "how the image was turned"),
        ({"orientation": "as stored: L\\F", "aspect": "squeezed"}, "how the image was stretched"),
        ({"syntax": "Explicit VR Little Endian", "aspect": "as stored"}, "how the image was turned"),
        ({"syntax": "Explicit VR Little Endian", "orientation": "no PatientOrientation"}, "how the image was stretched"),
    ],
)
def test_an_image_of_which_the_manifest_does_not_tell_enough_has_no_frame(decisions, reason):
    found = frame_of(40, 30, json.dumps(decisions), PAD)
    assert isinstance(found, Undefined)
    assert reason in found.reason


@pytest.mark.parametrize(
    "words", ["no PatientOrientation", "as stored: PatientOrientation is unclear", "as stored: A\\F is unclear"]
)
def test_an_image_that_ingest_did_not_turn_is_not_turned(words):
    frame = frame_of(40, 30, json.dumps({"orientation": words, "aspect": "spacing unusable"}), PAD)
    assert isinstance(frame, Frame)
    assert (frame.letters, frame.stored) == (None, (40, 30))


@given(st.integers(40, 300), st.integers(40, 300), st.data())
def test_the_sides_of_a_box_in_a_published_image_land_where_arithmetic_says(rows, columns, data):
    height, width = data.draw(st.integers(20, rows)), data.draw(st.integers(20, columns))
    top, left = data.draw(st.integers(0, rows - height)), data.draw(st.integers(0, columns - width))
    mask = np.zeros((rows, columns), bool)
    mask[top : top + height, left : left + width] = True
    frame = frame_of(rows, columns, json.dumps({"voi": "as published"}), PAD)
    assert isinstance(frame, Frame)
    laid = frame.lay(mask)
    scale = PAD.size / max(rows, columns)
    for axis, start, length, whole in ((0, top, height, rows), (1, left, width, columns)):
        inside = np.flatnonzero(laid.any(axis=1 - axis))
        margin = (PAD.size - whole * scale) / 2
        assert abs(inside[0] - (margin + start * scale)) <= 1.5
        assert abs(inside[-1] + 1 - (margin + (start + length) * scale)) <= 1.5
