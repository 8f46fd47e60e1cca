"""All eight ways in which a frontal image can lie come back as one; what is no frontal orientation is left alone."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset

from cxr.ingest.outcome import CODES
from cxr.ingest.read.orientation import orient

UPRIGHT = np.arange(12).reshape(3, 4)
# orientation, the image stored that way, codes
CASES = [
    ("L", "F", UPRIGHT, ()),
    ("R", "F", UPRIGHT[:, ::-1], ("mirrored",)),
    ("R", "H", UPRIGHT[::-1, ::-1], ("rotated",)),
    ("L", "H", UPRIGHT[::-1], ("rotated", "mirrored")),
    ("F", "L", UPRIGHT.T, ("rotated", "mirrored")),
    ("F", "R", np.rot90(UPRIGHT, 1), ("rotated",)),
    ("H", "L", np.rot90(UPRIGHT, -1), ("rotated",)),
    ("H", "R", UPRIGHT[::-1, ::-1].T, ("rotated", "mirrored")),
]


def header_of(*orientation: str) -> Dataset:
    header = Dataset()
    header.PatientOrientation = list(orientation)
    return header


def letters_of(stored: np.ndarray) -> tuple[str, str]:
    """Where rows and columns of a stored form of `UPRIGHT` lead, from its numbers alone: +1 is to the left, +4 to the feet."""
    directions = {1: "L", -1: "R", 4: "F", -4: "H"}
    return directions[int(stored[0, 1] - stored[0, 0])], directions[int(stored[1, 0] - stored[0, 0])]


@pytest.mark.parametrize(("row", "column", "stored", "codes"), CASES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_all_eight_orientations_come_back_upright(row, column, stored, codes, dtype):
    assert letters_of(stored) == (row, column)
    result = orient(stored.astype(dtype), header_of(row, column))
    assert np.array_equal(result.pixels, UPRIGHT)
    assert result.pixels.dtype == dtype
    assert result.pixels.flags.c_contiguous
    assert result.codes == codes
    assert result.decision == f"{' and '.join(codes) or 'as stored'}: {row}\\{column}"


def test_the_eight_cases_are_different_and_all_there_are():
    assert len({case[:2] for case in CASES}) == len({case[2].tobytes() + bytes(case[2].shape) for case in CASES}) == 8


def test_codes_are_listed_as_corrections():
    assert {CODES[code][0] for *_, codes in CASES for code in codes} == {"corrected"}


@pytest.mark.parametrize("orientation", [("LA", "FP"), ("L ", " F"), ("l", "f"), ("LEFT", "FOOT")])
def test_only_the_first_letter_counts(orientation):
    result = orient(UPRIGHT.astype(np.uint8), header_of(*orientation))
    assert (result.decision, result.codes) == ("as stored: L\\F", ())


@pytest.mark.parametrize(
    "orientation",
    [
        ("A", "F"), ("P", "F"), ("L", "A"), ("L", "R"), ("H", "F"), ("L", "L"), ("F", "F"), ("X", "Y"), ("L",), ("", "F"),
        ("L", "F", "H"),
    ],
)  # fmt: skip
def test_what_is_no_frontal_orientation_is_flagged_and_left(orientation):
    pixels = UPRIGHT.astype(np.uint8)
    result = orient(pixels, header_of(*orientation))
    assert np.array_equal(result.pixels, pixels)
    assert result.codes == ("orientation-unclear",)


@pytest.mark.parametrize("header", [Dataset(), header_of(), header_of("")])
def test_a_missing_or_empty_orientation_is_no_reason_for_a_flag(header):
    result = orient(UPRIGHT.astype(np.uint8), header)
    assert (result.decision, result.codes) == ("no PatientOrientation", ())
    assert np.array_equal(result.pixels, UPRIGHT)


def test_pixels_that_are_not_contiguous_become_so():
    result = orient(UPRIGHT.astype(np.uint8)[:, ::-1], header_of("L", "F"))
    assert result.pixels.flags.c_contiguous
    assert np.array_equal(result.pixels, UPRIGHT[:, ::-1])


@pytest.mark.parametrize("orientation", [("DOE", "JANE"), ("LDOE", "FJANE"), ("DOE^JANE",)])
def test_free_text_of_the_header_does_not_reach_the_decision(orientation):
    decision = orient(UPRIGHT.astype(np.uint8), header_of(*orientation)).decision
    assert "DOE" not in decision
    assert "JANE" not in decision
