"""DICOM files in, a row of probabilities and decisions per file out; what is not scored has no number, but a reason.

Probabilities hold for what the calibration was fitted to. Where that is studies or patients, the scores of a study's or
patient's files are combined first, as they were then, and its files share the result: all of them must be given together.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cxr.calibrate.calibration import Calibration
from cxr.errors import DataError
from cxr.ingest.outcome import FileOutcome, Refused
from cxr.labels.values import POSITIVE, UNKNOWN
from cxr.model.card import ModelCard, read_card
from cxr.predict.read import File, Origin, Picture, preprocessing_of, read_picture

if TYPE_CHECKING:
    import pandas as pd
    import torch

ABOUT = ("outcome", "codes", "reason")
"""The columns that say what became of a file."""
_BATCH = 16
_Floats = npt.NDArray[np.float64]


class FileScorer:
    """A calibrated model file, ready to score DICOM files.

    Args:
        path: the model file; of a stacked model the network that was calibrated is run.
        device: where to compute.

    Raises:
        DataError: no model file; one without calibration, or whose calibration is of a cascade; one that needs images as this
            version does not make them; or a label has the name of a column of the answer.
    """

    def __init__(self, path: Path, device: torch.device) -> None:
        from cxr.predict.predictor import Predictor  # torch, which who only asks for columns need not wait for

        card = read_card(path)
        self._calibration = calibration_of(card, path)
        self._predictor = Predictor(path, device, network_of(self._calibration))
        self._preprocessing = preprocessing_of(card)
        self._predictor.check_preprocessing(self._preprocessing)
        self._point = self._calibration.config.points[0].name
        self._columns = answer_columns(card.labels.names)

    def score(self, files: Sequence[File]) -> pd.DataFrame:
        """Score files.

        Args:
            files: see `File`; any number, in any order.

        Returns:
            A row per file, in their order, with `ABOUT`: outcome, codes (separated by spaces) and reason, of
            `cxr.ingest.outcome`; then per label its name: calibrated probability, float64 in [0, 1], NaN where the file is not
            taken; then per label "yes/" and its name: whether that reaches the first operating point, boolean, NA where the
            file is not taken or the label has no such point.
        """
        read: list[Origin | Refused] = []
        scores = [np.zeros((0, len(self._predictor.labels.names)))]
        for start in range(0, len(files), _BATCH):
            batch = [self._read(file) for file in files[start : start + _BATCH]]
            pictures = [each for each in batch if isinstance(each, Picture)]
            if pictures:
                scores.append(self._predictor.probabilities(np.stack([picture.image for picture in pictures])))
            read += [each.origin if isinstance(each, Picture) else each for each in batch]
        return self._table(read, np.concatenate(scores))

    def _read(self, file: File) -> Picture | Refused:
        try:
            return read_picture(file, self._preprocessing)
        except Refused as refused:
            return refused

    def _table(self, read: Sequence[Origin | Refused], scores: _Floats) -> pd.DataFrame:
        import pandas as pd

        names = self._predictor.labels.names
        taken = [place for place, each in enumerate(read) if isinstance(each, Origin)]
        combined = _by_unit(scores, [each for each in read if isinstance(each, Origin)], self._calibration)
        probabilities = np.full((len(read), len(names)), np.nan)
        probabilities[taken] = self._calibration.apply(combined, names)
        codes = np.full(probabilities.shape, UNKNOWN)
        codes[taken] = self._calibration.decide(probabilities[taken], names, self._point)
        yes = pd.DataFrame(codes == POSITIVE).astype("boolean").mask(codes == UNKNOWN)
        about = pd.DataFrame(
            [_about(number, each) for number, each in enumerate(read, start=1)], columns=list(ABOUT), dtype=str
        )
        table = pd.concat([about, pd.DataFrame(probabilities), yes], axis=1)
        table.columns = pd.Index(self._columns)
        return table


def answer_columns(names: Sequence[str]) -> tuple[str, ...]:
    """The columns that `FileScorer.score` gives for labels.

    Raises:
        DataError: a label has the name of another column.
    """
    columns = (*ABOUT, *names, *(f"yes/{name}" for name in names))
    twice = next((name for name in names if columns.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"label '{twice}' has the name of a column of the scores of files; rename the label")
    return columns


def calibration_of(card: ModelCard, path: Path) -> Calibration:
    """The calibration of a model file.

    Raises:
        DataError: it has none.
    """
    if card.calibration is None:
        raise DataError(f"{path}: has no calibration; give the model file that the stage calibrate writes")
    return card.calibration


def network_of(calibration: Calibration) -> int | None:
    """The number of attention heads of the network that was calibrated; None where the model has but one network.

    Raises:
        DataError: it is a cascade, which a model file alone cannot run.
    """
    if not calibration.network:
        return None
    single = re.fullmatch(r"(\d+) of \d+ attention heads", calibration.network)  # as `cxr.predict.stacked` says it
    if single is None:
        raise DataError(
            f"the model was calibrated as a {calibration.network}, which its file alone cannot run; "
            "set predict.heads instead of predict.cascade for a model that is to score files"
        )
    return int(single[1])


def _about(number: int, read: Origin | Refused) -> tuple[str, str, str]:
    codes, detail = (read.codes, "") if isinstance(read, Origin) else ((read.code,), read.detail)
    outcome = FileOutcome(number, "", codes, detail)
    return outcome.outcome, " ".join(codes), outcome.sentence


def _by_unit(scores: _Floats, origins: Sequence[Origin], calibration: Calibration) -> _Floats:
    """Scores of each file's image, study or patient, float64 [files, labels]; copies of an image count once."""
    import pandas as pd

    if calibration.unit == "image" or not origins:
        return scores
    whose = [each.identity for each in origins]
    units = [(each.patient, each.study if calibration.unit == "study" else "") for each in whose]
    numbers, _ = pd.factorize(pd.Series(units))
    distinct = pd.DataFrame(scores).groupby([numbers, np.array([each.digest for each in origins])]).first()
    combined = distinct.groupby(level=0).agg(calibration.combine)
    return combined.to_numpy()[numbers]
