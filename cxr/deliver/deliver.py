"""Score studies and deliver their reports and maps, one study after the other."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from highdicom.sr import ComprehensiveSR

from cxr.deliver.capture import Capture, build_capture
from cxr.deliver.maps import MapPictures
from cxr.deliver.model import ReportedModel, read_model
from cxr.deliver.receipt import Destination, Receipt
from cxr.deliver.report import build_report
from cxr.deliver.result import FileScore, Finding, StudyResult, Undeliverable, result_of
from cxr.deliver.study import StudyFile
from cxr.errors import ConfigError
from cxr.evaluate.wording import count_text
from cxr.ingest.outcome import Refused
from cxr.labels.concepts import read_concepts
from cxr.predict.files import FileScorer

POSITIVE = "positive"


@dataclass(frozen=True)
class Delivery:
    """What became of a study.

    Args:
        study: its StudyInstanceUID; confidential.
        report: SOPInstanceUID of its report; empty where the destination has none.
        scored, left_out: images of the study.
        yes: labels that an image reaches the operating point of.
        maps: pictures at the destination, which the report refers to.
        problem: why the destination does not have all of it; empty where it has.
        radiographs: whether the study has any, so that a report was due.
        faulty: of the images left out, those that something is wrong with; the others are out of scope.
    """

    study: str
    report: str = ""
    scored: int = 0
    left_out: int = 0
    yes: tuple[str, ...] = ()
    maps: int = 0
    problem: str = ""
    radiographs: bool = True
    faulty: int = 0


class Deliverer:
    """A calibrated model file, ready to report on studies.

    Args:
        path: the model file.
        device: where to compute.
        maps: labels whose maps are delivered, or `POSITIVE` for those of an image that are a yes there.

    Raises:
        DataError: see `cxr.predict.files.FileScorer`.
        ConfigError: the model has no such label, or is an exported file.
    """

    def __init__(self, path: Path, device: torch.device, maps: Sequence[str] = ()) -> None:
        self._path, self._device = path, device
        self._model: ReportedModel = read_model(path)
        self._scorer = FileScorer(path, device)
        self._vocabulary = read_concepts()
        unknown = [name for name in maps if name not in (POSITIVE, *self._model.labels.names)]
        if unknown:
            known = ", ".join(self._model.labels.names)
            raise ConfigError(f"--maps: '{unknown[0]}' is no label of the model, which has: {known}; or write: positive")
        self._maps = tuple(maps)

    def deliver(self, studies: Sequence[tuple[StudyFile, ...]], destination: Destination) -> Iterator[Delivery]:
        """Score and deliver.

        Args:
            studies: the files of each.
            destination: where the results go.

        Yields:
            What became of each study, in their order, but those of a patient together where the probabilities are a patient's.

        Raises:
            DataError, ConfigError: the destination or the source cannot be reached; or the model has no maps.
        """
        for bundle in self._bundles(studies):
            scores = self._score([file for study in bundle for file in study])
            basis = _digest(*self._model.identity, *sorted(score.file.digest for score in scores if score.counts))
            for study in bundle:
                own = [score for score in scores if score.file.study == study[0].study]
                yield self._deliver(study[0].study, own, basis, destination)

    def _bundles(self, studies: Sequence[tuple[StudyFile, ...]]) -> list[list[tuple[StudyFile, ...]]]:
        """Studies whose files have to be scored together."""
        bundles: dict[object, list[tuple[StudyFile, ...]]] = defaultdict(list)
        for study in studies:
            own = study[0].patient if self._model.calibration.unit == "patient" else study[0].study
            bundles[own].append(study)
        return list(bundles.values())

    def _score(self, files: Sequence[StudyFile]) -> list[FileScore]:
        contents = [file.content() for file in files]
        rows = [row for _, row in self._scorer.score(contents).iterrows()]
        return [FileScore(*each) for each in zip(files, contents, rows, strict=True)]

    def _deliver(self, study: str, scores: Sequence[FileScore], basis: str, destination: Destination) -> Delivery:
        if not any(score.counts for score in scores):
            return Delivery(study, radiographs=False)
        try:
            result = result_of(scores, self._model.labels.names)
            captures = self._captures(result, {score.file.digest: score.content for score in scores}, basis)
            report = self._report(result, basis, captures)  # before anything is sent: no maps without a report
        except Undeliverable as reason:
            return Delivery(study, left_out=sum(score.counts for score in scores), problem=str(reason))
        receipts = destination.send([each.item for each in captures]) if captures else ()
        stored = [each for each, receipt in zip(captures, receipts, strict=True) if not receipt.problem]
        if len(stored) < len(captures):  # a report refers to nothing that is not there
            report = self._report(result, basis, stored)
        (last,) = destination.send([report])
        uid = "" if last.problem else str(report.SOPInstanceUID)
        images, left, faulty = len(result.images), len(result.left_out), sum(each.faulty for each in result.left_out)
        problem = _problem((*receipts, last))
        return Delivery(study, uid, images, left, _yes(result), len(stored), problem, faulty=faulty)

    def _report(self, result: StudyResult, basis: str, captures: Sequence[Capture]) -> ComprehensiveSR:
        return build_report(result, self._model, self._vocabulary, basis, captures)

    def _captures(self, result: StudyResult, contents: Mapping[str, bytes | Refused], basis: str) -> list[Capture]:
        captures: list[Capture] = []
        for place, image in enumerate(result.images):
            wanted = [number for number, finding in enumerate(image.findings) if self._wants(finding)]
            overlays = self._pictures.of(contents[image.file.digest], wanted) if wanted else []
            for label, picture in zip(wanted, overlays, strict=True):
                number = place * len(image.findings) + label + 1  # of a label the same, whichever maps are wanted
                captures.append(build_capture(image, image.findings[label], picture, self._model, number, basis))
        return captures

    def _wants(self, finding: Finding) -> bool:
        return finding.label in self._maps or (POSITIVE in self._maps and finding.yes is True)

    @cached_property
    def _pictures(self) -> MapPictures:
        return MapPictures(self._path, self._device)


def _problem(receipts: Sequence[Receipt]) -> str:
    """What the destination does not have: of the maps, and of the report, which is sent last."""
    *maps, last = receipts
    refused = [receipt.problem for receipt in maps if receipt.problem]
    told = [f"{len(refused)} of {count_text(len(maps), 'map')} refused, and not in the report: {refused[0]}"] if refused else []
    return "; ".join([*told, *([f"the report is refused: {last.problem}"] if last.problem else [])])


def _yes(result: StudyResult) -> tuple[str, ...]:
    """Labels that any image reaches the operating point of, in their order."""
    found = {finding.label: None for image in result.images for finding in image.findings if finding.yes}
    return tuple(finding.label for finding in result.images[0].findings if finding.label in found)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
