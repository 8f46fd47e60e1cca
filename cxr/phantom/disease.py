"""Which findings come together, and how severe they are: the diseases behind the findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

HERNIA_SHARE = 0.07
"""Share of patients with a hiatal hernia, whatever else they have."""
_PERSISTENCE = 0.9
"""Chance that a finding of the patient's disease is there on one of the patient's radiographs."""


@dataclass(frozen=True)
class Disease:
    """A disease: its share of the patients, and how often it shows each finding."""

    share: float
    findings: Mapping[str, float]


DISEASES: Mapping[str, Disease] = MappingProxyType(
    {
        "none": Disease(0.32, {}),
        "heart failure": Disease(0.20, {"Cardiomegaly": 0.9, "Edema": 0.82, "Effusion": 0.62}),
        "pneumonia": Disease(0.155, {"Consolidation": 1.0, "Effusion": 0.32}),
        "tumour": Disease(0.165, {"Nodule": 1.0, "Effusion": 0.08}),
        "collapsed lung": Disease(0.15, {"Pneumothorax": 1.0, "Consolidation": 0.05}),
        "enlarged heart": Disease(0.01, {"Cardiomegaly": 1.0}),
    }
)
"""The diseases of a cohort; shares add up to 1."""


def draw_course(patients: int, generator: np.random.Generator) -> list[Mapping[str, float]]:
    """Draw the usual severity, in 0..1, of each patient's findings.

    Shares of diseases are stratified, so that a small cohort has its part of each.
    """
    disease_place = _stratified(patients, generator)
    hernia_place = _stratified(patients, generator)
    bounds = np.cumsum([disease.share for disease in DISEASES.values()])
    chosen = np.minimum(np.searchsorted(bounds, disease_place), len(DISEASES) - 1)
    courses: list[Mapping[str, float]] = []
    for number, place in zip(chosen, hernia_place, strict=True):
        chances = list(DISEASES.values())[int(number)].findings
        names = [name for name, chance in chances.items() if generator.random() < chance]
        names += ["Hernia"] if place < HERNIA_SHARE else []
        courses.append({name: generator.uniform(0.08, 1.0) for name in names})
    return courses


def draw_severities(course: Mapping[str, float], generator: np.random.Generator) -> dict[str, float]:
    """Draw what one radiograph shows of a patient's course: severity in 0..1 of each finding that is present."""
    present = {name: severity for name, severity in course.items() if generator.random() < _PERSISTENCE}
    return {name: float(np.clip(severity + generator.normal(0, 0.12), 0.03, 1)) for name, severity in present.items()}


def _stratified(count: int, generator: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """`count` uniform numbers in 0..1 in random order, one from each of `count` equal parts."""
    return (generator.permutation(count) + generator.random(count)) / count
