"""The texts of tracked runs: the questions in their order, a line each, and no character that Markdown takes for its own."""

from __future__ import annotations

import itertools

import pytest

from cxr.note import pipeline_note, stage_note
from cxr.record import Fingerprint, StageRecord

EMPTY = StageRecord(
    stage="ingest",
    fingerprint=Fingerprint(config={}, inputs={}, code={}),
    environment={},
    outputs={},
    run_id="1",
    parent_run_id="0",
    started="",
    finished="",
    counts={},
    headline="all done",
    metrics={},
    table=[],
    warnings=[],
)


def record(stage: str, **values: object) -> StageRecord:
    return EMPTY.model_copy(update={"stage": stage, **values})


@pytest.fixture
def records():
    table = [["label", "AUROC"], ["Mass", "0.9"]]
    return [
        record("phantom", table=[["finding", "images"], ["Mass", "3"]]),
        record("ingest", answers={"labels": "two", "data": "10 images"}, warnings=["one file is odd"]),
        record("split", answers={"data": "5 train"}),
        record("evaluate", answers={"next": "read on", "sure": "0.8 to 0.95", "good": "mean AUROC 0.9"}, table=table),
        record("decide", answers={"against": "the older one", "next": "promote it"}, headline="it may be promoted"),
    ]


def test_questions_stand_first_in_their_order_a_line_each(records):
    lines = pipeline_note("Two findings.", records).splitlines()
    assert [line.rstrip() for line in lines[:6]] == [
        "**What data**: 10 images; 5 train",
        "**What labels**: two",
        "**How good**: mean AUROC 0.9",
        "**How sure**: 0.8 to 0.95",
        "**Against what**: the older one",
        "**What next**: read on; promote it",
    ]
    assert all(line.endswith("  ") for line in lines[:5]), "which makes a line of its own in Markdown"


def test_tables_of_the_answers_follow_then_what_to_mind_the_description_and_the_stages(records):
    note = pipeline_note("Two findings.", records)
    order = ("| Mass | 0.9 |", "* ingest: one file is odd", "Two findings.", "* **decide**: it may")
    places = [note.index(text) for text in order]
    assert places == sorted(places)
    assert "finding" not in note.partition("Two findings.")[0], "what the phantom drew is told on its own run"


def test_questions_that_no_stage_has_answered_are_left_out(records):
    assert "Against what" not in pipeline_note("", records[:-1])
    assert pipeline_note("", [record("ingest")]) == "* **ingest**: all done"


def test_stage_tells_its_headline_what_to_mind_and_its_table(records):
    assert stage_note(records[1]) == "**all done**\n\n**To mind**\n\n* one file is odd"
    assert stage_note(records[0]).splitlines()[-1] == "| Mass | 3 |"


@pytest.mark.parametrize("name", ["a|b", "<b>x</b>", "*all*", "a_b_c", "[x](y)", "`code`", "#1", "two\nlines"])
def test_no_name_is_taken_for_markdown(name):
    made = record("evaluate", answers={"good": name}, table=[["label"], [name]], headline=name, warnings=[name])
    lines = pipeline_note(name, [made]).splitlines()
    plain = name.replace("\n", " ")
    assert lines[0].replace("\\", "") == f"**How good**: {plain}"
    row = next(line for line in lines if line.startswith("| ") and line not in ("| label |", "| --- |"))
    assert row.replace("\\", "") == f"| {plain} |"
    for sign in "|<*_[`#":
        assert all(before == "\\" for before, after in itertools.pairwise(row[1:-2]) if after == sign)


def test_record_of_an_earlier_version_has_no_answers_and_is_still_read():
    old = EMPTY.model_dump(exclude={"answers", "highlights", "model_id"})
    assert StageRecord.model_validate(old) == EMPTY
