"""Files and table brought together, against a slow reference that takes file after file."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr.ingest.deidentify import Pseudonyms
from cxr.ingest.join import Joined, join, to_frame
from cxr.ingest.outcome import TAKEN, FileOutcome, outcome_of
from cxr.ingest.shard import Record
from cxr.ingest.table.context import CONTEXT
from cxr.ingest.table.table import LabelTable
from cxr.labels.label_set import Label, LabelSet
from cxr.labels.values import BLANK, NEGATIVE, UNKNOWN
from cxr.manifest import SEXES, VIEWS

NAMES = Pseudonyms("ward", bytes(range(32)))
LABELS = LabelSet(name="two", labels=(Label(name="Mass"), Label(name="Effusion", blank="negative")))
MEANS_OF_BLANK = (UNKNOWN, NEGATIVE)
REFUSALS = ("empty", "lateral", "modality", "no-identity")
FLAGS = ((), ("inverted",), ("view-unknown",), ("inverted", "collimation"))


def image(pixels: str, patient: str, name: str, **context) -> dict:
    own = {"view": "unknown", "sex": "unknown", "age_years": None, **context}
    return {
        "image_id": f"{pixels} {name}", "patient_id": patient and f"ward:{patient}", "study_id": patient and f"ward:s{patient}",
        "source": "ward", "source_name": name, "study_uid": "", "instance_uid": "", "study_date": "", "source_sha256": "0" * 64,
        "pixel_sha256": pixels, "perceptual_hash": "", "manufacturer": "", "decisions": "{}",
        "height": 9, "width": 8, "shard": 0, "row": 0, **own,
    }  # fmt: skip


def row_of(key: str, codes: tuple[int, int] = (1, 0), **told) -> dict:
    """A row of the table that tells nothing but its codes, as the reader of tables would give it."""
    nothing = {"patient": "", "study": "", "view": "unknown", "sex": "unknown", "age_years": None, "age_implausible": False}
    return {"key": key, "codes": codes, "labelled": True, **nothing, **told}


def table_of(rows: list[dict]) -> LabelTable:
    images = pd.DataFrame(rows, columns=[*CONTEXT, "labelled"]).astype({"age_years": float, "labelled": bool})
    images = images.assign(
        row=np.arange(2, 2 + len(rows)),
        view=pd.Categorical(images["view"], categories=VIEWS),
        sex=pd.Categorical(images["sex"], categories=SEXES),
    ).astype(dict.fromkeys(("key", "patient", "study"), "str"))
    codes = np.array([row["codes"] for row in rows], np.int8).reshape(-1, len(LABELS.names))
    return LabelTable(images, codes, {"table": "0" * 64})


@st.composite
def sources(draw):
    """Records and the rows of a table, drawn from so few values that they meet often."""
    published = draw(st.booleans())
    records = []
    for number in range(draw(st.integers(1, 7))):
        name = draw(st.sampled_from("abcd"))
        if draw(st.integers(0, 4)) == 0:
            records.append(Record(f"file{number}", (draw(st.sampled_from(REFUSALS)),), draw(st.sampled_from(["", "why"]))))
            continue
        patient = "" if published else draw(st.sampled_from("pq"))
        view, sex = draw(st.sampled_from(["unknown", "PA", "AP"])), draw(st.sampled_from(["unknown", "F"]))
        own = image(
            draw(st.sampled_from("xyz")), patient, name, view=view, sex=sex, age_years=draw(st.sampled_from([None, 40.0]))
        )
        key = draw(st.sampled_from(["", *[NAMES.name("key", name)] * 5]))
        records.append(Record(f"file{number}", draw(st.sampled_from(FLAGS)), "", key, own))
    keys = draw(st.lists(st.sampled_from("abcde"), unique=True, min_size=1))
    rows = [
        row_of(
            key,
            draw(st.tuples(st.integers(0, 4), st.integers(0, 4))),
            patient=draw(st.sampled_from("uv")) if published else draw(st.sampled_from(["", "u"])),
            study=draw(st.sampled_from(["", "s1"])),
            view=draw(st.sampled_from(VIEWS)),
            sex=draw(st.sampled_from(["unknown", "M"])),
            age_implausible=(implausible := draw(st.booleans())),
            age_years=None if implausible else draw(st.sampled_from([None, 30.0, 90.0])),
            labelled=draw(st.integers(0, 3)) > 0,
        )
        for key in keys
    ]
    return records, rows, published


def complete(record: Record, row: dict | None, *, has_table: bool, published: bool) -> tuple[dict, list[str]]:
    """One file by itself: its columns with the context of its row, and its codes."""
    own, codes = dict(record.image), list(record.codes)
    if not own:
        return own, codes
    if row is not None:
        if own["patient_id"] == "" and row["patient"]:
            own["patient_id"] = NAMES.name("patient", row["patient"])
        if own["study_id"] == "" and row["patient"]:
            own["study_id"] = NAMES.name("study", row["study"] or own["source_name"])
        own["view"] = row["view"] if own["view"] == "unknown" else own["view"]
        own["sex"] = row["sex"] if own["sex"] == "unknown" else own["sex"]
        if own["age_years"] is None:
            own["age_years"] = row["age_years"]
            codes += ["age-implausible"] if row["age_implausible"] else []
        codes += [] if row["labelled"] else ["not-labelled"]
    elif has_table:
        codes.append("not-in-table" if published else "not-labelled")
    return own, codes + (["lateral"] if own["view"] == "LATERAL" else [])


def reference(records, rows, published):
    """What `join` does, file after file: (columns, codes, row) of each, and the rows without a file."""
    by_key = {NAMES.name("key", row["key"]): row for row in rows or ()}
    first: dict[str, str] = {}
    images, done = set(), []
    for record in records:
        row = by_key.get(record.key) if record.key else None
        own, codes = complete(record, row, has_table=rows is not None, published=published)
        if own and outcome_of(tuple(codes)) in TAKEN:
            pixels, patient = own["pixel_sha256"], own["patient_id"]
            if pixels not in first:
                first[pixels] = patient
            elif patient != first[pixels]:
                codes.append("duplicate-other-patient")
            elif published and own["image_id"] not in images:
                codes.append("repeated")
            else:
                codes.append("duplicate")
            images.add(own["image_id"])
        done.append((own, tuple(codes), row))
    used = [row for own, _, row in done if own and row]
    return done, [row for row in rows or () if row not in used]


def joined(records, rows, published) -> Joined:
    size = 3 if len(records) < 10 else 500
    shards = [records[start : start + size] for start in range(0, len(records), size)]
    frame = to_frame(shards, {record.file: number for number, record in enumerate(records, start=1)})
    table = None if rows is None else table_of(rows)
    return join(frame, table, LABELS, NAMES, published=published)


@settings(max_examples=120, deadline=None)
@given(sources(), st.booleans())
def test_join_is_what_a_slow_reference_says(source, with_table):
    records, rows, published = source
    rows, published = (rows, published) if with_table else (None, False)
    if not with_table:
        records = [record for record in records if not record.image or record.image["patient_id"]]
    if not records:
        return
    result = joined(records, rows, published)
    done, left = reference(records, rows, published)
    files = result.files.to_dict("records")
    assert len(files) == len(done) + len(left)
    taken = []
    for number, (file, record, (own, codes, row)) in enumerate(zip(files, records, done, strict=False), start=1):
        outcome = outcome_of(codes)
        assert (file["number"], file["file"], file["outcome"]) == (number, record.file, outcome)
        assert tuple(file["codes"].split()) == codes
        assert file["sentence"] == FileOutcome(0, "", codes, record.detail).sentence
        assert file["image_id"] == (own["image_id"] if outcome in TAKEN else "")
        assert file["table_row"] == (rows.index(row) + 2 if row is not None else 0)
        taken += [(own, row)] if outcome in TAKEN else []
    for file, row in zip(files[len(done) :], left, strict=True):
        assert (file["number"], file["codes"], file["table_row"]) == (0, "row-without-file", rows.index(row) + 2)
        assert file["file"] == NAMES.name("key", row["key"])
    frame = result.manifest.frame.to_dict("records")
    assert len(frame) == len(taken)
    for got, (own, _) in zip(frame, taken, strict=True):
        age, expected = got.pop("age_years"), own.pop("age_years")
        assert age == expected or (math.isnan(age) and (expected is None or math.isnan(expected)))
        assert {name: got[name] for name in own if name != "age_years"} == own
    expected = [list(row["codes"]) if row else [UNKNOWN] * 2 for _, row in taken]
    assert result.codes.tolist() == expected
    settled = [[m if code == BLANK else code for code, m in zip(codes, MEANS_OF_BLANK, strict=True)] for codes in expected]
    assert result.manifest.label_codes().tolist() == settled


def test_first_of_the_listing_is_taken_whatever_the_order_of_the_records():
    records = [Record(name, (), "", "", image("x", "p", name)) for name in "abc"]
    frame = to_frame([records[2:], records[:2]], {"a": 1, "b": 2, "c": 3})
    files = join(frame, None, LABELS, NAMES, published=False).files
    assert files["codes"].tolist() == ["", "duplicate", "duplicate"]
    assert files["number"].tolist() == [1, 2, 3]


def test_same_pixels_of_two_patients_are_told_apart_from_those_of_one():
    records = [Record(name, (), "", "", image("x", patient, name)) for name, patient in zip("abc", "pqp", strict=True)]
    assert joined(records, None, False).files["codes"].tolist() == ["", "duplicate-other-patient", "duplicate"]


def test_published_set_may_list_pixels_under_two_names_but_not_one_name_twice():
    rows = [row_of(key, patient="u") for key in "ab"]
    records = [Record(f"{index}", (), "", NAMES.name("key", name), image("x", "", name)) for index, name in enumerate("aba")]
    assert joined(records, rows, True).files["codes"].tolist() == ["", "repeated", "duplicate"]


def test_refused_file_takes_no_row_from_the_table():
    result = joined([Record("file", ("empty",))], [row_of("a")], False)
    assert result.files["codes"].tolist() == ["empty", "row-without-file"]
    assert len(result.manifest.frame) == 0


def test_file_tells_more_than_the_table():
    rows = [row_of("a", patient="u", study="s", view="AP", sex="M", age_implausible=True)]
    own = image("x", "p", "a", view="PA", sex="F", age_years=40.0)
    (row,) = joined([Record("f", (), "", NAMES.name("key", "a"), own)], rows, False).manifest.frame.to_dict("records")
    assert (row["view"], row["sex"], row["age_years"], row["patient_id"]) == ("PA", "F", 40, "ward:p")


def test_table_without_labels_leaves_a_manifest_without_labels():
    frame = to_frame([[Record("f", (), "", "", image("x", "p", "a"))]], {"f": 1})
    result = join(frame, None, None, NAMES, published=False)
    assert result.manifest.label_names == ()
    assert result.codes.shape == (1, 0)


def test_p4_image_without_a_row_is_unknown_and_one_with_a_blank_cell_is_what_blank_means():
    """P4: the label set's policy for blank is about cells, not about images that nobody has labelled."""
    records = [
        Record(f"{index}", (), "", NAMES.name("key", key), image(f"x{index}", "p", key)) for index, key in enumerate("ab")
    ]
    result = joined(records, [row_of("a", (BLANK, BLANK))], False)
    assert result.codes.tolist() == [[BLANK, BLANK], [UNKNOWN, UNKNOWN]]
    assert result.manifest.label_codes().tolist() == [[UNKNOWN, NEGATIVE], [UNKNOWN, UNKNOWN]]
    assert result.files["codes"].tolist() == ["", "not-labelled"]


def test_p4_image_that_only_the_table_of_images_has_is_flagged_and_unknown():
    records = [Record("0", (), "", NAMES.name("key", "a"), image("x", "p", "a"))]
    result = joined(records, [row_of("a", (UNKNOWN, UNKNOWN), labelled=False)], False)
    assert result.manifest.label_codes().tolist() == [[UNKNOWN, UNKNOWN]]
    assert result.files[["codes", "table_row"]].to_numpy().tolist() == [["not-labelled", 2]]


def test_many_files_of_one_row_all_get_its_labels():
    keys = [f"k{index}" for index in range(900)]
    records = [Record(f"f{i}", (), "", NAMES.name("key", keys[i % 900]), image(f"x{i}", "p", "a")) for i in range(3000)]
    rows = [row_of(key, view="PA", age_years=40.0) for key in keys]
    result = joined(records, rows, False)
    assert (result.manifest.label_codes() == [1, 0]).all()
    assert set(result.files["outcome"]) == {"accepted"}


def long_records(start: int, count: int) -> list[Record]:
    """Files with texts as long as a hospital's: 800 bytes each, of which the decisions are 270."""
    return [
        Record(f"ward:{i:020}", (), "", "", image(f"{i:064}", f"{i:020}", f"{i:024}", decisions="d" * 270))
        for i in range(start, start + count)
    ]


def bytes_a_file(count: int) -> float:
    """What the texts of the result take, and with them all objects at the peak, in bytes of a file."""
    numbers = {f"ward:{i:020}": i + 1 for i in range(count)}
    parts = (long_records(start, 100) for start in range(0, count, 100))
    # by name: the default one may be the system's
    pools = {pool.backend_name: pool for pool in (pa.default_memory_pool(), pa.system_memory_pool())}.values()
    before = sum(pool.bytes_allocated() for pool in pools)
    tracemalloc.start()
    result = join(to_frame(parts, numbers), None, LABELS, NAMES, published=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(result.manifest) == count
    return (sum(pool.bytes_allocated() for pool in pools) - before + peak) / count


@pytest.mark.skipif(pd.__version__ < "3", reason="texts are Python objects before pandas 3")
def test_join_holds_the_800_bytes_of_texts_of_a_file_once_and_few_objects_beside_them():
    bytes_a_file(100)  # with what is imported late
    assert bytes_a_file(4000) < 1200
