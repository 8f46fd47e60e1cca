"""How often each text of a column occurs, as bars: the most frequent ones, the others together, those without any apart."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from cxr.errors import DataError

LONGEST = 15
"""Bars of a tally; what is rarer is counted together."""
_LETTERS = 80  # of a bar's name; a text of a header may have any length

Tally = Mapping[str, int]
"""How often each text occurs; the empty text stands for images that have none."""


@dataclass(frozen=True)
class Bar:
    """One row of a tally.

    Args:
        name: the text; escape it, for it may come from a header.
        count: images.
        share: of all images, 0 to 1.
        length: relative to the longest bar, 0 to 1.
        kind: whether `name` is a text that occurs, or stands for none or for several.
    """

    name: str
    count: int
    share: float
    length: float
    kind: Literal["text", "none", "others"] = "text"


def tally(column: pd.Series[Any]) -> Counter[str]:
    """How often each text of a column occurs; what is missing counts as empty."""
    counted = Counter({str(text): int(number) for text, number in column.value_counts().items()})
    counted[""] += len(column) - counted.total()
    return +counted


def tally_decisions(column: pd.Series[str], count: int) -> dict[str, Counter[str]]:
    """How often each decision occurs, by key; each distinct JSON text is parsed once.

    Args:
        column: the manifest's `decisions`.
        count: images; those that lack a key count as empty under it.

    Raises:
        DataError: a text is not a JSON object.
    """
    counted: defaultdict[str, Counter[str]] = defaultdict(Counter)
    distinct = column.value_counts()
    for text, number in zip(distinct.index.tolist(), distinct.tolist(), strict=True):
        for key, value in _parse(text).items():
            counted[key][str(value)] += number
    for texts in counted.values():
        texts[""] += count - texts.total()
    return dict(counted)


def merged(counted: Tally, name: Callable[[str], str]) -> Counter[str]:
    """A tally under coarser names; an empty name leaves the text out."""
    result: Counter[str] = Counter()
    for text, number in counted.items():
        result[name(text)] += number
    result.pop("", None)
    return result


def bars(counted: Tally, longest: int = LONGEST, order: Callable[[str], Any] | None = None) -> tuple[Bar, ...]:
    """The bars of a tally, from the most frequent, or by `order`; then the others, then those without a text."""
    texts = sorted((text for text in counted if text and counted[text]), key=lambda text: (-counted[text], text))
    shown = texts if len(texts) <= longest else texts[: longest - 1]
    rest = texts[len(shown) :]
    rows: list[tuple[str, int, Literal["text", "none", "others"]]] = []
    rows += [(_shortened(text), counted[text], "text") for text in (sorted(shown, key=order) if order else shown)]
    rows += [(f"{len(rest):,} others", sum(counted[text] for text in rest), "others")] if rest else []
    rows += [("(none)", counted[""], "none")] if counted.get("") else []
    total, most = sum(counted.values()) or 1, max((number for _, number, _ in rows), default=1) or 1
    return tuple(Bar(name, number, number / total, number / most, kind) for name, number, kind in rows)


def _parse(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise DataError("manifest: column 'decisions' holds a text that is not JSON") from error
    if not isinstance(value, dict):
        raise DataError("manifest: column 'decisions' holds a text that is not a JSON object")
    return value


def _shortened(text: str) -> str:
    return text if len(text) <= _LETTERS else f"{text[: _LETTERS - 1]}…"
