from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from cxr.errors import DataError
from cxr.ingest.label_audit.audit import audit_labels
from cxr.ingest.label_audit.cells import Cells
from cxr.ingest.label_audit.copies import COLUMNS, Duplicates
from cxr.ingest.table.rows import Agreement
from cxr.ingest.table.table import TableNotes
from cxr.manifest import labelled

NONE = Duplicates(0, (), pd.DataFrame(columns=COLUMNS))


def test_brings_everything_together(audit_of, label_set):
    labels = label_set("a", {"name": "b", "parent": "a", "blank": "negative"})
    agreement = (Agreement("a", 9, 8, 0.5),)
    codes = [[1, 1], [0, 1], [4, 4], [2, 0], [3, 3]]
    audit = audit_of(codes, labels, TableNotes(agreement=agreement), ages=1, age_years=[50.0, np.nan, 3.0, np.nan, 90.0])
    assert (audit.images, audit.patients, audit.labelled, audit.has_labels) == (5, 5, 4, True)
    assert [account.cells for account in audit.accounts] == [Cells(1, 1, 1, 1, 1), Cells(2, 1, 0, 1, 1)]
    assert audit.total == Cells(3, 2, 1, 2, 2)
    assert audit.together.tolist() == [[1, 1], [1, 2]]
    assert audit.contradictions.count == 1
    assert audit.agreement == agreement
    assert (audit.implausible_ages, audit.unknown_ages, audit.left_out.images_without_row) == (1, 2, 1)


def test_nothing_was_said_of_any_image(audit_of, label_set):
    assert not audit_of([[3, 3]] * 4, label_set("a", "b")).has_labels
    assert not audit_of([], label_set("a", "b")).has_labels


@pytest.mark.parametrize(("row", "label", "code"), [(0, 0, 1), (130, 1, 3), (130, 1, 2)])
def test_cells_that_the_manifest_was_not_made_of_are_refused(make_frame, label_set, row, label, code):
    labels = label_set("a", {"name": "b", "blank": "negative"})
    codes = np.full((131, 2), 4, np.int8)
    manifest = labelled(make_frame(131), labels.settle(codes), labels.names)
    audit_labels(manifest, codes, labels, None, NONE, 0)
    codes[row, label] = code
    with pytest.raises(DataError, match=f"row {row}: {labels.names[label]} is not"):
        audit_labels(manifest, codes, labels, None, NONE, 0)


def test_another_label_set_or_number_of_rows_is_refused(make_frame, label_set):
    labels = label_set("a", "b")
    manifest = labelled(make_frame(3), np.zeros((3, 2), np.int8), labels.names)
    with pytest.raises(DataError, match="not those of set"):
        audit_labels(manifest, np.zeros((3, 2), np.int8), label_set("b", "a"), None, NONE, 0)
    with pytest.raises(DataError, match="2 rows of cells for 3 images"):
        audit_labels(manifest, np.zeros((2, 2), np.int8), labels, None, NONE, 0)


def test_a_hundred_thousand_images_of_190_labels_take_two_seconds(make_frame, label_set):
    parts = [{"name": f"l{index}", "parent": f"l{index // 3}" if index > 2 else None} for index in range(190)]
    labels = label_set(*parts)
    codes = np.random.default_rng(0).choice(np.array([0, 1, 2, 4], np.int8), (100_000, 190))
    manifest = labelled(make_frame(100_000), labels.settle(codes), labels.names)
    start = time.perf_counter()
    audit_labels(manifest, codes, labels, None, NONE, 0)
    assert time.perf_counter() - start < 2
