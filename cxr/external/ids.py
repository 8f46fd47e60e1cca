"""Two tables joined by the ids of their images, however each writes them: as a name, a file, a path.

Ids are compared as they stand; then as paths without the ending of an image file, whole, and by their last four, three, two
parts or the last one. The way that joins most rows counts, and of equals the strictest; only one under which all rows of
both tables stay distinct may be taken. A \\ in a path is read as /.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
import numpy.typing as npt
import pandas as pd

from cxr.errors import DataError
from cxr.ingest.table.layout import FindingsInColumns, TableFormat

EXAMPLES = 5
"""Ids that are named of those left out."""
_PARTS = (99, 4, 3, 2, 1)


@dataclass(frozen=True, eq=False)
class Ids:
    """The ids of one table.

    Args:
        table: what the table is called in messages: its file.
        column: the column of the ids.
        texts: the ids, without spaces around them.
        rows: int64 [rows], the number of each row in messages.
    """

    table: str
    column: str
    texts: pd.Series[str]
    rows: npt.NDArray[np.int64]

    def check(self) -> None:
        """Refuse ids that are blank or stand twice, whether or not the rest of their rows is equal.

        Raises:
            DataError: names the rows.
        """
        blank = (self.texts == "").to_numpy()
        if blank.any():
            raise DataError(f"{self.table}: row {self.rows[blank.argmax()]}: '{self.column}' is blank; every row needs an id")
        twice = self.repeated(self.texts)
        if twice:
            raise DataError(f"{self.table}: image {twice}; an image stands once")

    def repeated(self, texts: pd.Series[str]) -> str:
        """Like "'a.png' stands twice, in rows 2 and 9": the first of these texts, one a row, that does; empty if none does."""
        again = texts.duplicated().to_numpy()
        if not again.any():
            return ""
        second = int(again.argmax())
        first = int((texts == texts.iloc[second]).to_numpy().argmax())
        more = f" ({int(again.sum())} such rows in all)" if again.sum() > 1 else ""
        return f"'{texts.iloc[second]}' stands twice, in rows {self.rows[first]} and {self.rows[second]}{more}"


@dataclass(frozen=True)
class LeftOut:
    """Rows of one table that the other one does not have.

    Args:
        count: how many.
        examples: the ids of the first of them, in the order of the table.
    """

    count: int
    examples: tuple[str, ...]

    def __str__(self) -> str:
        return ", ".join(self.examples) + (" ..." if self.count > len(self.examples) else "")


@dataclass(frozen=True, eq=False)
class Join:
    """Which rows of two tables are of one image.

    Args:
        left, right: int64 [common rows], their places in the two tables, in the order of the left one.
        way: how the ids were compared, in words; empty where they are equal as they stand.
        only_left, only_right: the rows without a partner.
    """

    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    way: str
    only_left: LeftOut
    only_right: LeftOut


def join_ids(left: Ids, right: Ids) -> Join | None:
    """Join two tables.

    Returns:
        The join; None where no id of one table is one of the other.

    Raises:
        DataError: ids that join are blank or stand twice in a table, or only parts of paths that do not tell images apart join.
    """
    best: _Matched | None = None
    unclear: _Matched | None = None
    for words, way in _ways(left, right):
        found = _match(left, right, words, way)
        if found.distinct and (best is None or found.count > best.count):
            best = found
        if not found.distinct and found.count and unclear is None:
            unclear = found
        if best is not None and best.count == min(len(left.texts), len(right.texts)):
            break
    if best is not None and best.count:
        return _joined(left, right, best)
    if unclear is not None:
        _refuse_unclear(left, right, unclear)
    return None


@dataclass(frozen=True, eq=False)
class _Matched:
    words: str
    left: pd.Series[str]
    right: pd.Series[str]
    count: int
    distinct: bool


def _ways(*tables: Ids) -> Iterator[tuple[str, Callable[[str], str]]]:
    yield "", str
    paths = any(sign in text for ids in tables for text in ids.texts.tolist() for sign in "/\\")
    for parts in _PARTS if paths else _PARTS[:1]:
        layout = TableFormat(key="id", key_is="path", key_parts=parts, findings=FindingsInColumns(layout="columns"))
        end = "" if parts == _PARTS[0] else f", by its last {'part' if parts == 1 else f'{parts} parts'}"
        yield f"as a path without the ending of an image file{end}", layout.key_of


def _match(left: Ids, right: Ids, words: str, way: Callable[[str], str]) -> _Matched:
    ours, theirs = (_written(ids.texts, way) if words else ids.texts for ids in (left, right))
    one, other = set(ours.tolist()), set(theirs.tolist())
    count = len((one & other) - {""})
    return _Matched(words, ours, theirs, count, len(one) == len(ours) and len(other) == len(theirs))


def _written(texts: pd.Series[str], way: Callable[[str], str]) -> pd.Series[str]:
    return pd.Series([way(text.replace("\\", "/")) for text in texts.tolist()], index=texts.index, dtype="str")


def _joined(left: Ids, right: Ids, matched: _Matched) -> Join:
    for ids in (left, right):
        ids.check()
    places = pd.Index(matched.right).get_indexer(pd.Index(matched.left))
    ours = np.flatnonzero(places >= 0)
    theirs = places[ours]
    alone = np.setdiff1d(np.arange(len(right.texts)), theirs)
    return Join(
        left=ours.astype(np.int64),
        right=theirs.astype(np.int64),
        way=matched.words,
        only_left=_left_out(left.texts, np.flatnonzero(places < 0)),
        only_right=_left_out(right.texts, alone),
    )


def _left_out(texts: pd.Series[str], places: npt.NDArray[np.intp]) -> LeftOut:
    return LeftOut(len(places), tuple(texts.iloc[places[:EXAMPLES]]))


def _refuse_unclear(left: Ids, right: Ids, matched: _Matched) -> NoReturn:
    for ids in (left, right):
        ids.check()
    ids, twice = next((i, t) for i, w in ((left, matched.left), (right, matched.right)) if (t := i.repeated(w)))
    raise DataError(
        f"{left.table} and {right.table}: ids agree only {matched.words}, and so {twice} of {ids.table}; "
        "write the ids of both tables alike"
    )
