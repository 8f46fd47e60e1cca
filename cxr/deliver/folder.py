"""A folder as a destination: a file per object, each written whole or not at all, named by its derived UID."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from cxr.deliver.encode import encode
from cxr.deliver.receipt import Receipt
from cxr.errors import DataError


@dataclass(frozen=True)
class FolderDestination:
    """A folder; it is made where it is not there.

    Args:
        folder: where the files go.
    """

    folder: Path

    def send(self, objects: Sequence[Dataset]) -> tuple[Receipt, ...]:
        """See `cxr.deliver.receipt.Destination`; an object that is there already is written again."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for each in objects:
                kind = "report" if each.Modality == "SR" else "map"
                path = self.folder / f"{kind}-{each.SOPInstanceUID}.dcm"
                unfinished = path.with_suffix(".part")
                unfinished.write_bytes(encode(each))
                os.replace(unfinished, path)
        except OSError as error:
            raise DataError(f"{self.folder}: cannot be written: {error.strerror or type(error).__name__}") from error
        return tuple(Receipt(str(each.SOPInstanceUID)) for each in objects)
