"""Disease maps of scored files, a picture each in a folder of their own, and a table that says what each picture is of.

They are drawn when all scores are known, since a yes may depend on other files of the study: the files are read once more.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cxr.predict.columns import Columns, Said
from cxr.predict.networks import Networks, Scorer
from cxr.predict.read import Origin
from cxr.predict.reading import Batch, Listed, Reading, read_batches
from cxr.predict.rows import FileRow, Rows
from cxr.stage import Progress

INDEX = "index.csv"
_OF_FILE = ("number", "file", "study_uid", "instance_uid")
_ROWS = 256
"""Files that are looked at together."""
_LONGEST = 60
"""Letters of a label's name in the name of a picture."""
_CHANGED = "not drawn: the file is not the one that was scored, or cannot be read any more"


@dataclass(frozen=True)
class Drawn:
    """What became of it.

    Args:
        pictures: how many there are.
        left_out: files that were scored, and could not be read again as they were.
    """

    pictures: int
    left_out: int


def picture_words(names: Sequence[str]) -> dict[str, str]:
    """For each label what stands for it in the names of pictures: plain letters and digits, different for each."""
    words = [re.sub(r"[^A-Za-z0-9]+", "_", name[:_LONGEST]).strip("_") for name in names]
    if "" in words or len({word.lower() for word in words}) < len(words):
        words = [f"{place}_{word}".strip("_") for place, word in enumerate(words, start=1)]
    return dict(zip(names, words, strict=True))


@dataclass(frozen=True)
class _File:
    """A scored file of which there are pictures: its row, and what is said of the labels that are drawn."""

    row: FileRow
    said: Mapping[str, Said]


@dataclass(frozen=True)
class Drawing:
    """What is drawn of what.

    Args:
        labels: from `cxr.predict.wanted_maps.labels_of`.
        networks: the ones that scored; a file's maps are those of the network that gave its score.
        columns: of the answer.
        rows: what became of the files.
        about: what the answer says of the model.
        folder: an empty one.
    """

    labels: tuple[str, ...] | None
    networks: Networks
    columns: Columns
    rows: Rows
    about: Mapping[str, Any]
    folder: Path
    _left_out: set[int] = field(default_factory=set, init=False)

    def draw(self, reading: Reading, workers: int, batch: int, progress: Progress) -> Drawn:
        """Write the pictures and `INDEX`.

        Args:
            reading, workers: as in `cxr.predict.reading.read_batches`.
            batch: images that the network is shown together.
            progress: told after each batch.

        Raises:
            DataError: an input cannot be reached any more.
            OSError: the folder cannot be written to.
        """
        total, done = sum(1 for _ in self._files()), 0
        for network, again in ((self.networks.first, False), (self.networks.second, True)):
            if network is None:
                continue
            waiting: dict[int, _File] = {}  # those that are being read
            for read in read_batches(self._batches(again, batch, waiting), reading, workers):
                self._draw_batch(network, read, waiting)
                done += len(read.read)
                progress(done, total, "files whose maps are drawn")
        return Drawn(self._write_index(self.folder / INDEX), len(self._left_out))

    def _files(self) -> Iterator[_File]:
        for rows in self.rows.files(_ROWS):
            for row, said in zip(rows, self.columns.said_of_files(rows), strict=True):
                chosen = {name: each for name, each in (said or {}).items() if self._is_wanted(name, each)}
                if row.own is not None and chosen:
                    yield _File(row, chosen)

    def _is_wanted(self, name: str, said: Said) -> bool:
        return bool(said.yes) if self.labels is None else name in self.labels

    def _batches(self, again: bool, size: int, waiting: dict[int, _File]) -> Iterator[tuple[Listed, ...]]:
        batch: list[Listed] = []
        for file in self._files():
            if file.row.again != again:
                continue
            waiting[file.row.outcome.number] = file
            batch.append(Listed(file.row.outcome.number, file.row.source, file.row.name))
            if len(batch) == size:
                yield tuple(batch)
                batch = []
        if batch:
            yield tuple(batch)

    def _draw_batch(self, network: Scorer, batch: Batch, waiting: dict[int, _File]) -> None:
        maps = iter(network.maps(batch.images)) if len(batch.images) else iter(())
        images = iter(batch.images)
        for number, found in batch.read:
            file = waiting.pop(number)
            if isinstance(found, Origin):
                image, of_image = next(images), next(maps)
                if found.digest == file.row.digest:
                    self._draw_file(file, image, of_image)
                    continue
            self._left_out.add(number)

    def _draw_file(self, file: _File, image: npt.NDArray[np.uint8], maps: npt.NDArray[np.float32]) -> None:
        import cv2

        from cxr.predict.legend import plate
        from cxr.predict.maps import on_image

        for name, said in file.said.items():
            attention = on_image(maps[self.columns.names.index(name)], len(image))
            picture = plate(image, attention, self._lines(file.row.outcome.number, name, said))
            _, encoded = cv2.imencode(".png", picture[..., ::-1])  # it takes blue first
            (self.folder / self._picture(file.row, name)).write_bytes(encoded.tobytes())

    def _picture(self, row: FileRow, name: str) -> str:
        return f"{row.outcome.number:06d}_{picture_words(self.columns.names)[name]}.png"

    def _lines(self, number: int, name: str, said: Said) -> tuple[str, str]:
        if self.columns.calibration is None:
            told = f"{name}: score {said.value:.3f}, not calibrated"
        else:
            unit = self.columns.calibration.unit
            whose = "" if unit == "image" else f" of the {unit}"
            threshold = self.columns.thresholds[name]
            decided = "" if threshold is None else f", {'yes' if said.yes else 'no'} (threshold {threshold:.3f})"
            word = "score, not calibrated," if name in self.columns.calibration.unscaled else "probability"
            told = f"{name}: {word}{whose} {said.value:.3f}{decided}"
        network = f", {self.networks.words}" if self.networks.words else ""
        return told, f"file {number} of the answer; model {self.about['sha256'][:8]}, run {self.about['run'][:8]}{network}"

    def _write_index(self, path: Path) -> int:
        """A row for each picture, in the order of the answer; how many there are."""
        value = "score" if self.columns.calibration is None else "probability"
        pictures = 0
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow((*_OF_FILE, "label", value, "yes", "threshold", "network", "picture", "reason"))
            for each in self._files():
                drawn = each.row.outcome.number not in self._left_out
                pictures += len(each.said) * drawn
                writer.writerows(self._index_row(each.row, name, said, drawn) for name, said in each.said.items())
        return pictures

    def _index_row(self, row: FileRow, name: str, said: Said, drawn: bool) -> tuple[object, ...]:
        about = self.columns.file_about(row)
        of_file = (about[column] for column in _OF_FILE)
        which = ("wide" if row.again else "narrow") if self.networks.second is not None else ""
        picture, reason = (self._picture(row, name), "") if drawn else ("", _CHANGED)
        return (*of_file, name, said.value, said.yes, self.columns.thresholds[name], which, picture, reason)
