from __future__ import annotations

import csv

import pytest

from cxr.ingest.label_audit.tables import TABLES, write_tables

CODES = [[0, 1, 4], [1, 1, 2], [4, 2, 4], [3, 3, 3]]


@pytest.fixture
def audit(audit_of, label_set):
    labels = label_set("label", {"name": "b, c", "parent": "label", "uncertain": 0.5}, {"name": "d", "blank": "negative"})
    same = {"pixel_sha256": ["x", "x", "", ""], "perceptual_hash": ["0" * 64, "0" * 64, "", ""]}
    return audit_of(CODES, labels, view=["PA", "AP", "PA", "PA"], **same)


def read(path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_writes_the_files_that_it_names(audit, tmp_path):
    assert write_tables(tmp_path, audit) == [tmp_path / name for name in TABLES]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(TABLES)


def test_the_counts_of_each_label(audit, tmp_path):
    write_tables(tmp_path, audit)
    row = read(tmp_path / "label_counts.csv")[1]
    assert [row[name] for name in ("label", "positive", "negative", "uncertain", "blank", "unlabelled")] == [
        "b, c",
        "2",
        "0",
        "1",
        "0",
        "1",
    ]
    assert (row["blank_policy"], row["uncertain_policy"], row["known"]) == ("unknown", "0.5", "3")
    assert float(row["prevalence"]) == pytest.approx(2.5 / 3)
    assert float(row["prevalence_blank_unknown_uncertain_negative"]) == pytest.approx(2 / 3)
    assert row["known_blank_negative_uncertain_ignore"] == "2"


def test_the_matrix_has_the_labels_on_both_sides_even_one_called_label(audit, tmp_path):
    write_tables(tmp_path, audit)
    with (tmp_path / "cooccurrence.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [["label", "label", "b, c", "d"], ["label", "1", "1", "0"], ["b, c", "1", "2", "0"], ["d", "0", "0", "0"]]


def test_every_contradiction_and_duplicate_is_listed(audit, tmp_path):
    write_tables(tmp_path, audit)
    assert read(tmp_path / "contradictions.csv") == [
        {"image_id": "t:0000i", "label": "b, c", "other": "label", "kind": "parent-negative"}
    ]
    assert read(tmp_path / "duplicates.csv") == [
        {"kind": "same pixels", "first": "t:0000i", "second": "t:0001i", "source": "", "distance": "0", "other_patient": "True"}
    ]


def test_prevalence_by_group(audit, tmp_path):
    write_tables(tmp_path, audit)
    rows = {
        (row["label"], row["by"], row["group"]): (row["known"], row["positive"]) for row in read(tmp_path / "prevalence.csv")
    }
    assert len(rows) == 3 * (4 + 4 + 11)
    assert rows["label", "view", "PA"] == ("1", "0")
    assert rows["label", "view", "AP"] == ("1", "1")
    assert rows["d", "age", "50-59"] == ("2", "0")


def test_where_nothing_is_found_the_files_still_have_their_header(audit_of, label_set, tmp_path):
    write_tables(tmp_path, audit_of([], label_set("a")))
    assert (tmp_path / "contradictions.csv").read_text() == "image_id,label,other,kind\n"
    assert (tmp_path / "duplicates.csv").read_text() == "kind,first,second,source,distance,other_patient\n"


def test_same_audit_same_bytes(audit, tmp_path):
    (tmp_path / "again").mkdir()
    pairs = zip(write_tables(tmp_path, audit), write_tables(tmp_path / "again", audit), strict=True)
    assert all(first.read_bytes() == second.read_bytes() for first, second in pairs)
