"""The structured report: every number and word of it against what was computed, and against DCMTK's reader."""

from __future__ import annotations

import shutil
import subprocess
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
import torch
from highdicom.sr import ComprehensiveSR

from cxr.calibrate.wording import headline
from cxr.deliver.encode import encode
from cxr.model.card import read_card, weights_digest
from cxr.predict.files import FileScorer
from tests.deliver.content import comments, explanations, groups, items, value
from tests.serve.models import NAMES, chest, write_model

PROBABILITY, THRESHOLD = "Calibrated probability", "Threshold of the operating point"
DECISION, SOURCE = "At or above the threshold", "Source of Measurement"


def uid_of(file: bytes) -> str:
    return str(pydicom.dcmread(BytesIO(file)).SOPInstanceUID)


def test_each_label_has_its_probability_threshold_and_decision_and_the_image_it_is_of(report, model_file):
    row = FileScorer(model_file, torch.device("cpu")).score([chest(1)]).iloc[0]
    found = {str(group["Finding"][0]): group for group in groups(report(chest(1)))}
    assert tuple(found) == NAMES
    for name in NAMES[:2]:
        assert found[name][PROBABILITY] == [pytest.approx(row[name], abs=1e-6)]
        assert found[name][THRESHOLD] == [0.3]
        assert found[name][DECISION] == ["Yes" if row[f"yes/{name}"] else "No"]
        assert found[name]["Comment"] == [
            "Operating point 'youden': yes from 0.3 on; on the validation patients a sensitivity of 0.750 "
            "and a specificity of 0.667."
        ]
        assert found[name][SOURCE] == [uid_of(chest(1))]


def test_a_score_that_was_left_as_it_is_is_called_no_calibrated_probability(deliver, tmp_path):
    model = write_model(tmp_path / "other.safetensors", unscaled="Mass")
    (report,) = deliver([chest(1)], model=model).reports
    found = {str(group["Finding"][0]): group for group in groups(report)}
    row = FileScorer(model, torch.device("cpu")).score([chest(1)]).iloc[0]
    assert PROBABILITY not in found["Mass"]
    assert found["Mass"]["Score, not calibrated"] == [pytest.approx(row["Mass"], abs=1e-6)]
    assert str(found["Mass"]["Comment"][0]).startswith(
        "The score is left as it is, and is no calibrated probability: only 3 pat"
    )
    assert PROBABILITY in found[NAMES[1]]
    assert "no calibrated" not in str(found[NAMES[1]]["Comment"][0])


def test_a_no_is_a_no(report):
    decided = {str(group["Finding"][0]): group for patient in range(6) for group in groups(report(chest(patient)))}
    assert {value for group in decided.values() for value in group[DECISION]} >= {"Yes", "Undetermined"}
    for patient in range(6):
        for group in groups(report(chest(patient))):
            if THRESHOLD in group:
                assert group[DECISION] == ["Yes" if group[PROBABILITY][0] >= group[THRESHOLD][0] else "No"]


def test_a_label_without_operating_point_is_not_decided_and_says_why(report):
    group = list(groups(report()))[2]
    assert group[DECISION] == ["Undetermined"]
    assert THRESHOLD not in group
    assert group["Comment"] == ["Not decided: there is no operating point 'youden' (no threshold is better than chance)."]


def test_the_algorithm_is_the_model_file_with_run_weights_label_set_and_calibration(report, model_file):
    group = next(groups(report()))
    card = read_card(model_file)
    assert group["Algorithm Name"] == ["cxr vit_tiny_patch16_224 some"]
    assert group["Algorithm Version"] == [f"run train-run, weights {weights_digest(model_file)[:12]}"]
    assert group["Algorithm Parameters"][:2] == ["label set: some", headline(card.calibration)]
    assert group["Algorithm Family"] == ["Artificial Intelligence"]


def test_the_report_is_unverified_preliminary_and_says_that_it_is_no_diagnosis(report):
    found = report()
    assert (found.VerificationFlag, found.PreliminaryFlag, found.CompletionFlag) == ("UNVERIFIED", "PRELIMINARY", "COMPLETE")
    assert "research use" in comments(found)
    assert "It is no diagnosis" in comments(found)


def test_what_was_refused_is_told_with_its_reason_and_its_image(report):
    own = {"StudyInstanceUID": "1.2.3", "PatientID": "A"}
    lateral = chest(1, ViewPosition="LL", SOPInstanceUID="1.2.3.4", **own)
    found = report(chest(0, **own), lateral)
    (item,) = items(found, "Image not scored")
    assert value(item) == "Out of scope: the view is lateral; frontal radiographs are taken."
    assert value(item.ContentSequence[0]) == "1.2.3.4"
    assert found.CompletionFlag == "COMPLETE"  # nothing is wrong
    referred = [
        each.ReferencedSOPInstanceUID
        for series in found.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
        for each in series.ReferencedSOPSequence
    ]
    assert sorted(referred) == sorted(["1.2.3.4", uid_of(chest(0, **own))])


def test_a_study_with_a_broken_image_has_a_report_that_is_not_complete(report):
    own = {"StudyInstanceUID": "1.2.3", "PatientID": "A"}
    found = report(chest(0, **own), chest(1, BurnedInAnnotation="YES", **own))
    assert found.CompletionFlag == "PARTIAL"
    (item,) = items(found, "Image not scored")
    assert str(value(item)).startswith("Something is wrong with the file: BurnedInAnnotation says")
    assert "1 image not scored" in comments(found)


def test_two_images_have_groups_of_their_own_or_share_them_as_the_calibration_has_it(deliver, tmp_path):
    own = {"StudyInstanceUID": "1.2.3", "PatientID": "A"}
    files = [chest(0, **own), chest(1, **own)]
    apart = list(groups(deliver(files).reports[0]))
    assert len(apart) == 6
    assert [group[SOURCE] for group in apart[::3]] == [[uid] for uid in sorted(map(uid_of, files))]
    assert apart[0][PROBABILITY] != apart[3][PROBABILITY]
    shared = list(groups(deliver(files, model=write_model(tmp_path / "s.safetensors", unit="study")).reports[0]))
    assert len(shared) == 3
    assert all(group[SOURCE] == sorted(map(uid_of, files)) for group in shared)


def test_highdicom_reads_back_what_was_written(report):
    found = report()
    again = ComprehensiveSR.from_dataset(pydicom.dcmread(BytesIO(encode(found))))
    assert list(groups(again)) == list(groups(found))
    assert [group.finding_type.meaning for group in again.content.get_image_measurement_groups()] == list(NAMES)


def test_images_that_share_their_numbers_have_their_maps_in_the_same_group(deliver, tmp_path):
    own = {"StudyInstanceUID": "1.2.3", "PatientID": "A"}
    model = write_model(tmp_path / "s.safetensors", unit="study")
    found = deliver([chest(0, **own), chest(1, **own)], maps=NAMES[:1], model=model)
    shown = explanations(found.reports[0])
    assert {name: sorted(maps) for name, maps in shown.items()} == {
        NAMES[0]: sorted(each.SOPInstanceUID for each in found.objects if each.Modality == "OT")
    }
    apart = deliver([chest(0, **own), chest(1, **own)], maps=NAMES[:1])
    sources = {each.SOPInstanceUID: each.SourceImageSequence[0].ReferencedSOPInstanceUID for each in apart.objects[:2]}
    groups_with = [group for group in groups(apart.reports[0]) if "Visual explanation" in group]
    assert [sources[uid] for group in groups_with for uid in group["Visual explanation"]] == [
        uid for group in groups_with for uid in group[SOURCE]
    ]
    assert len(groups_with) == 2


def test_dcmtk_reads_the_report_without_a_complaint(deliver, tmp_path):
    dsrdump = shutil.which("dsrdump")
    if dsrdump is None:
        pytest.skip("dsrdump is not installed: apt-get install --no-install-recommends dcmtk")
    path = tmp_path / "report.dcm"
    path.write_bytes(encode(deliver([chest(0)], maps=NAMES).reports[0]))
    done = subprocess.run([dsrdump, "+Pc", "+Pl", str(path)], capture_output=True, text=True, check=True)
    complaints = [line for line in done.stderr.splitlines() if "VR checker does not support this Specific" not in line]
    assert complaints == []  # the one left out is of every Unicode file
    assert "Comprehensive SR Document" in done.stdout
    assert '(probability,99CXR,"Calibrated probability")' in done.stdout.replace("EV ", "")
    assert done.stdout.count('"Visual explanation"') == 3


def test_the_validator_of_dicom3tools_finds_no_error(deliver, tmp_path: Path):
    dciodvfy = shutil.which("dciodvfy")
    if dciodvfy is None:
        pytest.skip("dciodvfy is not installed: apt-get install --no-install-recommends dicom3tools")
    for number, each in enumerate(deliver([chest(0)], maps=["positive"]).objects):
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(encode(each))
        said = subprocess.run([dciodvfy, str(path)], capture_output=True, text=True, check=False).stderr.splitlines()
        assert [line for line in said if line.startswith("Error")] == []
        assert said[0] in ("ComprehensiveSR", "SCImage")
