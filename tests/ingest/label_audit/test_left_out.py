from __future__ import annotations

from cxr.ingest.label_audit.left_out import account_left_out
from cxr.ingest.table.table import TableNotes

NOTES = TableNotes((7,), {"Ms Doe": 1, "Sponge": 12, "A tube": 12, "Ring": 9}, ("Report",))


def test_a_public_table_is_quoted_the_most_frequent_first():
    found = account_left_out(NOTES, 3, published=True)
    assert found.entries == (("A tube", 12), ("Sponge", 12), ("Ring", 9), ("Ms Doe", 1))
    assert found.rare_entries == (0, 0)
    assert (found.columns, found.rows_without_image, found.images_without_row) == (("Report",), (7,), 3)


def test_what_is_rare_in_another_table_may_name_a_patient_and_is_only_counted():
    found = account_left_out(NOTES, 0, published=False)
    assert found.entries == (("A tube", 12), ("Sponge", 12))
    assert found.rare_entries == (2, 10)
    assert (found.columns, found.unnamed_columns) == ((), 1)  # without a header the first row is a patient's
