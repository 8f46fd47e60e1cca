from __future__ import annotations

import math

import pytest

from cxr.ingest.label_audit.cells import Cells
from cxr.ingest.label_audit.policies import LabelAccount
from cxr.ingest.label_audit.wording import agreement_text, findings, uncertain_words, widest_choice
from cxr.labels.label_set import Label

HIERARCHY = ("a", {"name": "b", "parent": "a", "excludes": ["c"]}, "c")


def told(audit) -> list[tuple[str, str]]:
    return [(finding.state, finding.text) for finding in findings(audit)]


def test_what_wants_care_is_told_with_its_number(audit_of, label_set, make_manifest):
    same = {"pixel_sha256": ["x", "x", "y", "y"], "perceptual_hash": ["0" * 64] * 2 + ["f" * 64] * 2}
    other = make_manifest(1, "u", pixel_sha256=["x"], perceptual_hash=["0" * 64])
    audit = audit_of([[0, 1, 4], [0, 1, 1], [4, 4, 4], [4, 4, 4]], label_set(*HIERARCHY), others=[other], ages=1, **same)
    assert told(audit) == [
        ("care", "In 2 images a finding is present, but a more general one is absent."),
        ("care", "In 1 image two labels are positive that exclude each other."),
        (
            "care",
            "2 pairs of images look the same but belong to different patients: one may be under the wrong name, or the patient "
            "has two ids.",
        ),
        ("care", "2 pairs of images look the same: one of this source, one of another."),
        ("care", "1 image has an age below 0 or above 120 years: it is treated as unknown."),
    ]


def test_blank_above_a_finding_is_told_where_it_is_read_as_absent(audit_of, label_set):
    labels = label_set({"name": "a", "blank": "negative"}, {"name": "b", "parent": "a"})
    assert told(audit_of([[4, 1]], labels))[0] == (
        "care",
        "In 1 image a finding is present, but a more general one blank, read as absent.",
    )


def test_all_is_well_or_could_not_be_checked(audit_of, label_set):
    known = {"pixel_sha256": ["x", "y"]}
    assert told(audit_of([[1, 1, 4], [4, 4, 4]], label_set(*HIERARCHY), **known)) == [
        ("good", "No image contradicts itself."),
        ("good", "No image stands under two patients."),
        ("good", "No age is out of range."),
    ]
    assert [state for state, _ in told(audit_of([[1]], label_set("a")))] == ["open", "open", "good"]


def test_the_widest_choice_gives_both_ends():
    accounts = [LabelAccount(Label(name="a"), Cells(10, 90, 0, 0, 0)), LabelAccount(Label(name="b"), Cells(50, 50, 0, 900, 7))]
    assert widest_choice(accounts) == (
        "The choice matters most for b: 50.0 % of 100 images with blank cells left unknown; "
        "5.0 % of 1,000 images with blank cells read as 0."
    )
    uncertain = [LabelAccount(Label(name="a"), Cells(10, 80, 10, 100, 0))]
    assert "20.0 % of 100 images with blank cells left unknown and uncertain ones as 1; " in widest_choice(uncertain)


@pytest.mark.parametrize(
    "cells", [Cells(10, 90, 0, 0, 4), Cells(0, 0, 0, 0, 9), Cells(0, 5, 0, 9, 0), Cells(100, 10**6, 0, 9, 0)]
)
def test_a_choice_that_changes_nothing_that_is_seen_is_not_told(cells):
    assert widest_choice([LabelAccount(Label(name="a"), cells)]) == ""


def test_kappa_and_policies_in_words():
    assert [agreement_text(kappa) for kappa in (1.0, -0.123, math.nan)] == ["1.00", "−0.12", "–"]
    assert [uncertain_words(LabelAccount(Label(name="a", uncertain=one), Cells(1, 0, 0, 0, 0))) for one in ("ignore", 0.6)] == [
        "ignored",
        "as 0.6",
    ]
