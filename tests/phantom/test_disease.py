from __future__ import annotations

import numpy as np
import pytest

from cxr.phantom.disease import DISEASES, HERNIA_SHARE, draw_course, draw_severities


def test_shares_of_the_diseases_add_up_to_one():
    assert sum(disease.share for disease in DISEASES.values()) == pytest.approx(1)


def test_a_small_cohort_has_its_part_of_every_disease():
    for seed in range(20):
        courses = draw_course(40, np.random.default_rng(seed))
        assert abs(sum("Hernia" in course for course in courses) - 40 * HERNIA_SHARE) < 1
        for name in ("Cardiomegaly", "Consolidation", "Nodule", "Pneumothorax"):
            assert 3 <= sum(name in course for course in courses) <= 12


def test_heart_failure_brings_its_findings_together():
    courses = draw_course(2000, np.random.default_rng(0))
    together = sum("Cardiomegaly" in course and "Edema" in course for course in courses) / 2000
    apart = np.mean(["Cardiomegaly" in c for c in courses]) * np.mean(["Edema" in c for c in courses])
    assert together > 3 * apart


def test_severities_stay_in_range_near_the_patients_usual_one():
    generator = np.random.default_rng(1)
    drawn = [draw_severities({"Edema": 0.5}, generator) for _ in range(300)]
    values = [severities["Edema"] for severities in drawn if severities]
    assert 0.8 < len(values) / 300 < 0.98
    assert 0 < min(values) < np.mean(values) < max(values) <= 1
    assert np.mean(values) == pytest.approx(0.5, abs=0.03)
