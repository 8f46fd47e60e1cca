"""The plan of a cohort: every patient, examination and finding, drawn from one seed before anything is rendered."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from cxr.config_sources import PhantomSource
from cxr.phantom.anatomy import Anatomy, draw_anatomy
from cxr.phantom.broken import DEFECTS
from cxr.phantom.canvas import Pose
from cxr.phantom.disease import draw_course, draw_severities
from cxr.phantom.encoding import ENCODINGS, Encoding
from cxr.phantom.findings import FINDINGS
from cxr.phantom.header import Examination, derived_uid

_SIDE_RATIOS = ((1.0, 0.83), (0.92, 1.0), (1.0, 0.92), (1.0, 1.0))
"""Height and width of the matrices, as shares of the longer side."""


@dataclass(frozen=True)
class PlannedImage:
    """One file of a cohort.

    Args:
        index: number of the image in the cohort; broken files come after the good ones.
        file: path inside the folder of DICOM files, with forward slashes.
        anatomy: the patient, shared by all of the patient's images.
        pose: position, breath and projection.
        severities: severity in 0..1 of each finding that is truly present.
        shape: height and width in pixels.
        encoding: how the picture is stored.
        examination: what the header says.
        seed: seed of what is drawn at random in the picture.
        defect: name of the kind of broken file, or None for a good one.
        cells: the label table's row: "1", "0", "-1" or "" per finding, in the order of `FINDINGS`.
    """

    index: int
    file: str
    anatomy: Anatomy
    pose: Pose
    severities: Mapping[str, float]
    shape: tuple[int, int]
    encoding: Encoding
    examination: Examination
    seed: tuple[int, ...]
    defect: str | None = None
    cells: tuple[str, ...] = ()


@dataclass(frozen=True)
class CohortPlan:
    """All files of a cohort, good ones first."""

    images: tuple[PlannedImage, ...]

    @property
    def good(self) -> tuple[PlannedImage, ...]:
        """The images that can be read."""
        return tuple(image for image in self.images if image.defect is None)

    @property
    def broken(self) -> tuple[PlannedImage, ...]:
        """The files that cannot."""
        return tuple(image for image in self.images if image.defect is not None)


def plan_cohort(source: PhantomSource, seed: int) -> CohortPlan:
    """Draw a cohort; equal arguments give equal plans, whatever `source.workers` is.

    Args:
        source: size and dirt of the cohort.
        seed: any whole number that is not negative.
    """
    courses = draw_course(source.patients, np.random.default_rng([seed, 1]))
    images: list[PlannedImage] = []
    for patient, course in enumerate(courses):
        generator = np.random.default_rng([seed, 2, patient])
        anatomy = draw_anatomy(generator)
        for visit in range(int(generator.integers(1, source.images_per_patient + 1))):
            severities = draw_severities(course, generator)
            images.append(_plan_image(source, seed, (len(images), patient, visit), anatomy, severities, generator))
    images += _plan_broken(source, seed, images)
    cells = label_cells(images, source, np.random.default_rng([seed, 3]))
    return CohortPlan(tuple(replace(image, cells=tuple(row)) for image, row in zip(images, cells, strict=True)))


def _plan_image(
    source: PhantomSource,
    seed: int,
    place: tuple[int, int, int],
    anatomy: Anatomy,
    severities: Mapping[str, float],
    generator: np.random.Generator,
) -> PlannedImage:
    index, patient, visit = place
    bedside = generator.random() < 0.15 + 0.55 * min(1.0, sum(severities.values()))
    pose = _draw_pose(generator, bedside)
    ratio = _SIDE_RATIOS[int(generator.choice(len(_SIDE_RATIOS), p=[0.4, 0.3, 0.2, 0.1]))]
    cohort = (seed, source.patients, source.images_per_patient, source.matrix)
    return PlannedImage(
        index=index,
        file=f"patient-{patient:04d}/image-{index:06d}.dcm",
        anatomy=anatomy,
        pose=pose,
        severities=severities,
        shape=(round(source.matrix * ratio[0]), round(source.matrix * ratio[1])),
        encoding=ENCODINGS[index % len(ENCODINGS)],
        examination=_draw_examination(cohort, place, anatomy, "AP" if bedside else "PA"),
        seed=(seed, 4, patient, visit),
    )


def _draw_pose(generator: np.random.Generator, bedside: bool) -> Pose:
    """Position and breath; at the bedside patients lie more crookedly and breathe in less."""
    crooked = 1.6 if bedside else 1.0
    return Pose(
        shift_x=float(np.clip(generator.normal(0, 0.009 * crooked), -0.025, 0.025)),
        shift_y=float(np.clip(generator.normal(0, 0.010), -0.02, 0.02)),
        rotation=float(np.clip(generator.normal(0, 1.2 * crooked), -4, 4)),
        zoom=generator.uniform(1.03, 1.12),
        inspiration=float(np.clip(generator.normal(-0.012 if bedside else 0.004, 0.010), -0.035, 0.02)),
        anteroposterior=bool(bedside),
    )


def _draw_examination(
    cohort: tuple[int, ...], place: tuple[int, int, int], anatomy: Anatomy, view: Literal["PA", "AP"]
) -> Examination:
    """Identity and dates, from a generator of their own."""
    index, patient, visit = place
    person = np.random.default_rng([cohort[0], 5, patient])
    first = datetime.date(2021, 1, 4) + datetime.timedelta(days=int(person.integers(1000)))
    birth = datetime.date(first.year - anatomy.age_years - 1, 1, 1) + datetime.timedelta(days=int(person.integers(364)))
    gaps = person.integers(1, 200, visit + 1)[1:]
    date = first + datetime.timedelta(days=int(gaps.sum()))
    before_birthday = (date.month, date.day) < (birth.month, birth.day)
    chance = np.random.default_rng([cohort[0], 6, index])
    return Examination(
        patient=patient,
        study_uid=derived_uid("study", *cohort, *place),
        series_uid=derived_uid("series", *cohort, *place),
        instance_uid=derived_uid("instance", *cohort, *place),
        sex=anatomy.sex,
        age_years=date.year - birth.year - int(before_birthday),
        birth_date=birth,
        date=date,
        time=datetime.time(int(chance.integers(24)), int(chance.integers(60)), int(chance.integers(60))),
        view=view,
        device=int(chance.integers(3)),
        view_code=bool(chance.random() < 0.6),
    )


def _plan_broken(source: PhantomSource, seed: int, good: list[PlannedImage]) -> list[PlannedImage]:
    """Further files of some of the patients, which are then damaged, each kind in turn."""
    broken: list[PlannedImage] = []
    for number in range(source.broken_files):
        model = good[(number * len(good)) // source.broken_files]
        place = (len(good) + number, model.examination.patient, 1000 + number)
        generator = np.random.default_rng([seed, 7, number])
        image = _plan_image(source, seed, place, model.anatomy, model.severities, generator)
        # the files that stay DICOM keep a plain encoding, so that the damage is the only thing wrong with them
        broken.append(replace(image, defect=tuple(DEFECTS)[number % len(DEFECTS)], encoding=ENCODINGS[0]))
    return broken


def label_cells(images: list[PlannedImage], source: PhantomSource, generator: np.random.Generator) -> npt.NDArray[np.str_]:
    """The label table, as readers of reports fill it: mild findings are the ones most often called uncertain.

    Returns:
        text [images, findings], "1", "0", "-1" for uncertain, "" for blank; the shares of the last two are exact
        but for rounding.
    """
    severity = np.array([[image.severities.get(name, 0.0) for name in FINDINGS] for image in images])
    present = np.array([[name in image.severities for name in FINDINGS] for image in images])
    cells = np.where(present, "1", "0").astype("<U2").ravel()
    weight = np.where(present, 1 + 6 * (1 - severity), 1.0).ravel()
    # the smallest of exponential draws, each divided by its weight: a weighted sample without replacement
    order = np.argsort(generator.exponential(size=cells.size) / weight, kind="stable")
    uncertain = round(source.uncertain * cells.size)
    cells[order[:uncertain]] = "-1"
    rest = generator.permutation(order[uncertain:])
    cells[rest[: round(source.blank * cells.size)]] = ""
    return cells.reshape(present.shape)
