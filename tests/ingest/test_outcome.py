"""The list of codes: each leads to one outcome, and the documentation has every one of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cxr.ingest.outcome import CODES, OUTCOMES, PASSING, FileOutcome, outcome_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "ingest.md"


def test_documented_codes_are_those_of_the_code():
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (\w+) \| (.+) \|$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert {code: (outcome, text) for code, outcome, text in rows} == CODES


@pytest.mark.parametrize(
    ("codes", "outcome"),
    [
        ((), "accepted"),
        (("inverted",), "corrected"),
        (("inverted", "view-unknown"), "flagged"),
        (("view-unknown", "duplicate"), "duplicate"),
        (("duplicate", "decode-failed"), "quarantined"),
        (("decode-failed", "lateral"), "skipped"),
    ],
)
def test_what_keeps_a_file_out_goes_before_what_only_marks_it(codes, outcome):
    assert outcome_of(codes) == outcome
    assert FileOutcome(1, "f", codes).outcome == outcome


def test_only_files_that_were_not_taken_are_tried_again():
    assert {CODES[code][0] for code in PASSING} == {"quarantined"}


def test_sentence_gives_the_values_that_led_to_the_codes():
    outcome = FileOutcome(1, "f", ("decode-failed",), "9 bytes of pixel data, 10 expected")
    assert outcome.sentence.endswith("(9 bytes of pixel data, 10 expected)")
    assert FileOutcome(1, "f").sentence == "taken as it is"
    assert set(OUTCOMES) == {outcome for outcome, _ in CODES.values()} | {"accepted"}
