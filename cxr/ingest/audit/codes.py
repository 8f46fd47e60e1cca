"""Which files have which code, from the texts of the `codes` column: few of them differ, so each is split once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from cxr.errors import DataError
from cxr.ingest.outcome import CODES


def files_by_code(files: pd.DataFrame) -> Iterator[tuple[str, npt.NDArray[np.bool_]]]:
    """The codes that occur, in the order of `CODES`, each with bool [files]: which rows have it.

    Args:
        files: rows of files.csv; see `cxr.ingest.audit.counts.count`.

    Raises:
        DataError: a code is none of `CODES`.
    """
    places, texts = pd.factorize(files["codes"].fillna(""))
    split = [set(str(text).split()) for text in texts]
    occurring = set().union(*split)
    if unknown := occurring - set(CODES):
        raise DataError(f"files.csv: {len(unknown)} of its codes have no meaning; the documented ones are {', '.join(CODES)}")
    for code in CODES:
        if code in occurring:
            yield code, np.array([code in codes for codes in split], np.bool_)[places]
