from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cxr.evaluate.card import escape, render_card, table
from tests.evaluate.rich import LABELS, NAMES, rich_evaluation, rich_table

SECTIONS = (
    *("Intended use", "Data", "Figures", "Operating points", "Calibration", "Subgroups", "Branch weights", "Limits"),
    *("Not measured", "Provenance"),
)


def parse(text: str) -> MarkdownIt:
    return MarkdownIt("commonmark").enable("table").parse(text)


def shown(text: str) -> list[str]:
    """What a reader sees of each piece of inline text."""
    return ["".join(child.content for child in token.children) for token in parse(text) if token.type == "inline"]


@pytest.fixture(scope="module")
def card():
    return render_card(rich_evaluation(), LABELS, "rich *run*", "# No heading", "test")


def test_has_its_sections_in_order(card):
    tokens = parse(card)
    headings = [tokens[place + 1].content for place, token in enumerate(tokens) if token.type == "heading_open"]
    assert headings == [r"rich \*run\*: model card", *SECTIONS]
    assert "# No heading" in shown(card)


def test_tables_are_tables_with_columns_below_each_other(card):
    blocks = re.findall(r"(?:^\|.*\n)+", card, re.MULTILINE)
    assert len(blocks) == sum(token.type == "table_open" for token in parse(card)) == 6
    for block in blocks:
        lines = block.splitlines()
        bars = [[match.start() for match in re.finditer(r"(?<!\\)\|", line)] for line in lines]
        assert all(places == bars[0] for places in bars)


def test_every_label_is_shown_as_it_is_called(card):
    assert set(NAMES) <= set(shown(card))
    assert not any(token.type.startswith("html") for token in parse(card))
    assert "undefined: no positives" in shown(card)
    assert "Never, youden: no positives" in shown(card)


def test_figures_carry_their_intervals(card):
    row = rich_evaluation().rows[0]
    line = next(line for line in card.splitlines() if line.startswith("| Firm "))
    assert f"{row.auroc:.3f} ({row.interval.low:.3f} to {row.interval.high:.3f})" in line
    point = rich_evaluation().operating[0].figures
    line = next(line for line in card.splitlines() if re.match(r"\| Firm +\| youden", line))
    assert f"{point.sensitivity.value:.3f} (" in line
    assert "| 0.01 " in line


def test_names_no_patient_and_no_image(card):
    frame = rich_table().frame
    for column in ("image_id", "patient_id", "study_id"):
        assert not any(re.search(rf"\b{name}\b", card) for name in frame[column])


def test_says_what_it_rests_on_and_what_it_does_not_say(card):
    text = "\n".join(shown(card))
    for wanted in (
        "600 images of 300 patients",
        "By sex: F 300, M 300",
        "fitted on 600 images of 300 patients",
        "sha256 a3b4",
        "no medical device",
        "Labels taken from reports",
        "what readers or patients gain by it",
        "Rare_Finding: only",
    ):
        assert wanted in text, wanted


def test_without_calibration_and_groups_it_says_so():
    evaluation = replace(rich_evaluation(calibrate=False, subgroups=()), about={})
    text = "\n".join(shown(render_card(evaluation, LABELS, "x", "", "scores.csv")))
    assert "On scores.csv (600 images of 300 patients)" in text
    assert "None: no threshold was chosen on other patients." in text
    assert "Nothing is known here of the model" in text
    assert "Nothing to compare" in text
    assert "Branch weights" not in text


def test_a_patient_is_no_image():
    text = render_card(rich_evaluation(unit="patient"), LABELS, "x", "", "test")
    assert "300 patients (600 images)" in text
    assert "positive patients" in text


def test_same_figures_same_card():
    evaluation = rich_evaluation()
    assert render_card(evaluation, LABELS, "x", "", "test") == render_card(evaluation, LABELS, "x", "", "test")


@example("- no list")
@example("1. no list")
@example("2) no list")
@example("+ no list")
@example("---")
@example("=")
@example("-0.5")
@given(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=30))
def test_any_text_is_shown_as_it_is(text):
    expected = " ".join(text.split())
    for start in ("", "- "):
        assert shown(f"{start}{escape(text)}\n") == ([expected] if expected else [])
    assert shown(f"| heading |\n| - |\n| {escape(text)} |\n") == ["heading", expected]


def test_a_table_without_rows_is_nothing():
    assert table(("a", "b"), []) == ""


def test_wide_letters_keep_columns_in_line():
    assert table(("a",), [("肺",), ("abcd",)]).splitlines() == ["| a    |", "| ---- |", "| 肺   |", "| abcd |"]
