"""A side of a split as the tests draw it: images on a store of their own, and a model whose maps are given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from cxr.ingest.store import ImageStore, Preprocessing, describe_store, write_shard
from cxr.labels.label_set import Label, LabelSet
from cxr.localise.side import Side
from cxr.manifest import TEXT_COLUMNS

SIZE = 32
LABELS = LabelSet(name="three", labels=(Label(name="Mass", synonyms=("Lump",)), Label(name="Effusion"), Label(name="Hernia")))


def side_of(
    folder: Path,
    codes: npt.ArrayLike,
    patients: Sequence[str] = (),
    shapes: Sequence[tuple[int, int]] = (),
    decisions: str = "{}",
    images: npt.NDArray[np.uint8] | None = None,
) -> Side:
    """Images t:0000 and so on, of `SIZE` pixels; a patient each and shape 64 x 64 where nothing else is said."""
    cells = np.asarray(codes, np.int8)
    count = len(cells)
    made = Preprocessing(SIZE, "pad", 1, 1)
    pixels = np.full((count, SIZE, SIZE), 40, np.uint8) if images is None else images
    folder.mkdir(parents=True, exist_ok=True)
    describe_store(folder, made)
    write_shard(folder, 0, list(pixels), made)
    ids = [f"t:{index:04d}" for index in range(count)]
    sizes = list(shapes) or [(64, 64)] * count
    frame = pd.DataFrame(
        {
            **dict.fromkeys(TEXT_COLUMNS, ids),
            "source_name": [f"name-{index}" for index in range(count)],
            "instance_uid": [f"1.2.{index}" for index in range(count)],
            "patient_id": list(patients) or ids,
            "decisions": decisions,
            "shard": 0,
            "row": np.arange(count),
            "height": [rows for rows, _ in sizes],
            "width": [columns for _, columns in sizes],
        }
    )
    return Side(frame, cells, LABELS, ImageStore(folder))


class Looking:
    """A model whose map of each label is that of a number of the image: the grey value of its first pixel."""

    def __init__(self, maps: npt.NDArray[np.float32]) -> None:
        self._maps = maps  # [numbers, labels, rows, columns]

    def maps(self, images: npt.NDArray[np.uint8], /) -> npt.NDArray[np.float32]:
        return self._maps[images[:, 0, 0]]
