"""What the model found in one study, image by image, and what of the study it did not look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import pandas as pd
from pydicom.dataset import Dataset

from cxr.deliver.study import StudyFile, header_of
from cxr.ingest.outcome import TAKEN, Refused

OTHER_OBJECTS = ("modality", "not-an-image", "dicomdir", "colour")
"""Codes of objects that are no radiographs, as results of an earlier delivery: a report says nothing of them."""


class Undeliverable(Exception):  # noqa: N818 (no error of the program: one study has no report)
    """A study cannot be reported; the text says why and names no patient."""


@dataclass(frozen=True)
class Finding:
    """One label of one image.

    Args:
        label: its name.
        probability: calibrated, in [0, 1].
        yes: whether it reaches the operating point; None where the label has none.
    """

    label: str
    probability: float
    yes: bool | None


@dataclass(frozen=True, eq=False)
class ScoredImage:
    """An image that was scored.

    Args:
        header: of its file.
        file: where its pixels are.
        findings: in the order of the labels.
        remark: what was corrected or is odd, in words; empty for an image taken as it is.
        upright: whether its header tells how it lies, so that the model sees it upright.
    """

    header: Dataset
    file: StudyFile
    findings: tuple[Finding, ...]
    remark: str
    upright: bool

    @property
    def uid(self) -> str:
        """SOPInstanceUID."""
        return str(self.header.SOPInstanceUID)


@dataclass(frozen=True, eq=False)
class LeftOut:
    """A radiograph of the study that was not scored.

    Args:
        header: of its file; None where the file could be read no more.
        reason: in words.
        faulty: whether something is wrong with it, so that the report is not complete; not so of what is out of scope.
    """

    header: Dataset | None
    reason: str
    faulty: bool


@dataclass(frozen=True, eq=False)
class StudyResult:
    """A study with at least one scored image.

    Args:
        images: by instance UID.
        left_out: the radiographs that were not scored.
    """

    images: tuple[ScoredImage, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def study(self) -> str:
        """StudyInstanceUID."""
        return str(self.images[0].header.StudyInstanceUID)


@dataclass(frozen=True, eq=False)
class FileScore:
    """A file and its row of `cxr.predict.files.FileScorer.score`.

    Args:
        file: see there.
        content: as it was scored.
        row: outcome, codes, reason, and per label the probability and "yes/<label>".
    """

    file: StudyFile
    content: bytes | Refused
    row: pd.Series

    @property
    def counts(self) -> bool:
        """Whether it is a radiograph, or might be one."""
        return not set(str(self.row["codes"]).split()) & set(OTHER_OBJECTS)


def result_of(scores: Sequence[FileScore], labels: Sequence[str]) -> StudyResult:
    """Bring the files of a study together.

    Args:
        scores: of the files of one study.
        labels: names, in the order of the report.

    Raises:
        Undeliverable: no image was scored, or the files contradict each other about whose they are.
    """
    radiographs = [score for score in scores if score.counts]
    if len({score.file.patient for score in radiographs}) > 1:
        raise Undeliverable("its files name different patients (PatientID)")
    images = [_image(score, labels) for score in radiographs if score.row["outcome"] in TAKEN]
    left_out = [_left_out(score) for score in radiographs if score.row["outcome"] not in TAKEN]
    if not images:
        reasons = "; ".join(sorted({each.reason for each in left_out}))
        raise Undeliverable(f"no image was scored: {reasons or 'there is no radiograph'}")
    if _twice(image.uid for image in images):
        raise Undeliverable("two of its images have the same SOPInstanceUID and are not the same")
    return StudyResult(tuple(sorted(images, key=lambda image: image.uid)), tuple(left_out))


def _image(score: FileScore, labels: Sequence[str]) -> ScoredImage:
    assert isinstance(score.content, bytes)
    header = header_of(score.content)
    findings = tuple(Finding(name, float(score.row[name]), _decision(score.row[f"yes/{name}"])) for name in labels)
    codes = str(score.row["codes"]).split()
    upright = bool(header.get("PatientOrientation")) and "orientation-unclear" not in codes
    return ScoredImage(header, score.file, findings, str(score.row["reason"]) if codes else "", upright)


def _decision(cell: object) -> bool | None:
    return None if cell is pd.NA else bool(cell)


def _left_out(score: FileScore) -> LeftOut:
    header = None
    if isinstance(score.content, bytes):
        try:
            header = header_of(score.content)
        except Refused:  # changed since its study was found; the row has the reason
            header = None
    return LeftOut(header, str(score.row["reason"]), score.row["outcome"] != "skipped")


def _twice(values: Iterable[Hashable]) -> bool:
    return any(count > 1 for count in Counter(values).values())
