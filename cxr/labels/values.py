"""The values of a label cell: four from ingest to evaluation, and a fifth, blank, that only a table has."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int8]
"""int8 codes of label cells, 0 to 3 as in `VALUES`; of a table's cells as read also `BLANK`."""

NEGATIVE, POSITIVE, UNCERTAIN, UNKNOWN = 0, 1, 2, 3
"""Codes of the four values of a label cell; those of negative and positive are the target values."""
VALUES = ("0", "1", "uncertain", "unknown")
"""The four values as they are written in tables; the position is the code."""
BLANK = 4
"""A cell of a table that says nothing. The label set settles once whether that is unknown or negative."""
