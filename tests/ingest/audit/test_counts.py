from __future__ import annotations

import io

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr.errors import DataError
from cxr.ingest.audit.counts import AuditCounts, count, metrics
from cxr.ingest.outcome import CODES, OUTCOMES, TAKEN, outcome_of

CODES_OF_FILES = sorted(set(CODES) - {"row-without-file"})
some_codes = st.lists(st.lists(st.sampled_from(CODES_OF_FILES), max_size=3, unique=True).map(tuple), max_size=40)


def tally(files, make_manifest, **options):
    ids = files["image_id"][files["image_id"] != ""].tolist()
    return count(files, make_manifest(ids), **options)


@settings(max_examples=60, deadline=None)
@given(codes=some_codes, rows=st.integers(0, 3))
def test_any_split_of_outcomes_adds_up_to_the_file(list_files, make_manifest, codes, rows):
    counts = tally(list_files(codes, rows), make_manifest, listed=len(codes))
    assert counts.seen == len(codes) == sum(counts.outcomes.values())
    assert set(counts.outcomes) == set(OUTCOMES)
    assert all(number == sum(outcome_of(of) == name for of in codes) for name, number in counts.outcomes.items())
    assert counts.taken == counts.images == sum(outcome_of(of) in TAKEN for of in codes)
    assert counts.rows_without_file == rows
    for reason in counts.reasons:
        having = [number for number, of in enumerate(codes, start=1) if reason.code in of]
        if reason.of == "file":
            assert (reason.count, list(reason.examples)) == (len(having), having[:5])
    assert {reason.code for reason in counts.reasons} == {code for of in codes for code in of} | (
        {"row-without-file"} if rows else set()
    )


@settings(max_examples=60, deadline=None)
@given(codes=some_codes.filter(bool), data=st.data())
def test_a_lost_file_is_refused_whatever_became_of_it(list_files, make_manifest, codes, data):
    lost = data.draw(st.integers(1, len(codes)))
    files = list_files(codes)
    with pytest.raises(DataError, match=rf"file {lost} of the listing|was taken, but|were taken, but"):
        count(files[files["number"] != lost], manifest_of(files, make_manifest), listed=len(codes))


@settings(max_examples=30, deadline=None)
@given(codes=some_codes.filter(bool), data=st.data())
def test_a_file_that_stands_twice_is_refused(list_files, make_manifest, codes, data):
    files = list_files(codes)
    again = files[files["number"] == data.draw(st.integers(1, len(codes)))]
    with pytest.raises(DataError, match="stands twice"):
        count(pd.concat([files, again]), manifest_of(files, make_manifest))


def manifest_of(files, make_manifest):
    return make_manifest(files["image_id"][files["image_id"] != ""].tolist())


def test_the_last_file_is_missed_only_if_the_length_of_the_listing_is_told(list_files, make_manifest):
    files = list_files([(), ("empty",)]).iloc[:1]
    assert tally(files, make_manifest).seen == 1
    with pytest.raises(DataError, match="file 2 of the listing of 2 has no outcome; 1 in all"):
        tally(files, make_manifest, listed=2)
    with pytest.raises(DataError, match="1 files have an outcome, but the listing has 0"):
        tally(files, make_manifest, listed=0)


def test_an_image_that_the_manifest_lacks_is_refused(list_files, make_manifest):
    files = list_files([(), ("inverted",), ("empty",)])
    with pytest.raises(DataError, match="file 2 was taken, but its image is not in the manifest; 1 in all"):
        count(files, make_manifest(["image-1", "image-9"]))


def test_an_image_that_no_file_gave_is_refused(list_files, make_manifest):
    with pytest.raises(DataError, match="1 files were taken, but the manifest has 2 images"):
        count(list_files([()]), make_manifest(["image-1", "image-2"]))


def test_two_files_cannot_have_given_one_image(list_files, make_manifest):
    files = list_files([(), ()])
    files["image_id"] = "image-1"
    with pytest.raises(DataError, match="file 2 was taken for an image that another file gave"):
        count(files, make_manifest(["image-1", "image-2"]))


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("outcome", "Doe^Jane", "file 2 has no known outcome; 1 in all"),
        ("number", -1, "a number is negative"),
        ("number", 0, "1 rows without a file are counted as taken"),
    ],
)
def test_a_row_that_means_nothing_is_refused_and_not_quoted(list_files, make_manifest, column, value, message):
    files = list_files([(), ()])
    files.loc[1, column] = value
    with pytest.raises(DataError, match=message) as caught:
        count(files, make_manifest(["image-1", "image-2"]))
    assert "Doe" not in str(caught.value)


def test_numbers_that_contradict_each_other_cannot_be_made():
    none = dict.fromkeys(OUTCOMES, 0)
    with pytest.raises(DataError, match="2 files were seen, but 1 have an outcome"):
        AuditCounts(2, {**none, "skipped": 1}, 0, (), 0, 0, 0)
    with pytest.raises(DataError, match="1 files were taken, but the manifest has 0 images"):
        AuditCounts(1, {**none, "flagged": 1}, 0, (), 0, 0, 0)


def test_a_list_read_back_from_disk_gives_the_same_counts(list_files, make_manifest):
    files = list_files([(), ("empty",), ("inverted", "padding")], rows=1)
    back = pd.read_csv(io.StringIO(files.to_csv(index=False)))  # empty texts come back as NaN
    manifest = make_manifest(["image-1", "image-3"])
    assert count(back, manifest) == count(files, manifest)


def test_order_of_the_rows_does_not_matter(list_files, make_manifest):
    files = list_files([("inverted",), ("empty",), (), ("inverted",)] * 5, rows=2)
    assert tally(files.sample(frac=1, random_state=0), make_manifest) == tally(files, make_manifest)


def test_reasons_that_keep_files_out_stand_first_and_the_frequent_ones_before_the_rare(list_files, make_manifest):
    codes = [("inverted",)] * 3 + [("padding",), ("modality",), ("empty",), ("constant",), ("constant",), ("low-contrast",)]
    counts = tally(list_files(codes), make_manifest)
    assert [reason.code for reason in counts.reasons] == [
        "constant",
        "empty",
        "modality",
        "low-contrast",
        "inverted",
        "padding",
    ]
    assert counts.reasons[0].meaning == CODES["constant"][1]


def test_examples_of_table_rows_are_rows_as_a_spreadsheet_shows_them(list_files, make_manifest):
    counts = tally(list_files([()], rows=7), make_manifest)
    (reason,) = counts.reasons
    assert (reason.of, reason.count, reason.examples) == ("table row", 7, (2, 3, 4, 5, 6))


def test_a_row_whose_number_is_not_known_is_counted_but_is_no_example(list_files, make_manifest):
    files = list_files([()], rows=3)
    files.loc[2, "table_row"] = 0
    (reason,) = tally(files, make_manifest).reasons
    assert (reason.count, reason.examples) == (3, (2, 4))


def test_metrics_have_every_outcome_and_only_the_codes_that_occur(list_files, make_manifest):
    found = metrics(tally(list_files([(), ("inverted",), ("empty",), ("inverted",)], rows=2), make_manifest))
    assert found == {
        "files/seen": 4, "files/taken": 3, "files/accepted": 1, "files/corrected": 2, "files/flagged": 0,
        "files/quarantined": 1, "files/skipped": 0, "files/duplicate": 0, "files/rows_without_file": 2,
        "images": 3, "studies": 2, "patients": 1, "code/inverted": 2, "code/empty": 1, "code/row-without-file": 2,
    }  # fmt: skip
