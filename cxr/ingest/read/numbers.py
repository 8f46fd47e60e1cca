"""Numbers of a header, which may be absent, single, several, or no numbers at all."""

from __future__ import annotations

import math
from typing import Any

from pydicom.dataset import Dataset


def numbers(header: Dataset, name: str) -> list[float]:
    """The values of an attribute, none where it is absent or empty; one that is no number becomes NaN."""
    value: Any = header.get(name)
    if value is None or value == "":
        return []
    return [_number(part) for part in (value if isinstance(value, list) or hasattr(value, "append") else [value])]


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def known_word(text: object, words: tuple[str, ...]) -> str:
    """A word of the standard; any other text of the header must not reach a table, for it may say anything."""
    word = str(text or "").strip().upper()
    return word if word in words else "of another kind"
