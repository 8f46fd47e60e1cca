"""What a table tells of an image beside its findings: each in the manifest's terms, nothing guessed."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.ingest.table.context import CONTEXT, context_of
from cxr.ingest.table.csvfile import Batch
from cxr.ingest.table.layout import TableFormat
from cxr.manifest import SEXES, VIEWS


def layout(**keys) -> TableFormat:
    return TableFormat.model_validate({"key": "k", "findings": {"layout": "columns"}, **keys})


def told(columns: dict[str, list[str]], **keys):
    """The context of rows with these columns, numbered from 2."""
    count = len(next(iter(columns.values())))
    columns = {"k": [f"{number}.png" for number in range(count)], **columns}
    return context_of(Batch(list(range(2, 2 + count)), columns), layout(**keys))


def test_table_of_keys_alone_tells_nothing_else():
    context = told({"k": ["a/1.png", "2.jpg"]})
    assert tuple(context.columns) == CONTEXT
    assert context["key"].tolist() == ["1", "2"]
    assert context["row"].tolist() == [2, 3]
    assert context["patient"].tolist() == context["study"].tolist() == ["", ""]
    assert context["view"].tolist() == context["sex"].tolist() == ["unknown"] * 2
    assert context["age_years"].isna().all()
    assert not context["age_implausible"].any()


def test_patient_and_study_are_what_the_pattern_finds_in_one_cell():
    cells = ["train/patient00001/study2/view1.jpg", "train/somebody/study2/view1.jpg"]
    pattern = {"patient_pattern": r"patient\d+", "study_pattern": r"patient\d+/study\d+"}
    context = told({"P": cells}, patient="P", study="P", **pattern)
    assert context["patient"].tolist() == ["patient00001", ""]
    assert context["study"].tolist() == ["patient00001/study2", ""]


@pytest.mark.parametrize("text", ["007", "1e5", "12345678901234567890123456789012345678901", "1.0", "NA"])
def test_patient_is_a_text_and_never_a_number(text):
    assert told({"P": [text]}, patient="P")["patient"].tolist() == [text]


def test_view_of_two_columns_is_told_by_both():
    sides, projections = ["Frontal", "Frontal", "Lateral", "Frontal", ""], ["AP", "PA", "", "", ""]
    context = told({"F": sides, "V": projections}, view=["F", "V"])
    assert context["view"].tolist() == ["AP", "PA", "LATERAL", "unknown", "unknown"]
    assert tuple(context["view"].cat.categories) == VIEWS


def test_layout_says_what_a_view_means_before_the_words_of_dicom_do():
    context = told({"V": ["L", "AP_horizontal", "PA", "COSTAL", "UNK"]}, view="V", views={"L": "LATERAL", "COSTAL": "unknown"})
    assert context["view"].tolist() == ["LATERAL", "AP", "PA", "unknown", "unknown"]
    assert told({"V": ["AP"]}, view="V", views={"AP": "unknown"})["view"].tolist() == ["unknown"]


@pytest.mark.parametrize(
    ("cell", "sex"),
    [("F", "F"), ("m", "M"), ("Female", "F"), ("Male", "M"), ("O", "O"), ("", "unknown"), ("Unknown", "unknown")],
)
def test_sex_is_one_of_the_manifests(cell, sex):
    context = told({"S": [cell]}, sex="S")
    assert context["sex"].tolist() == [sex]
    assert tuple(context["sex"].cat.categories) == SEXES


@pytest.mark.parametrize(
    ("cell", "years", "implausible"),
    [
        ("054Y", 54, False),
        ("54", 54, False),
        ("54.0", 54, False),
        ("006M", 0, False),
        ("89", 89, False),
        ("90", 90, False),
        ("120", 90, False),
        ("121", None, True),
        ("-1", None, True),
        ("", None, False),
        ("old", None, False),
        ("0", 0, False),
    ],
)
def test_age_is_pooled_and_an_impossible_one_is_said_to_be(cell, years, implausible):
    (row,) = told({"A": [cell]}, age="A").to_dict("records")
    assert row["age_years"] == years or (years is None and math.isnan(row["age_years"]))
    assert row["age_implausible"] == implausible


def test_cell_that_stands_for_no_age_is_none():
    context = told({"A": ["0", "0.0", "1"]}, age="A", age_missing=["0"])
    assert context["age_years"].isna().tolist() == [True, False, False]
    assert not context["age_implausible"].any()


@pytest.mark.parametrize(
    ("birth", "date", "years", "implausible"),
    [
        ("1953.0", "20170124", 64, False),
        ("1953", "2017-01-24", 64, False),
        ("2017.0", "20170124", 0, False),
        ("1900", "20170124", 90, False),
        ("2018", "20170124", None, True),
        ("1800", "20170124", None, True),
        ("", "20170124", None, False),
        ("1953.0", "", None, False),
        ("None", "20170124", None, False),
        ("53", "2017", None, False),
    ],
)
def test_age_of_two_years_is_their_difference(birth, date, years, implausible):
    (row,) = told({"B": [birth], "D": [date]}, birth="B", date="D").to_dict("records")
    assert row["age_years"] == years or (years is None and math.isnan(row["age_years"]))
    assert row["age_implausible"] == implausible


@given(st.lists(st.tuples(st.text(), st.text(), st.text(), st.text()), min_size=1))
def test_any_cells_give_a_context_that_a_manifest_may_hold(rows):
    patients, views, sexes, ages = map(list, zip(*rows, strict=True))
    context = told({"P": patients, "V": views, "S": sexes, "A": ages}, patient="P", view="V", sex="S", age="A")
    assert context["patient"].tolist() == patients
    assert context["view"].notna().all()
    assert context["sex"].notna().all()
    assert (context["age_years"].isna() | context["age_years"].between(0, 90)).all()
    assert context["age_years"][context["age_implausible"]].isna().all()
