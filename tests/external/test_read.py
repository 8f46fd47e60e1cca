from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr.errors import ConfigError, DataError
from cxr.evaluate.cells import align
from cxr.evaluate.metrics import evaluate
from cxr.external.read import read_external
from cxr.ingest.table.layout import read_format
from cxr.labels.label_set import Label, LabelSet, find_label_set, read_label_set
from cxr.labels.shipped import find_format
from cxr.predictions import read_predictions

SHARED = Path(__file__).parents[3] / "shared" / "data" / "nih" / "Data_Entry_2017_v2020.csv.gz"
LABELS = LabelSet(
    name="two",
    labels=(
        Label(name="Mass"),
        Label(name="Pleural Effusion", synonyms=("Effusion", "Fluid")),
        Label(name="Hernia", blank="negative"),
    ),
)
SCORES = {
    "image_id": ["a", "b", "c", "d"],
    "Mass": [0.1, 0.2, 0.3, 0.4],
    "Effusion": [0.5, 0.6, 0.7, 0.8],
    "Hernia": [0, 1, 0.5, 0.25],
}
TRUTH = {
    "image_id": ["d", "c", "b", "a"],
    "patient": ["p2", "p2", "p1", "p1"],
    "Hernia": ["", "1", "0", "-1"],
    "pleural_effusion": ["1", "0", "", "uncertain"],
    "MASS": ["0", "1.0", "unknown", "Yes"],
}


@pytest.fixture
def write(tmp_path):
    def table(columns, name="scores.csv"):
        frame = pd.DataFrame(columns)
        if name.endswith("parquet"):
            frame.to_parquet(tmp_path / name)
        else:
            frame.to_csv(tmp_path / name, index=False)
        return tmp_path / name

    return table


def nih():
    return read_label_set(find_label_set("nih14", Path()))


def read(write, scores=SCORES, truth=TRUTH, labels=LABELS, **options):
    return read_external(write(scores), None if truth is None else write(truth, "truth.csv"), labels, **options)


def by_image(found, column):
    return dict(zip(found.predictions.frame["image_id"], found.predictions.frame[column], strict=True))


def test_two_tables_are_joined_by_id_and_matched_by_name(write):
    found = read(write)
    assert found.predictions.label_names == LABELS.names
    assert by_image(found, "score/Pleural Effusion") == {"a": 0.5, "b": 0.6, "c": 0.7, "d": 0.8}
    assert by_image(found, "truth/Mass") == {"a": "1", "b": "unknown", "c": "1", "d": "0"}
    assert by_image(found, "truth/Pleural Effusion") == {"a": "uncertain", "b": "unknown", "c": "0", "d": "1"}
    assert by_image(found, "patient_id") == {"a": "p1", "b": "p1", "c": "p2", "d": "p2"}
    assert found.warnings == ()
    assert align(found.predictions, found.labels).patient_count == 2


def test_a_blank_cell_of_the_truth_is_what_the_label_set_says(write):
    assert by_image(read(write), "truth/Hernia") == {"a": "uncertain", "b": "0", "c": "1", "d": "0"}


@settings(max_examples=10, deadline=None)
@given(st.permutations(list(SCORES)), st.permutations(list(TRUTH)), st.permutations(range(4)), st.permutations(range(4)))
def test_the_order_of_columns_and_rows_changes_no_cell(tmp_path_factory, columns, others, rows, other_rows):
    folder = tmp_path_factory.mktemp("order")
    pd.DataFrame(SCORES).iloc[rows][columns].to_csv(folder / "s.csv", index=False)
    pd.DataFrame(TRUTH).iloc[other_rows][others].to_csv(folder / "t.csv", index=False)
    pd.DataFrame(SCORES).to_csv(folder / "s0.csv", index=False)
    pd.DataFrame(TRUTH).to_csv(folder / "t0.csv", index=False)
    one, other = (read_external(folder / f"s{end}.csv", folder / f"t{end}.csv", LABELS) for end in ("", "0"))
    frames = [each.predictions.frame.sort_values("image_id").reset_index(drop=True) for each in (one, other)]
    pd.testing.assert_frame_equal(frames[0][sorted(frames[0])], frames[1][sorted(frames[1])], check_exact=True)


def test_parquet_and_gzip_say_the_same_as_csv(write, tmp_path):
    plain = read(write).predictions.frame
    scores = write(SCORES, "scores.parquet")
    truth = tmp_path / "truth.csv.gz"
    truth.write_bytes(gzip.compress(write(TRUTH, "truth.csv").read_bytes()))
    pd.testing.assert_frame_equal(read_external(scores, truth, LABELS).predictions.frame, plain)


def test_truth_as_numbers_and_booleans_of_a_parquet_file(write):
    truth = {"image_id": ["a", "b", "c"], "Mass": [1.0, 0.0, np.nan], "Effusion": [True, False, True], "Hernia": [-1, 0, 1]}
    found = read_external(write(SCORES), write(truth, "truth.parquet"), LABELS)
    assert by_image(found, "truth/Mass") == {"a": "1", "b": "0", "c": "unknown"}
    assert by_image(found, "truth/Pleural Effusion") == {"a": "1", "b": "0", "c": "1"}
    assert by_image(found, "truth/Hernia") == {"a": "uncertain", "b": "0", "c": "1"}


@pytest.mark.parametrize(
    ("score", "truth"),
    [
        ("score/Mass", "truth/Mass"),
        ("Mass_score", "Mass"),
        ("prob_mass", "mass label"),
        ("Mass", "gt_mass"),
        ("MASS-Prob", "Mass.truth"),
    ],
)
def test_scores_and_truth_stand_in_one_table_where_columns_say_which_is_which(write, score, truth):
    found = read(write, {"id": [1, 2], score: [0.25, 0.75], truth: [0, 1]}, None)
    assert by_image(found, "score/Mass") == {"1": 0.25, "2": 0.75}
    assert by_image(found, "truth/Mass") == {"1": "0", "2": "1"}
    assert found.without_score == ("Pleural Effusion", "Hernia")


def test_a_label_beside_marked_scores_is_truth_and_never_a_score(write):
    found = read(write, {"id": [1, 2], "Mass_score": [0.25, 0.75], "Mass": [0, 1], "Hernia": [1, 0]}, None)
    assert found.predictions.label_names == ("Mass",)
    assert found.without_score == ("Pleural Effusion", "Hernia")
    assert "Not evaluated, since no column holds their scores: Pleural Effusion, Hernia." in found.warnings


def test_one_table_without_truth_is_refused(write):
    with pytest.raises(DataError, match=r"scores\.csv: no column holds the truth; name a table of the truth"):
        read(write, truth=None)


def test_a_name_inside_another_name_is_no_match(write):
    """P9: Effusion is no Loculated Effusion, and Hernia no Hiatal Hernia of a set without that synonym."""
    scores = {
        "id": [1],
        "Loculated Effusion": [0.9],
        "Hiatal Hernia": [0.9],
        "Mass": [0.3],
        "Massive": [0.8],
        "Mass effect prob": [1],
    }
    found = read(write, scores, {"id": [1], "Mass": [1], "Effusion": [1], "Hernia": [0]})
    assert found.predictions.label_names == ("Mass",)
    assert by_image(found, "score/Mass") == {"1": 0.3}


def test_two_columns_of_one_label_are_refused_with_both_names(write):
    with pytest.raises(DataError, match=r"label 'Pleural Effusion' has 2 columns: 'Effusion', 'Fluid'"):
        read(write, {**SCORES, "Fluid": 0.1})
    with pytest.raises(DataError, match=r"label 'Mass' has 2 columns: 'Mass_score', 'prob/Mass'"):
        read(write, {"id": [1], "Mass_score": [0.1], "prob/Mass": [0.2]})


def test_a_column_that_may_mean_two_labels_is_refused_with_both(write):
    labels = LabelSet(name="x", labels=(Label(name="Lung Opacity"), Label(name="Lung_Opacity")))
    with pytest.raises(DataError, match=r"column 'lung-opacity' may mean Lung Opacity or Lung_Opacity"):
        read(write, {"id": [1], "lung-opacity": [0.1]}, labels=labels)
    found = read(write, {"id": [1], "lung opacity": [0.1]}, {"id": [1], "Lung Opacity": [1]}, labels)
    assert found.predictions.label_names == ("Lung Opacity",)


def test_labels_that_stand_on_one_side_only_are_named_and_left_out(write):
    scores = {name: SCORES[name] for name in ("image_id", "Mass", "Effusion")}
    truth = {name: TRUTH[name] for name in ("image_id", "patient", "Hernia", "MASS")}
    found = read(write, scores, truth)
    assert found.predictions.label_names == found.labels.names == ("Mass",)
    assert found.without_score == ("Hernia",)
    assert found.without_truth == ("Pleural Effusion",)
    align(found.predictions, found.labels)


def test_no_label_on_both_sides_is_refused(write):
    with pytest.raises(DataError, match=r"no label has both scores and truth: .* has scores of Mass, .* the truth of Hernia"):
        read(write, {"id": [1], "Mass": [0.1]}, {"id": [1], "Hernia": [1]})
    with pytest.raises(
        DataError, match=r"no column holds the scores of a label of 'two'; wanted are columns like Mass.*has id, x"
    ):
        read(write, {"id": [1], "x": [0.1]})
    with pytest.raises(DataError, match=r"truth\.csv: no column holds the truth of a label of 'two'"):
        read(write, truth={"id": ["a"], "x": [1]})


def test_parent_and_exclusions_of_labels_left_out_do_not_linger(write):
    labels = LabelSet(
        name="x",
        labels=(
            Label(name="A"),
            Label(name="B", parent="A"),
            Label(name="C", parent="B"),
            Label(name="N", excludes=("B", "C")),
        ),
    )
    found = read(write, {"id": [1], "A": [0.1], "C": [0.2], "N": [0.2]}, {"id": [1], "A": [0], "C": [1], "N": [0]}, labels)
    assert [label.parent for label in found.labels.labels] == [None, "A", None]
    assert found.labels.labels[2].excludes == ("C",)


def test_an_id_that_stands_twice_is_refused_with_its_rows_even_if_the_rows_are_equal(write):
    with pytest.raises(DataError, match=r"scores\.csv: image 'b' stands twice, in rows 3 and 5; an image stands once"):
        read(write, {**SCORES, "image_id": ["a", "b", "c", "b"]})
    twice = {name: [*cells, cells[1]] for name, cells in TRUTH.items()}
    with pytest.raises(DataError, match=r"truth\.csv: image 'c' stands twice, in rows 3 and 6"):
        read(write, truth=twice)


def test_a_blank_id_is_refused_with_its_row(write):
    with pytest.raises(DataError, match=r"scores\.csv: row 4: 'image_id' is blank"):
        read(write, {**SCORES, "image_id": ["a", "b", "", "d"]})


def test_ids_of_one_side_only_are_counted_and_the_first_five_named(write):
    scores = {"id": [f"x{index}" for index in range(8)] + ["a"], "Mass": np.linspace(0.1, 0.9, 9)}
    found = read(write, scores)
    assert (found.only_scores.count, found.only_scores.examples) == (8, ("x0", "x1", "x2", "x3", "x4"))
    assert (found.only_truth.count, found.only_truth.examples) == (3, ("d", "c", "b"))
    assert by_image(found, "score/Mass") == {"a": 0.9}
    assert str(found.only_scores) == "x0, x1, x2, x3, x4 ..."
    assert found.warnings[-2:] == (
        "8 rows of the scores have no truth and are left out.",
        "3 rows of the truth have no score and are left out.",
    )


def test_no_id_in_common_is_refused_with_an_example_of_each_side(write):
    with pytest.raises(
        DataError, match=r"no image in common: .*scores\.csv names them in 'image_id', like 'q'; .*truth\.csv .* like 'd'"
    ):
        read(write, {**SCORES, "image_id": ["q", "r", "s", "t"]})


def test_without_a_known_column_of_ids_the_columns_are_named(write):
    scores = {"number": ["a", "b"], "Mass": [0.1, 0.2]}
    with pytest.raises(
        DataError, match=r"no column is known to name the images; say which \(--id COLUMN\); scores.csv has number, Mass"
    ):
        read(write, scores)
    assert len(read(write, scores, id_column="number").predictions.frame) == 2
    with pytest.raises(ConfigError, match="no table has the column 'nowhere'"):
        read(write, id_column="nowhere")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (["p1/a.png", "p1/b.png"], ["a", "b"]),
        (["p1/a.png", "p2/a.png"], ["x/p1/a.jpg", "x/p2/a.jpg"]),
        (["a.png", "b.png"], ["C:\\images\\a.PNG", "C:\\images\\b.PNG"]),
        (["1.2.840.1", "1.2.840.2"], ["1.2.840.1.dcm", "1.2.840.2.dcm"]),
        (["1", "2"], [1, 2]),
    ],
)
def test_ids_agree_however_the_two_tables_write_a_file(write, theirs, ours):
    found = read(write, {"path": ours, "Mass": [0.1, 0.9]}, {"image_id": theirs, "MASS": [0, 1]})
    assert found.predictions.frame["truth/Mass"].tolist() == ["0", "1"]
    assert found.predictions.frame["image_id"].tolist() == [str(text) for text in ours]


def test_file_names_that_do_not_tell_images_apart_are_refused_with_an_example(write):
    truth = {"path": ["p1/view1.jpg", "p2/view1.jpg", "p2/view2.jpg"], "Mass": [0, 1, 1]}
    with pytest.raises(
        DataError, match=r"agree only as a path .* by its last part, and so 'view1' stands twice, in rows 2 and 3 of .*truth"
    ):
        read(write, {"file": ["view1.jpg", "view2.jpg"], "Mass": [0.1, 0.2]}, truth)


def test_equal_ids_are_preferred_to_equal_file_names(write):
    scores = {"path": ["p1/a.png", "p2/b.png"], "Mass": [0.1, 0.9]}
    truth = {"path": ["p2/b.png", "p1/a.png", "p3/b.png"], "Mass": [1, 0, 0]}
    assert by_image(read(write, scores, truth), "truth/Mass") == {"p1/a.png": "0", "p2/b.png": "1"}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", r"row 3: label 'Mass': no score \(blank or NaN\); 1 rows in all; a label that is not scored has no column"),
        ("nan", r"row 3: label 'Mass': no score \(blank or NaN\)"),
        ("-2.5", r"row 3: label 'Mass': score -2.5 is not in 0 to 1; 1 rows in all; these look like logits: apply the sigmoid"),
        ("1.0001", r"row 3: label 'Mass': score 1.0001 is not in 0 to 1"),
        ("inf", r"row 3: label 'Mass': score inf is not in 0 to 1"),
        ("87.5", r"score 87.5 is not in 0 to 1.*percentages: divide them by 100"),
        ("high", r"row 3: Mass \(a text of 4 characters\) is no number"),
        ("0,5", r"row 3: Mass .* is no number; write decimals with a point"),
    ],
)
def test_a_score_that_is_no_probability_is_refused_with_row_and_label(write, value, message):
    with pytest.raises(DataError, match=message):
        read(write, {**SCORES, "Mass": [0.1, value, 0.3, 0.4]})


def test_a_cell_of_the_truth_that_means_nothing_is_refused_with_row_and_column(write):
    with pytest.raises(DataError, match=r"truth\.csv: row 4: MASS \(a text of 5 characters\) is none of 1, 0, -1"):
        read(write, truth={**TRUTH, "MASS": ["0", "1", "maybe", "1"]})


def test_without_patients_each_image_is_its_own_and_the_reader_is_told(write):
    truth = {name: cells for name, cells in TRUTH.items() if name != "patient"}
    found = read(write, truth=truth)
    assert found.predictions.frame["patient_id"].tolist() == ["a", "b", "c", "d"]
    assert "all intervals are too narrow" in found.warnings[0]


def test_a_blank_patient_is_refused_with_its_image(write):
    with pytest.raises(DataError, match=r"image c: the patient is blank; 1 rows in all"):
        read(write, truth={**TRUTH, "patient": ["p2", "", "p1", "p1"]})


@pytest.mark.parametrize("patients", [["x", "y", "y", "z"], ["x", "x", "x", "x"], ["w", "x", "y", "z"]])
def test_tables_that_divide_images_among_patients_differently_are_noticed(write, patients):
    found = read(write, {**SCORES, "patient_id": patients})
    assert any("divide the images among patients in different ways" in sentence for sentence in found.warnings)
    assert by_image(found, "patient_id") == {"a": "p1", "b": "p1", "c": "p2", "d": "p2"}
    assert not read(write, {**SCORES, "patient_id": ["x", "x", "z", "z"]}).warnings


def test_context_is_read_into_the_terms_of_a_manifest_and_other_columns_are_kept(write):
    scores = {
        **SCORES,
        "Gender": ["m", "F", "", "female"],
        "ViewPosition": ["pa", "AP", "LL", "?"],
        "Age": ["060Y", "95", "", "7"],
    }
    found = read(write, {**scores, "Ward": ["A", "B", "A", "A"], "split": "test"}, {**TRUTH, "sex": ["", "F", "M", ""]})
    assert by_image(found, "sex") == {"a": "M", "b": "M", "c": "F", "d": "F"}
    assert by_image(found, "view") == {"a": "PA", "b": "AP", "c": "LATERAL", "d": "unknown"}
    np.testing.assert_equal(by_image(found, "age_years"), {"a": 60.0, "b": 90.0, "c": np.nan, "d": 7.0})
    assert by_image(found, "Ward") == {"a": "A", "b": "B", "c": "A", "d": "A"}
    assert set(found.predictions.frame["study_id"]) == {"unknown"}
    assert len(found.predictions.where("test").frame) == 4


def test_the_projects_own_predictions_are_read_as_they_are(cohort, make_labels, quick, tmp_path):
    cohort.write(tmp_path / "predictions.parquet")
    labels = make_labels(["C", "B", "A"])
    found = read_external(tmp_path / "predictions.parquet", None, labels)
    own = evaluate(read_predictions(tmp_path / "predictions.parquet"), labels, quick, 3).table()
    pd.testing.assert_frame_equal(evaluate(found.predictions, found.labels, quick, 3).table(), own, check_exact=True)
    assert found.warnings == ()


NIH_ROWS = [
    ("00000001_000.png", "Cardiomegaly|Effusion", 1, 58, "M", "PA"),
    ("00000001_001.png", "No Finding", 1, 59, "M", "AP"),
    ("00000002_000.png", "Pleural_Thickening", 2, 80, "F", "PA"),
]


def nih_table(path):
    header = ["Image Index", "Finding Labels", "Patient ID", "Patient Age", "Patient Gender", "View Position"]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *NIH_ROWS])
    return path


def test_a_published_table_with_its_findings_in_one_cell_is_read_as_it_comes(write, tmp_path):
    scores = {"path": [f"images_001/{row[0]}" for row in NIH_ROWS[::-1]], "Pleural Effusion": [0.1, 0.2, 0.9], "Hernia": 0.5}
    found = read_external(write(scores), nih_table(tmp_path / "nih.csv"), nih())
    frame = found.predictions.frame
    assert found.predictions.label_names == ("Effusion", "Hernia")
    assert frame["truth/Effusion"].tolist() == ["0", "0", "1"]
    assert frame["score/Effusion"].tolist() == [0.1, 0.2, 0.9]
    assert frame[["patient_id", "sex", "view"]].to_numpy().tolist() == [["2", "F", "PA"], ["1", "M", "AP"], ["1", "M", "PA"]]
    assert frame["age_years"].tolist() == [80, 59, 58]
    assert len(found.without_score) == 12


@pytest.mark.parametrize("options", [{"id_column": "Image Index"}, {"layout": read_format(find_format("nih14", Path()))}])
def test_layout_and_ids_of_a_published_table_may_be_named(write, tmp_path, options):
    scores = {"Image Index": [row[0] for row in NIH_ROWS], "Effusion": [0.9, 0.2, 0.1]}
    found = read_external(write(scores), nih_table(tmp_path / "nih.csv"), nih(), **options)
    assert found.predictions.frame["truth/Effusion"].tolist() == ["1", "0", "0"]


def test_scores_beside_the_cell_of_a_published_table_find_their_truth_there(tmp_path):
    table = pd.read_csv(nih_table(tmp_path / "nih.csv")).assign(Effusion=[0.9, 0.2, 0.1])
    table.to_csv(tmp_path / "both.csv", index=False)
    frame = read_external(tmp_path / "both.csv", None, nih()).predictions.frame
    assert frame["truth/Effusion"].tolist() == ["1", "0", "0"]
    assert frame["patient_id"].tolist() == ["1", "1", "2"]


def test_a_published_table_whose_paths_name_patients_is_read_as_it_comes(write):
    labels = read_label_set(find_label_set("chexpert", Path()))
    paths = [f"CheXpert-v1.0/valid/patient{patient}/study1/view1_frontal.jpg" for patient in (64541, 64542)]
    truth = {"Path": paths, "Sex": ["Male", "Female"], "Age": [73, 0], "Frontal/Lateral": "Frontal", "AP/PA": ["AP", "PA"]}
    truth |= {name: ["", "-1.0"] for name in labels.names} | {"Edema": ["1.0", "0.0"]}
    scores = {"Path": [path.removeprefix("CheXpert-v1.0/valid/") for path in paths], "Edema": [0.8, 0.3], "Atelectasis": 0.5}
    frame = read_external(write(scores), write(truth, "valid.csv"), labels).predictions.frame
    assert frame["patient_id"].tolist() == ["patient64541", "patient64542"]
    assert frame["study_id"].tolist() == ["patient64541/study1", "patient64542/study1"]
    assert frame["view"].tolist() == ["AP", "PA"]
    assert frame["truth/Edema"].tolist() == ["1", "0"]
    assert frame["truth/Atelectasis"].tolist() == ["unknown", "uncertain"]
    assert frame["age_years"].isna().tolist() == [False, True]


def test_a_table_that_fits_two_layouts_is_refused_with_both(write):
    labels = read_label_set(find_label_set("vindr", Path()))
    truth = {"image_id": ["a"], "rad_id": ["R1"], "class_name": ["No finding"]}
    with pytest.raises(DataError, match=r"may be in the layout vindr/boxes or vindr/kaggle; say which"):
        read_external(write({"image_id": ["a"], labels.names[0]: [0.5]}), write(truth, "truth.csv"), labels)


@pytest.mark.skipif(not SHARED.is_file(), reason="the published table of ChestX-ray14 is not here")
def test_the_whole_published_table_of_chestxray14_is_joined_in_a_few_seconds(tmp_path):
    from time import process_time

    table = pd.read_csv(SHARED)
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(table))
    scores = pd.DataFrame({"Image Index": table["Image Index"].to_numpy()[rows]})
    for name in rng.permutation(nih().names):
        scores[name] = rng.random(len(table))
    scores.to_parquet(tmp_path / "scores.parquet")
    start = process_time()
    found = read_external(tmp_path / "scores.parquet", SHARED, nih())
    assert process_time() - start < 20  # 2 s where nothing else runs
    frame = found.predictions.frame
    assert len(frame) == 112_120
    assert frame["patient_id"].nunique() == 30_805
    # every name of a finding holds no other one, so that here a search inside the cell gives the same
    said = table["Finding Labels"].to_numpy()[rows]
    for name in nih().names:
        assert np.array_equal(frame[f"truth/{name}"] == "1", [name in cell for cell in said])
        assert frame[f"score/{name}"].equals(scores[name])


def test_a_column_that_is_nearly_the_name_of_a_label_is_refused(write):
    table = {"image_id": list("abcd"), "Mass": [0.1, 0.2, 0.3, 0.4], "Efusion": [0.1, 0.2, 0.3, 0.4]}
    with pytest.raises(DataError, match=r"the column 'Efusion' names no label of '.*'; is it 'Pleural Effusion'\?"):
        read(write, table)


def test_the_columns_that_join_the_most_rows_are_taken(write):
    scores = {"image_id": ["a", "x", "y", "z"], "path": ["1.png", "2.png", "3.png", "4.png"], "Mass": [0.1, 0.2, 0.3, 0.4]}
    truth = {"image_id": ["a", "p", "q", "r"], "path": ["4.png", "3.png", "2.png", "1.png"], "Mass": [1, 0, 1, 0]}
    found = read(write, scores, truth)
    assert len(found.predictions.frame) == 4


def test_two_ways_to_join_that_contradict_each_other_are_refused(write):
    scores = {"image_id": list("abcd"), "path": ["1.png", "2.png", "3.png", "4.png"], "Mass": [0.1, 0.2, 0.3, 0.4]}
    truth = {"image_id": list("abcd"), "path": ["4.png", "3.png", "2.png", "1.png"], "Mass": [1, 0, 1, 0]}
    with pytest.raises(DataError, match="and the two disagree; say which column names the image"):
        read(write, scores, truth)


def test_decisions_in_the_place_of_scores_are_pointed_out(write):
    found = read(write, {**SCORES, "Mass": [0, 1, 1, 0]})
    assert found.warnings == ("Only two different scores, a yes and a no: figures are of the decision, not of a score: Mass.",)
