from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import yaml

from cxr.config import DecideStage
from cxr.decide import stage
from cxr.errors import ConfigError, DataError
from cxr.evaluate.auroc import auroc
from cxr.ingest.store import Preprocessing, describe_store
from cxr.predictions import read_predictions
from tests.decide.conftest import IMAGES, PATIENTS, QUICK, SIZE, Wanted, write_model

EASY = {"calibration_error": 1, "gap": 1}
"""The rule without what it says of the new model alone."""
ALL = {
    "Mass": Wanted("better"),
    "Effusion": Wanted("worse", "Pleural effusion"),
    "Viral pneumonia": Wanted("near", "Hernia"),
}
"""One label kept, one renamed, one new; Hernia is dropped."""


def test_each_label_has_its_verdict(decide):
    case = decide(ALL, promote=EASY)
    assert [(each.label, each.older_label, each.standing) for each in case.decision.labels] == [
        ("Mass", "Mass", "better"),
        ("Effusion", "Pleural effusion", "worse"),
        ("Viral pneumonia", "", "new"),
    ]
    assert case.decision.dropped == ("Hernia",)
    assert case.verdict("Mass").sentence.startswith("Mass: the new model is better than the older one, by 0.")
    assert "(95 % interval +0." in case.verdict("Mass").sentence
    assert case.verdict("Effusion").sentence.startswith(
        "Effusion (in the older model Pleural effusion): the new model is worse"
    )
    assert case.verdict("Viral pneumonia").sentence.startswith("Viral pneumonia: new, AUROC 0.")


def test_a_worse_label_fails_the_rule_and_a_better_one_holds(decide):
    case = decide(ALL, promote=EASY)
    assert {label: check.holds for label, check in case.checks("kept labels").items()} == {"Mass": True, "Effusion": False}
    assert not case.decision.holds
    assert case.decision.headline.startswith("may not be promoted: the rule fails on kept labels (Effusion); of 2 kept labels")
    assert decide({"Mass": Wanted("better")}, promote=EASY).decision.holds


def test_a_model_that_is_a_little_worse_holds_by_a_wide_margin_and_is_open_by_a_narrow_one(decide):
    label = {"Mass": Wanted("a little worse")}
    wide = decide(label, promote=EASY)
    assert wide.verdict("Mass").low < -0.02 < wide.verdict("Mass").difference < 0
    assert wide.checks("kept labels")["Mass"].holds is True
    refused = decide(label, promote={**EASY, "margin": 0.02}).decision
    assert (refused.failed[0].label, refused.holds) == ("Mass", False)
    assert "promote.undecided" in refused.failed[0].sentence
    accepted = decide(label, promote={**EASY, "margin": 0.02, "undecided": "accept"})
    assert accepted.checks("kept labels")["Mass"].holds is None
    assert accepted.decision.holds


def test_equal_scores_are_no_loss(decide):
    case = decide({"Mass": Wanted("equal"), "Hernia": Wanted("equal", "Hernia")}, promote=EASY)
    for label in ("Mass", "Hernia"):
        assert (case.verdict(label).standing, case.verdict(label).difference, case.verdict(label).p) == ("not shown", 0, 1)
        assert case.checks("kept labels")[label].holds is True
    assert case.result.metrics["decide/difference_macro"] == 0


def test_few_patients_give_a_caution_and_calibration_is_not_judged(decide):
    case = decide({"Mass": Wanted("near", patients=6), "Hernia": Wanted("near", "Hernia")}, promote={"gap": 1})
    assert case.verdict("Mass").sentence.endswith("caution: only 6 patients with the finding")
    assert case.checks("calibration")["Mass"].holds is None
    assert case.checks("calibration")["Hernia"].holds is False
    assert "(Hernia)" in case.decision.headline


def test_a_label_that_no_test_patient_has_is_undefined_and_left_open(decide):
    case = decide({"Mass": Wanted("near", patients=0), "Hernia": Wanted("near", "Hernia")}, promote=EASY)
    verdict = case.verdict("Mass")
    assert (verdict.standing, verdict.auroc, verdict.difference, verdict.p) == ("undefined", None, None, None)
    assert "no positives" in verdict.sentence
    assert case.checks("kept labels")["Mass"].holds is False
    assert f"0 patients with the finding and {PATIENTS} without it" in case.checks("kept labels")["Mass"].sentence
    assert not (case.folder / "decision.json").read_text().count("NaN")


def test_the_figures_of_the_older_model_are_its_own_on_the_new_truth(decide, site):
    case = decide(ALL, promote=EASY)
    older = read_predictions(case.folder / "older.parquet")
    assert older.label_names == ("Mass", "Effusion")
    by_image = older.frame.set_index("image_id").sort_index()
    np.testing.assert_allclose(by_image["score/Effusion"], site.scores["Pleural effusion"], atol=1e-6)
    truth = (by_image["truth/Effusion"] == "1").to_numpy(np.float32)
    assert case.verdict("Effusion").older_auroc == pytest.approx(auroc(truth, site.scores["Pleural effusion"]), abs=1e-6)
    new = pd.read_csv(case.folder.parent / "metrics.csv").set_index("label")["auroc"]
    for label in ALL:
        assert case.verdict(label).auroc == pytest.approx(new[label], abs=1e-12)


def test_the_order_of_labels_changes_nothing(decide):
    first = decide(ALL, promote=EASY)
    sentences = {each.label: each.sentence for each in first.decision.labels}
    checks = {(check.part, check.label): check for check in first.decision.checks}
    other = decide(dict(reversed(ALL.items())), promote=EASY)
    assert [each.label for each in other.decision.labels] == list(reversed(ALL))
    assert {each.label: each.sentence for each in other.decision.labels} == sentences
    assert {(check.part, check.label): check for check in other.decision.checks} == checks
    assert other.result.metrics == first.result.metrics


def test_without_an_older_model_its_own_figures_are_judged(decide):
    labels = {"Mass": Wanted("better"), "Effusion": Wanted("worse", "Pleural effusion")}
    case = decide(labels, alone=True, promote={"calibration_error": 0.001})
    assert case.decision.older is None
    assert {each.standing for each in case.decision.labels} == {"new"}
    assert not case.verdict("Mass").sentence.startswith("Mass: new")
    assert {check.part for check in case.decision.checks} == {"calibration", "subgroups"}
    assert {check.label for check in case.decision.failed if check.part == "calibration"} == set(labels)
    assert case.result.table == ()
    assert not (case.folder / "older.parquet").exists()
    assert case.result.answers["against"] == "there is no older model to compare with"


def test_where_no_label_is_kept_nothing_is_compared_and_it_says_so(decide):
    case = decide({"Viral pneumonia": Wanted("near")}, promote=EASY)
    assert case.decision.older is not None
    assert case.decision.dropped == ("Mass", "Pleural effusion", "Hernia")
    (check,) = case.checks("kept labels").values()
    assert check.holds is False
    assert "nothing shows that the new one is no worse" in check.sentence
    assert "so nothing was compared" in case.decision.headline
    assert any("means the same" in warning for warning in case.result.warnings)
    assert [row[0] for row in case.result.table] == ["label", "Viral pneumonia"]


def test_where_nothing_is_compared_it_may_pass_only_if_that_is_accepted(decide):
    case = decide({"Viral pneumonia": Wanted("near")}, promote={**EASY, "undecided": "accept"})
    (check,) = case.checks("kept labels").values()
    assert check.holds is None


def test_a_label_that_the_user_calls_another_one_is_open_and_not_left_out(decide):
    case = decide({"Mass": Wanted("worse"), "Hernia": Wanted("near")}, {"labels": {"Mass": None}}, EASY)
    assert case.checks("kept labels")["Mass"].holds is False
    assert "says that Mass of the older model is not the same" in case.checks("kept labels")["Mass"].sentence


def test_everything_is_written_logged_and_told(decide):
    case = decide(ALL, promote=EASY)
    written = {"decision.json", "decision.csv", "decision.html", "older.parquet"}
    assert {path.name for path in case.folder.iterdir()} == written
    assert case.run.artifacts == ["decision.json", "decision.csv", "decision.html"]
    assert case.result.highlights == ("decision.json", "decision.html")
    assert dict(case.result.counts) == {
        **{"images": IMAGES, "patients": PATIENTS, "labels": 3, "labels_kept": 2},
        **{"checks": len(case.decision.checks), "checks_failed": 1},
    }
    names = {f"decide/{name}" for name in ("holds", "difference/Mass", "difference/Effusion", "difference_macro")}
    assert set(case.result.metrics) == names
    assert case.run.logged_metrics == [(0, dict(case.result.metrics))]
    assert [(name, context) for name, _, context in case.run.datasets] == [("manifest-test", "decision")]
    header, *rows = case.result.table
    assert [row[0] for row in rows] == ["Mass", "Effusion", "mean", "Viral pneumonia"]
    assert {len(row) for row in case.result.table} == {len(header)}
    assert rows[0][-1] == "better"
    assert case.result.answers["against"].startswith(f"the older model of run older-run on the same {PATIENTS} test patients: ")
    assert case.result.answers["against"].endswith("new labels: Viral pneumonia; dropped: Hernia")
    assert case.result.answers["next"].startswith("may not be promoted")


def test_the_table_has_a_row_per_label_with_what_fails(decide):
    case = decide(ALL, promote={"calibration_error": 0.001, "gap": 1})
    table = pd.read_csv(case.folder / "decision.csv", keep_default_na=False).set_index("label")
    assert table.index.tolist() == list(ALL)
    assert table.loc["Effusion", "fails"] == "kept labels; calibration"
    assert table.loc["Mass", "fails"] == "calibration"
    assert table.loc["Viral pneumonia", "difference"] == ""
    assert table.loc["Mass", "sentence"] == case.verdict("Mass").sentence


def test_the_decision_names_both_models_and_the_test_images(decide, site):
    found = json.loads((decide(ALL, promote=EASY).folder / "decision.json").read_text())
    assert (found["model"]["run_id"], found["older"]["run_id"]) == ("new-run", "older-run")
    assert found["model"]["weights_sha256"] != found["older"]["weights_sha256"]
    assert len(found["test_data_sha256"]) == 64
    assert found["registry"] == "chest"


def test_a_model_compared_with_itself_says_so(decide, site):
    case = decide({"Mass": Wanted("equal")}, promote=EASY, model=site.older)
    assert any("compared with itself" in warning for warning in case.result.warnings)


def test_what_only_the_user_knows_of_the_older_models_patients_is_said(decide, tmp_path):
    assert any("retrain.other_patients" in warning for warning in decide(ALL, promote=EASY).result.warnings)
    (tmp_path / "split.csv").write_text("")
    known = decide(ALL, {"other_patients": False, "split": tmp_path / "split.csv"}, EASY)
    assert not any("retrain.other_patients" in warning for warning in known.result.warnings)


def test_more_resamples_are_drawn_where_fewer_could_show_nothing(decide, monkeypatch):
    monkeypatch.setattr("tests.decide.conftest.QUICK", QUICK.model_copy(update={"resamples": 100}))
    case = decide({"Mass": Wanted("better"), "Hernia": Wanted("better", "Hernia")}, promote=EASY)
    assert {case.verdict(label).standing for label in ("Mass", "Hernia")} == {"better"}
    assert any("120 resamples were drawn" in warning for warning in case.result.warnings)


def test_images_made_in_another_way_are_refused(decide, tmp_path):
    describe_store(tmp_path, Preprocessing(32, "pad", 2, 1))
    with pytest.raises(DataError, match=r"older model cannot score these images: .*normaliser 1, these have normaliser 2"):
        decide(ALL, store=tmp_path)
    assert decide({"Mass": Wanted("near")}, alone=True, store=tmp_path).decision.older is None


def test_a_stacked_older_model_is_scored_at_full_width(decide, tmp_path):
    stacked = write_model(tmp_path / "stacked.safetensors", ("Mass",), "wide-run", stacked=True)
    case = decide({"Mass": Wanted("near")}, {"model": stacked}, EASY)
    assert any(
        "older model has networks of several widths" in text and "2 attention heads" in text for text in case.result.warnings
    )


def configured(folder, model, labels=("Mass",), own=None, size=SIZE):
    (folder / "labels.yaml").write_text(yaml.safe_dump({"name": "set", "labels": [{"name": name} for name in labels]}))
    return DecideStage(
        seed=1,
        labels=folder / "labels.yaml",
        size=size,
        fit="pad",
        batch_size=8,
        device="cpu",
        registry="chest",
        evaluate=QUICK,
        retrain={"model": model, "other_patients": True, "labels": own or {}},
        promote={},
    )


def test_check_refuses_what_is_no_model_and_what_fits_no_label(tmp_path, site):
    stage.check(configured(tmp_path, site.older))
    with pytest.raises(ConfigError, match=r"'ingest\.size' is 64, but the older model learned from images with size 32"):
        stage.check(configured(tmp_path, site.older, size=64))
    (tmp_path / "other").write_bytes(b"no model")
    with pytest.raises(DataError, match="not a model file"):
        stage.check(configured(tmp_path, tmp_path / "other"))
    with pytest.raises(ConfigError, match="'Nodule' is no label of the older model"):
        stage.check(configured(tmp_path, site.older, own={"Mass": "Nodule"}))
    stage.check(configured(tmp_path, site.older).model_copy(update={"retrain": None}))


def test_an_evaluation_of_other_labels_is_refused(decide, tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "read_labels", lambda path: {})
    with pytest.raises(DataError, match="no figures of label 'Mass'"):
        decide({"Mass": Wanted("near")}, promote=EASY)
