from __future__ import annotations

import numpy as np
import pytest

from cxr.config_sources import PhantomSource
from cxr.phantom.encoding import ENCODINGS
from cxr.phantom.findings import FINDINGS
from cxr.phantom.plan import plan_cohort

DEFAULT = PhantomSource(kind="phantom")


@pytest.fixture(scope="module")
def plan():
    return plan_cohort(DEFAULT, 0)


def test_same_seed_same_plan_whatever_the_workers(plan):
    assert plan_cohort(DEFAULT.model_copy(update={"workers": 7}), 0) == plan
    assert plan_cohort(DEFAULT, 1) != plan


def test_no_two_files_share_a_uid_or_a_path(plan):
    assert len({image.examination.instance_uid for image in plan.images}) == len(plan.images)
    assert len({image.examination.study_uid for image in plan.images}) == len(plan.images)
    assert len({image.file for image in plan.images}) == len(plan.images)


def test_another_seed_gives_other_uids(plan):
    other = plan_cohort(DEFAULT, 1)
    assert not {i.examination.instance_uid for i in plan.images} & {i.examination.instance_uid for i in other.images}


def test_a_patients_images_share_anatomy_and_person_but_not_the_pose(plan):
    by_patient = {}
    for image in plan.good:
        by_patient.setdefault(image.examination.patient, []).append(image)
    assert len(by_patient) == DEFAULT.patients
    assert max(map(len, by_patient.values())) == DEFAULT.images_per_patient
    for images in by_patient.values():
        assert len({image.anatomy for image in images}) == 1
        assert len({(i.examination.birth_date, i.examination.sex) for i in images}) == 1
        assert len({image.pose for image in images}) == len(images)
        dates = [image.examination.date for image in images]
        assert dates == sorted(set(dates))


def test_findings_are_as_frequent_as_in_a_hospital(plan):
    shares = {name: np.mean([name in image.severities for image in plan.good]) for name in FINDINGS}
    assert 0.30 < np.mean([not image.severities for image in plan.good]) < 0.42
    assert 0.02 < shares.pop("Hernia") < 0.08
    assert all(0.11 < share < 0.25 for share in shares.values()), shares


def test_sicker_patients_are_more_often_examined_at_the_bedside(plan):
    sick, well = ([i.pose.anteroposterior for i in plan.good if bool(i.severities) == has] for has in (True, False))
    assert np.mean(sick) > np.mean(well) + 0.2
    assert all((i.examination.view == "AP") == i.pose.anteroposterior for i in plan.images)


def test_shares_of_uncertain_and_blank_cells_are_exact(plan):
    cells = np.array([image.cells for image in plan.images])
    assert (cells == "-1").sum() == round(DEFAULT.uncertain * cells.size)
    assert (cells == "").sum() == round(DEFAULT.blank * cells.size)


def test_all_other_cells_tell_the_truth(plan):
    for image in plan.images:
        for name, cell in zip(FINDINGS, image.cells, strict=True):
            assert cell in ("-1", "", str(int(name in image.severities)))


def test_uncertain_cells_are_most_often_mild_positives(plan):
    def share(low, high):
        pairs = [(i.severities[n], c) for i in plan.good for n, c in zip(FINDINGS, i.cells, strict=True) if n in i.severities]
        return np.mean([cell == "-1" for severity, cell in pairs if low <= severity < high])

    negatives = [c for i in plan.good for n, c in zip(FINDINGS, i.cells, strict=True) if n not in i.severities]
    assert share(0, 0.3) > share(0.7, 1.01)
    assert share(0, 0.3) > 2 * np.mean([cell == "-1" for cell in negatives]) > 0


def test_broken_files_are_extra_and_all_encodings_occur(plan):
    whole = plan_cohort(DEFAULT.model_copy(update={"broken_files": 0}), 0)
    assert [image.file for image in whole.images] == [image.file for image in plan.good]
    assert len(plan.broken) == DEFAULT.broken_files
    assert {image.encoding for image in plan.good} == set(ENCODINGS)


def test_age_fits_the_dates(plan):
    for person in (image.examination for image in plan.images):
        assert 0 <= (person.date - person.birth_date).days / 365.2425 - person.age_years < 1.01
