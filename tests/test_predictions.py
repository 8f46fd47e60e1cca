from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cxr.errors import DataError
from cxr.manifest import TEXT_COLUMNS, Manifest, label_column, write_table
from cxr.predictions import CONTEXT, Predictions, join_predictions, read_predictions

NAMES = ("Mass", "Effusion")
CODES = np.array([[0, 1], [2, 3], [1, 0], [3, 2]], np.int8)
SCORES = np.array([[0.0, 1.0], [0.25, 0.5], [1e-9, 0.7], [0.1, 0.2]])


def manifest() -> Manifest:
    frame = pd.DataFrame({name: [f"{name}-{index}" for index in range(4)] for name in TEXT_COLUMNS})
    frame = frame.assign(shard=0, row=range(4), height=5, width=5, view="PA", sex="F", age_years=[1.0, 2.0, np.nan, 90.0])
    frame = frame.assign(split=["val", "test", "test", "val"])
    for index, name in enumerate(NAMES):
        frame[name] = label_column(CODES[:, index])
    return Manifest(frame, NAMES)


@pytest.fixture
def predictions() -> Predictions:
    return join_predictions(manifest(), SCORES, {"run": "r1"})


def changed(predictions: Predictions, column: str, value: object, row: int = 2) -> pd.DataFrame:
    frame = predictions.frame.copy()
    frame.loc[row, column] = value
    return frame


def test_join_puts_scores_beside_truth_by_label(predictions):
    assert np.array_equal(predictions.scores(), SCORES)
    assert np.array_equal(predictions.truth_codes(), CODES)
    assert {*CONTEXT, *predictions.score_columns, *predictions.truth_columns} <= set(predictions.frame)


def test_join_carries_all_that_groups_can_be_made_of_and_nothing_of_files(predictions):
    further = {"source", "manufacturer", "alike", "height", "width"}
    assert set(predictions.frame) == {*CONTEXT, *further, *predictions.score_columns, *predictions.truth_columns}


def test_join_carries_columns_of_the_users_own_but_no_labels_of_another_set():
    plain = manifest()
    frame = plain.frame.assign(ward=["A", "B", "A", "B"], Fracture=label_column([0, 1, 2, 3]))
    joined = join_predictions(Manifest(frame, NAMES), SCORES, {}).frame
    assert joined["ward"].tolist() == ["A", "B", "A", "B"]
    assert "Fracture" not in joined


def test_table_made_elsewhere_is_filled_where_it_tells_nothing(predictions):
    told = ["image_id", "patient_id", "view", *predictions.score_columns, *predictions.truth_columns]
    frame = Predictions.external(predictions.frame[told], NAMES, {"file": "x.csv"}).frame
    assert (frame[["study_id", "source_name", "split", "sex"]] == "unknown").all(axis=None)
    assert frame["age_years"].isna().all()
    assert (frame["view"] == "PA").all()


@pytest.mark.parametrize("column", ["image_id", "patient_id"])
def test_table_made_elsewhere_must_tell_image_and_patient(predictions, column):
    with pytest.raises(DataError, match=f"column '{column}' is missing"):
        Predictions.external(predictions.frame.drop(columns=column), NAMES, {})


def test_table_written_before_further_columns_were_carried_is_still_read(predictions, tmp_path):
    old = predictions.frame[[*CONTEXT, *predictions.score_columns, *predictions.truth_columns]]
    Predictions(old, NAMES, {}).write(tmp_path / "p.parquet")
    assert "manufacturer" not in read_predictions(tmp_path / "p.parquet").frame


def test_round_trip_keeps_scores_truth_order_and_origin(predictions, tmp_path):
    predictions.write(tmp_path / "p.parquet")
    back = read_predictions(tmp_path / "p.parquet")
    pd.testing.assert_frame_equal(back.frame, predictions.frame)
    assert back.label_names == NAMES
    assert back.about == {"run": "r1"}
    assert np.array_equal(back.scores(), SCORES)


@pytest.mark.parametrize("score", [-1e-9, 1.0000001, np.nan, np.inf, -np.inf])
def test_score_that_is_no_probability_names_image_and_label(predictions, score):
    frame = changed(predictions, "score/Effusion", score)
    with pytest.raises(DataError, match=r"image image_id-2: score/Effusion is .*not in 0 to 1"):
        Predictions(frame, NAMES)


def test_score_that_is_text_is_refused(predictions):
    frame = predictions.frame.assign(**{"score/Mass": "high"})
    with pytest.raises(DataError, match="score/Mass must hold numbers"):
        Predictions(frame, NAMES)


def test_image_that_stands_twice_is_named(predictions):
    with pytest.raises(DataError, match="image image_id-0 stands twice"):
        Predictions(changed(predictions, "image_id", "image_id-0"), NAMES)


@pytest.mark.parametrize("column", [*CONTEXT, "score/Mass", "truth/Effusion"])
def test_missing_column_is_named(predictions, column):
    with pytest.raises(DataError, match=f"column '{column}' is missing"):
        Predictions(predictions.frame.drop(columns=column), NAMES)


def test_truth_of_another_type_is_refused(predictions):
    frame = predictions.frame.assign(**{"truth/Mass": [0, 1, 0, 1]})
    with pytest.raises(DataError, match="truth/Mass must be categorical"):
        Predictions(frame, NAMES)


def test_truth_that_is_none_of_the_four_values_names_the_image(predictions):
    with pytest.raises(DataError, match="image image_id-2: truth/Mass is none of 0, 1, uncertain, unknown"):
        Predictions(changed(predictions, "truth/Mass", None), NAMES)


def test_order_of_columns_does_not_matter(predictions):
    other = Predictions(predictions.frame[sorted(predictions.frame, reverse=True)], NAMES)
    assert np.array_equal(other.scores(), SCORES)
    assert np.array_equal(other.truth_codes(), CODES)


def test_where_keeps_the_rows_of_one_split_in_order(predictions):
    test = predictions.where("test")
    assert test.frame["image_id"].tolist() == ["image_id-1", "image_id-2"]
    assert np.array_equal(test.scores(), SCORES[1:3])


def test_manifest_is_not_taken_for_predictions(tmp_path):
    manifest().write(tmp_path / "m.parquet")
    with pytest.raises(DataError, match=r"m\.parquet: not a prediction table"):
        read_predictions(tmp_path / "m.parquet")


def test_predictions_of_another_version_are_refused(predictions, tmp_path):
    write_table(predictions.frame, tmp_path / "p.parquet", {"predictions": 2, "labels": list(NAMES), "about": {}})
    with pytest.raises(DataError, match="schema version 1"):
        read_predictions(tmp_path / "p.parquet")


def test_rows_in_order_are_the_same_however_they_stood():
    table = join_predictions(manifest(), SCORES, {})
    shuffled = Predictions(table.frame.iloc[[2, 0, 3, 1]], table.label_names, {})
    pd.testing.assert_frame_equal(shuffled.in_order().frame, table.in_order().frame)
