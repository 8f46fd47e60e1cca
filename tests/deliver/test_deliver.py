"""Studies in, deliveries out: nothing twice, nothing silent."""

from __future__ import annotations

import pytest

from cxr.deliver.encode import encode
from tests.serve.models import chest, write_model


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


@pytest.mark.parametrize("unit", ["study", "patient"])
def test_a_patients_studies_share_numbers_only_where_the_calibration_is_of_patients(deliver, tmp_path, unit):
    model = write_model(tmp_path / "u.safetensors", unit=unit)
    one, two = chest(0, PatientID="A", StudyInstanceUID="1.1"), chest(1, PatientID="A", StudyInstanceUID="1.2")
    together, alone = deliver([one, two], model=model), deliver([one], model=model)
    assert len(together.reports) == 2
    assert (together.reports[0].SOPInstanceUID == alone.reports[0].SOPInstanceUID) == (unit == "study")
