"""Studies in, deliveries out: nothing twice, nothing silent."""

from __future__ import annotations

import pytest
import torch

from cxr.deliver.deliver import Deliverer
from cxr.deliver.encode import encode
from cxr.deliver.result import Undeliverable
from cxr.deliver.study import find_studies
from cxr.errors import ConfigError, DataError
from cxr.ingest.source.folder import files_of
from tests.deliver.conftest import Kept
from tests.deliver.content import evidence, explanations
from tests.serve.models import NAMES, chest, write_model


def uids(delivered):
    return [str(each.SOPInstanceUID) for each in delivered.objects]


def test_delivering_again_gives_the_same_objects_also_among_the_earlier_results(deliver):
    files = [chest(0), chest(1)]
    first = deliver(files, maps=["positive"])
    again = deliver([*(encode(each) for each in first.objects), *files[::-1], files[0]], maps=["positive"])
    assert uids(again) == uids(first)
    assert len(set(uids(first))) == len(first.objects)
    assert all(not each.left_out for each in again.deliveries)  # of its own results a report says nothing


def test_another_model_or_another_image_gives_another_report_and_another_model_another_series(deliver, tmp_path):
    own = {"StudyInstanceUID": "1.2.3", "PatientID": "A"}
    first = deliver([chest(0, **own)]).reports[0]
    more = deliver([chest(0, **own), chest(1, **own)]).reports[0]
    assert more.SOPInstanceUID != first.SOPInstanceUID
    assert more.SeriesInstanceUID == first.SeriesInstanceUID
    other = deliver([chest(0, **own)], model=write_model(tmp_path / "o.safetensors", names=("A", "B"))).reports[0]
    assert len({first.SOPInstanceUID, other.SOPInstanceUID, more.SOPInstanceUID}) == 3
    assert other.SeriesInstanceUID != first.SeriesInstanceUID


def test_every_study_has_a_delivery_with_its_counts_or_its_problem(deliver):
    found = deliver([chest(0), chest(1, ViewPosition="LL"), chest(2, Modality="CT"), chest(3)])
    good = [each for each in found.deliveries if each.report]
    assert [each.scored for each in good] == [1, 1]
    assert {each.report for each in good} == {each.SOPInstanceUID for each in found.reports}
    (lateral,) = [each for each in found.deliveries if each.problem]
    assert lateral.problem == "no image was scored: the view is lateral; frontal radiographs are taken"
    assert [each.radiographs for each in found.deliveries].count(False) == 1  # the CT


def test_two_different_images_of_one_uid_are_not_reported_as_one(deliver):
    own = {"StudyInstanceUID": "1.2.3", "SOPInstanceUID": "1.2.3.1", "PatientID": "A"}
    found = deliver([chest(0, **own), chest(1, **own)])
    assert found.objects == []
    assert found.deliveries[0].problem == "two of its images have the same SOPInstanceUID and are not the same"


def test_a_file_that_another_patients_has_taken_the_place_of_is_not_reported(tmp_path, model_file):
    own, other = ({"StudyInstanceUID": f"{name}.2.3", "PatientID": name} for name in ("1", "9"))
    for number in range(2):
        (tmp_path / f"{number}.dcm").write_bytes(chest(number, **own))
    given, kept = find_studies([files_of(tmp_path)], lambda *_: None), Kept()
    (tmp_path / "1.dcm").write_bytes(chest(2, **other))
    (found,) = Deliverer(model_file, torch.device("cpu"), ["Mass"]).deliver(given.studies, kept)
    assert (found.study, found.scored, found.left_out, found.maps) == ("1.2.3", 1, 1, 1)
    assert {(each.PatientID, each.StudyInstanceUID) for each in kept.objects} == {("1", "1.2.3")}
    assert kept.objects[-1].CompletionFlag == "PARTIAL"


def test_a_report_goes_last_and_refers_to_every_map(deliver):
    found = deliver([chest(0), chest(1)], maps=NAMES)
    assert [each.Modality for each in found.objects] == ["OT"] * 3 + ["SR"] + ["OT"] * 3 + ["SR"]
    for place, report in enumerate(found.reports):
        sent = set(uids(found)[4 * place : 4 * place + 3])
        assert {uid for (uid,) in explanations(report).values()} == sent < evidence(report)
    assert [each.maps for each in found.deliveries] == [3, 3]


def test_a_map_that_is_refused_is_told_and_the_report_does_not_refer_to_it(deliver):
    whole, found = deliver([chest(0)], maps=NAMES), deliver([chest(0)], maps=NAMES, refuses="OT")
    (report,) = found.objects
    assert explanations(report) == {}
    assert not evidence(report) & set(uids(whole))
    (delivery,) = found.deliveries
    assert delivery.problem == "3 of 3 maps refused, and not in the report: no"
    assert (delivery.report, delivery.maps) == (report.SOPInstanceUID, 0)
    assert report.SOPInstanceUID == deliver([chest(0)]).reports[0].SOPInstanceUID  # its content is the same


def test_a_report_that_is_refused_is_told_and_has_no_uid_to_look_for(deliver):
    found = deliver([chest(0)], maps=["Mass"], refuses="SR")
    (delivery,) = found.deliveries
    assert (delivery.problem, delivery.report, delivery.maps) == ("the report is refused: no", "", 1)


def test_a_study_that_cannot_be_reported_leaves_no_maps_behind(deliver, monkeypatch):
    def refuse(*_: object) -> None:
        raise Undeliverable("the first image cannot be referred to")

    monkeypatch.setattr("cxr.deliver.deliver.build_report", refuse)  # where only an image without maps is to blame
    found = deliver([chest(0)], maps=NAMES)
    assert found.objects == []
    assert found.deliveries[0].problem == "the first image cannot be referred to"


def test_a_report_with_other_maps_is_another_report(deliver):
    found = [deliver([chest(0)], maps=maps).reports[0] for maps in ([], NAMES[:1], NAMES)]
    assert len({each.SOPInstanceUID for each in found}) == 3
    assert len({each.SeriesInstanceUID for each in found}) == 1


def test_after_a_destination_that_stops_half_way_the_same_command_completes_it_without_a_double(model_file, tmp_path):
    for number in range(2):
        (tmp_path / f"{number}.dcm").write_bytes(chest(number))
    given = find_studies([files_of(tmp_path)], lambda *_: None)
    deliverer, kept = Deliverer(model_file, torch.device("cpu"), ["Mass"]), Kept(fails="SR")
    with pytest.raises(DataError, match="it is gone"):
        list(deliverer.deliver(given.studies, kept))
    half = [str(each.SOPInstanceUID) for each in kept.objects]
    kept.fails = ""
    done = list(deliverer.deliver(given.studies, kept))
    assert len(half) == 1
    assert [str(each.SOPInstanceUID) for each in kept.objects].count(half[0]) == 2  # the same object, not another of its kind
    assert [each.problem for each in done] == ["", ""]
    assert len({each.SOPInstanceUID for each in kept.objects}) == 4


@pytest.mark.parametrize("unit", ["study", "patient"])
def test_a_patients_studies_share_numbers_only_where_the_calibration_is_of_patients(deliver, tmp_path, unit):
    model = write_model(tmp_path / "u.safetensors", unit=unit)
    one, two = chest(0, PatientID="A", StudyInstanceUID="1.1"), chest(1, PatientID="A", StudyInstanceUID="1.2")
    together, alone = deliver([one, two], model=model), deliver([one], model=model)
    assert len(together.reports) == 2
    assert (together.reports[0].SOPInstanceUID == alone.reports[0].SOPInstanceUID) == (unit == "study")


@pytest.mark.parametrize("name", ["model.onnx", "model.pt2"])
def test_an_exported_file_is_refused_in_words(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ConfigError, match=rf"{name}: an exported file; .*: give the model file"):
        Deliverer(tmp_path / name, torch.device("cpu"))
