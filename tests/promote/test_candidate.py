from __future__ import annotations

import pytest

from cxr.errors import DataError
from cxr.promote.turn import SUFFIX
from cxr.tracking.model import MODEL_ID
from tests.promote.proposals import weights_of


def test_run_tells_its_decision_and_its_model(lab):
    found = lab.candidate(lab.run(1))
    assert found.decision.model.weights_sha256 == weights_of(1, lab.folder)
    assert found.model.ready


def test_run_that_has_not_come_to_its_end_is_refused(lab):
    run = lab.run(1)
    lab.tracking.client.update_run(run, status="RUNNING")
    with pytest.raises(DataError, match="not come to its end"):
        lab.candidate(run)


def test_run_without_a_decision_is_refused(lab):
    run = lab.tracking.open("old")
    run.finish("FINISHED")
    with pytest.raises(DataError, match=r"has no decision.json"):
        lab.candidate(run.run_id)


def test_run_without_a_logged_model_is_refused(lab):
    run = lab.run(1)
    lab.tracking.client.delete_tag(run, MODEL_ID)
    with pytest.raises(DataError, match="no logged model that is whole"):
        lab.candidate(run)


def test_model_whose_upload_was_cut_is_refused(lab):
    run = lab.run(1)
    unready = lab.tracking.client.create_logged_model(lab.tracking.experiment_id, "model", run)
    lab.runs.tag(run, MODEL_ID, unready.model_id)
    with pytest.raises(DataError, match="no logged model that is whole"):
        lab.candidate(run)


def test_model_with_other_weights_than_were_judged_is_refused(lab):
    run = lab.run(1)
    lab.runs.tag(run, MODEL_ID, lab.log_model(run, 2)[0])
    with pytest.raises(DataError, match="not those that decision"):
        lab.candidate(run)


def test_model_whose_files_are_gone_is_refused(lab):
    run = lab.run(1)
    for file in lab.folder.parent.glob("runs/mlartifacts/**/*.safetensors"):
        file.unlink()
    with pytest.raises(DataError, match="not where MLflow keeps its artefacts"):
        lab.candidate(run)


def test_run_that_used_stages_of_another_run_again_proposes_the_model_of_that(lab):
    first = lab.run(1)
    stages = {name: lab.tracking.open(name, parent=first).run_id for name in ("decide", "calibrate")}
    lab.runs.tag(stages["calibrate"], MODEL_ID, lab.runs.run(first).tags[MODEL_ID])
    second = lab.tracking.open("small again")
    for name, run_id in stages.items():
        second.tag(f"reused.{name}", run_id)
    second.finish("FINISHED")
    assert lab.candidate(second.run_id).model == lab.candidate(first).model


def test_name_that_is_taken_for_turns_is_refused(lab):
    with pytest.raises(DataError, match="taken for turns"):
        lab.candidate(lab.run(1, registry=f"small{SUFFIX}"))
