"""What `python -m monai.bundle run` runs: files through a bundle, a row of the answer for each of them."""

from __future__ import annotations

import csv
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from cxr.bundle.transforms import NotScoredError
from cxr.errors import CxrError
from cxr.ingest.outcome import FileOutcome
from cxr.predict.files import ABOUT, answer_columns

ANSWER = "answer.csv"
"""Name of the answer in the folder `output_dir`."""
_LOG = logging.getLogger(__name__)
_Row = dict[str, Any]
_Data = Mapping[str, Any]


class Composed(Protocol):
    """What is used of `monai.transforms.Compose`."""

    transforms: Sequence[Callable[[_Data], _Data]]


class DataSet(Protocol):
    """What is used of `monai.data.Dataset`."""

    data: Sequence[_Data]
    transform: Composed


@dataclass(frozen=True, eq=False)
class FileEvaluator:
    """A bundle's network, its transforms, and the files to score.

    Args:
        dataset: of items with the key "image", a `cxr.bundle.stored.StoredFile`; its transform is the preprocessing.
        network: gives float64 [batch, labels] for float32 [batch, 1, size, size].
        inferer: calls the network, as MONAI's inferers do.
        postprocessing: takes what the network gives under the key "pred".
        device: where to compute.
        labels: names, in the order of the outputs.
        calibrated: whether outputs are probabilities, with yes or no; else scores.
        output_dir: the folder of the answer; it is made where it is missing.
    """

    dataset: DataSet
    network: torch.nn.Module
    inferer: Callable[..., torch.Tensor]
    postprocessing: Callable[[_Data], _Data]
    device: torch.device
    labels: Sequence[str]
    calibrated: bool
    output_dir: str

    def run(self) -> None:
        """Score all files and write `ANSWER`: a row per file, with numbers or with the reason why there are none.

        The file appears whole or not at all. Its columns are `file`, those of `cxr.predict.files.answer_columns`, and without
        calibration `score/` and the label's name instead of probability and yes or no.

        Raises:
            DataError: the files cannot be reached, or there are no probabilities.
            CxrError: the answer cannot be written.
        """
        self.network.eval()
        rows = [self._row(number, item) for number, item in enumerate(self.dataset.data, start=1)]
        path = Path(self.output_dir) / ANSWER
        _write(path, self._columns(), rows)
        without = sum(not row["scored"] for row in rows)
        tell = _LOG.warning if without else _LOG.info
        tell("%d of %d files scored; %s says which are not, and why", len(rows) - without, len(rows), path)

    def _columns(self) -> tuple[str, ...]:
        if self.calibrated:
            return ("file", *answer_columns(self.labels))
        return ("file", *ABOUT, *(f"score/{name}" for name in self.labels))

    def _row(self, number: int, item: _Data) -> _Row:
        try:
            data = self._read(item)
        except NotScoredError as error:
            return {"scored": False, **_about(number, item, (error.refused.code,), error.refused.detail)}
        return {"scored": True, **_about(number, item, data["image_codes"]), **self._numbers(data)}

    def _read(self, item: _Data) -> _Data:
        # one by one: MONAI's Compose logs the name of a file that a transform does not take
        for transform in self.dataset.transform.transforms:
            item = transform(item)
        return item

    def _numbers(self, data: _Data) -> _Row:
        with torch.inference_mode():
            images = data["image"].as_tensor()[None].to(self.device)
            found = self.postprocessing({**data, "pred": self.inferer(images, self.network)[0].cpu()})
        values = dict(zip(self.labels, found["pred"].tolist(), strict=True))
        if not self.calibrated:
            return {f"score/{name}": value for name, value in values.items()}
        return {**values, **{f"yes/{name}": yes for name, yes in found["decisions"].items()}}


def _about(number: int, item: _Data, codes: tuple[str, ...], detail: str = "") -> _Row:
    name = item["image"].name.encode("utf-8", "backslashreplace").decode()
    outcome = FileOutcome(number, name, codes, detail)
    return dict(zip(("file", *ABOUT), (name, outcome.outcome, " ".join(codes), outcome.sentence), strict=True))


def _write(path: Path, columns: Sequence[str], rows: Sequence[_Row]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _appearing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, columns, extrasaction="ignore")
            table.writeheader()
            table.writerows(rows)
    except OSError as error:
        raise CxrError(f"{path}: cannot be written: {error.strerror}") from error


@contextmanager
def _appearing(path: Path) -> Iterator[Path]:
    """A file to write that appears under its name when all went well, and leaves nothing where not."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
