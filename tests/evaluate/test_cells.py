from __future__ import annotations

import numpy as np
import pytest

from cxr.errors import DataError
from cxr.evaluate.cells import align
from cxr.predictions import Predictions


def test_labels_are_matched_by_name(make_table, make_labels):
    table = make_table({"A": ([1, 0], [0.9, 0.1]), "B": ([0, 3], [0.2, 0.3])})
    cells = align(table, make_labels(["B", "A"]))
    assert cells.label_names == ("B", "A")
    np.testing.assert_array_equal(cells.scores, [[0.2, 0.9], [0.3, 0.1]])
    np.testing.assert_array_equal(cells.truth, [[0, 1], [np.nan, 0]])


@pytest.mark.parametrize(
    ("names", "message"),
    [(["A", "B"], "'B' of the label set 'set' is missing in the predictions"), (["B"], "'B' of the label set")],
)
def test_label_missing_in_the_predictions_is_named(make_table, make_labels, names, message):
    with pytest.raises(DataError, match=message):
        align(make_table({"A": ([1, 0], [0.9, 0.1])}), make_labels(names))


def test_label_missing_in_the_label_set_is_named(make_table, make_labels):
    table = make_table({"A": ([1, 0], [0.9, 0.1]), "B": ([1, 0], [0.9, 0.1])})
    with pytest.raises(DataError, match="'B' of the predictions is missing in the label set 'set'"):
        align(table, make_labels(["A"]))


def test_empty_table_is_refused(make_table, make_labels):
    with pytest.raises(DataError, match="no image"):
        align(make_table({"A": ([1], [0.5])}).where("val"), make_labels(["A"]))


@pytest.mark.parametrize("column", ["patient_id", "truth/A"])
def test_blank_patient_or_truth_is_refused_and_named(make_table, make_labels, column):
    table = make_table({"A": ([1, 0], [0.9, 0.1])})
    frame = table.frame.copy()
    frame.loc[1, column] = None
    with pytest.raises(DataError, match=f"image image1: {column} is (blank|none of 0, 1, uncertain, unknown)"):
        align(Predictions(frame, table.label_names), make_labels(["A"]))
