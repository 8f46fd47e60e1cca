"""What `cxr predict` does with files: list, read, score, combine, draw, write."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from cxr import __version__
from cxr.errors import DataError
from cxr.ingest.deidentify import Pseudonyms
from cxr.predict.columns import Columns
from cxr.predict.inputs import Input
from cxr.predict.ledger import Ledger
from cxr.predict.networks import Networks, Scorer
from cxr.predict.pictures import Drawing, Drawn
from cxr.predict.read import Kind, preprocessing_of
from cxr.predict.reading import Listed, Reading, read_batches
from cxr.predict.wanted_maps import WantedMaps, appearing_folder, labels_of
from cxr.predict.writing import write_answer
from cxr.stage import Progress

FEW = 64
"""Files up to which worker processes cost more time than they save."""
_WORKERS = 2
_UNSEEN = "dicomdir"
"""Code of what is no image in any respect: that it has no number is no failure."""


@dataclass(frozen=True)
class Asked:
    """What a user asks for.

    Args:
        inputs: what to score.
        kind: what the files are.
        out: where the answer goes; see `cxr.predict.writing.write_answer`.
        pseudonyms: under which names files and studies are told; None for their own.
        batch: images that are scored together.
        workers: processes that read; 0: this one; None: this one for a few files, else two.
        maps: which disease maps are to be drawn; None for none.
    """

    inputs: tuple[Input, ...]
    kind: Kind
    out: Path
    pseudonyms: Pseudonyms | None = None
    batch: int = 16
    workers: int | None = None
    maps: WantedMaps | None = None


@dataclass(frozen=True)
class Summary:
    """What became of the files.

    Args:
        files, scored: how many there are, and how many have numbers.
        studies, studies_scored: the same of studies; 0 for plain images.
        reasons: how many files have no number, by code.
        shared: studies whose StudyInstanceUID stands in files of several patients.
        twice: files that the wide network of a cascade scored again; None without a cascade.
        written: the files of the answer, see `cxr.predict.writing.write_answer`.
        drawn: what became of the maps; None where none are wanted.
    """

    files: int
    scored: int
    studies: int
    studies_scored: int
    reasons: dict[str, int]
    shared: int
    twice: int | None
    written: Mapping[str, Path] = field(default_factory=dict)
    drawn: Drawn | None = None

    @property
    def complete(self) -> bool:
        """Whether every file has numbers that can have some, and the pictures that are wanted of it."""
        return not set(self.reasons) - {_UNSEEN} and not (self.drawn is not None and self.drawn.left_out)


def predict_files(asked: Asked, networks: Networks, model: Path, progress: Progress) -> Summary:
    """Score files, draw maps, and write the answer.

    Args:
        asked: see there.
        networks: what scores.
        model: the file that they are from, for the answer to name it.
        progress: told after each batch.

    Raises:
        DataError: the inputs hold no file, or cannot be reached; or maps are wanted, and the model has none.
        ConfigError: maps are wanted of a label that the model does not have.
        CxrError: the answer or the pictures cannot be written.
    """
    card, about = networks.first.card, _about(networks, model)
    columns = Columns(card.labels.names, networks.calibration, asked.inputs, asked.pseudonyms)
    labels = None if asked.maps is None else labels_of(asked.maps, networks)
    with closing(Ledger()) as ledger, ExitStack() as appearing:
        total = ledger.enlist(asked.inputs)
        if not total:
            raise DataError("the inputs hold no file")
        scoring = _Scoring(asked, ledger, progress, total, _reading(asked, networks))
        scoring.score(networks.first, ledger.waiting(asked.batch), "files read and scored")
        twice = scoring.again(networks) if networks.second is not None else None
        rows, drawn = ledger.combine(networks.calibration), None
        if asked.maps is not None:
            folder = appearing.enter_context(appearing_folder(asked.maps.folder))
            drawn = scoring.draw(Drawing(labels, networks, columns, rows, about, folder))
        of_dicom = asked.kind == "dicom"
        written = write_answer(asked.out, rows, columns, about, studies=of_dicom)
        reasons, studies = rows.reasons(), rows.study_counts() if of_dicom else (0, 0)
        scored = total - sum(reasons.values())
        return Summary(total, scored, *studies, reasons, rows.shared_studies(), twice, written, drawn)


@dataclass(frozen=True)
class _Scoring:
    asked: Asked
    ledger: Ledger
    progress: Progress
    total: int
    reading: Reading

    def score(self, network: Scorer, files: Iterator[tuple[Listed, ...]], text: str, total: int | None = None) -> None:
        """Read and score files, and keep what became of them; with a total, those that are scored again."""
        done = self.ledger.known if total is None else 0
        for batch in read_batches(files, self.reading, self._workers):
            labels = len(network.card.labels.names)
            scores = network.probabilities(batch.images) if len(batch.images) else np.zeros((0, labels))
            self.ledger.keep(batch, scores, again=total is not None)
            done += len(batch.read)
            self.progress(done, total or self.total, text)

    def again(self, networks: Networks) -> int:
        """Have the studies of which the narrow network is unsure scored by the wide one; how many files that are."""
        from cxr.predict.cascade import goes_on

        assert networks.second is not None
        assert networks.cascade is not None
        numbers, studies, scores = self.ledger.scores()
        if not len(numbers):
            return 0
        chosen = numbers[goes_on(networks.cascade, scores, studies)].tolist()
        self.score(networks.second, self._named(chosen), "files scored again by the wide network", len(chosen))
        return len(chosen)

    def draw(self, drawing: Drawing) -> Drawn:
        """Have the maps of the scored files drawn."""
        return drawing.draw(self.reading, self._workers, self.asked.batch, self.progress)

    @property
    def _workers(self) -> int:
        return self.asked.workers if self.asked.workers is not None else _WORKERS * (self.total > FEW)

    def _named(self, numbers: list[int]) -> Iterator[tuple[Listed, ...]]:
        waiting = iter(numbers)
        while batch := list(islice(waiting, self.asked.batch)):
            yield self.ledger.named(batch)


def _reading(asked: Asked, networks: Networks) -> Reading:
    return Reading(tuple(each.files for each in asked.inputs), asked.kind, preprocessing_of(networks.first.card))


def _about(networks: Networks, model: Path) -> dict[str, Any]:
    """What the answer says of the model."""
    card, calibration = networks.first.card, networks.calibration
    with model.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    about = {
        "file": model.name,
        "sha256": digest,
        "run": card.run_id,
        "backbone": card.model.backbone,
        "label_set": card.labels.name,
        "network": networks.words,
        "cxr": __version__,
    }
    if calibration is None:
        return {**about, "calibrated": False}
    point = calibration.config.points[0].name
    told = {"unit": calibration.unit, "combine": calibration.combine, "operating_point": point}
    return {**about, "calibrated": True, "not_calibrated": calibration.unscaled, **told}
