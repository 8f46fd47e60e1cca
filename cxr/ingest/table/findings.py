"""What the cells of a label table say of each finding. Cells are compared whole, never searched for a name.

Findings in one column are split at the separator first, so that no name is ever found inside another.
"""

from __future__ import annotations

import ast
import difflib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from itertools import repeat

import numpy as np

from cxr.errors import ConfigError, DataError
from cxr.ingest.table.csvfile import Batch, CsvFile
from cxr.ingest.table.layout import Findings, FindingsAsClasses, FindingsInColumns, FindingsInOneColumn
from cxr.ingest.table.refuse import refuse
from cxr.labels.label_set import Label, LabelSet
from cxr.labels.values import BLANK, NEGATIVE, POSITIVE, UNCERTAIN, UNKNOWN, Codes

_NAMED = {"positive": POSITIVE, "negative": NEGATIVE, "uncertain": UNCERTAIN}


class FindingsReader(ABC):
    """Reads the findings of a table, batch by batch.

    Args:
        table: the table.
        labels: what it may say.

    Attributes:
        columns: those that hold findings.
        others: entries that are no label of the set and are left out, with the number of cells that have them.
    """

    columns: tuple[str, ...]

    def __init__(self, table: CsvFile, labels: LabelSet) -> None:
        self._path, self._labels = table.path, labels
        self.others: Counter[str] = Counter()

    @abstractmethod
    def codes(self, batch: Batch) -> Codes:
        """The codes of a batch.

        Returns:
            int8 [rows, labels], 0 to 3 as in `cxr.labels.values.VALUES`, or `BLANK`.

        Raises:
            DataError: a cell means nothing; names row and column.
        """


class ColumnsReader(FindingsReader):
    """Each finding has its own column."""

    def __init__(self, table: CsvFile, labels: LabelSet, layout: FindingsInColumns) -> None:
        super().__init__(table, labels)
        self.columns = tuple(_column_of(table, labels, label) for label in labels.labels)
        self._meaning = dict.fromkeys(layout.blank, BLANK) | dict.fromkeys(layout.uncertain, UNCERTAIN)
        self._meaning |= dict.fromkeys(layout.negative, NEGATIVE) | dict.fromkeys(layout.positive, POSITIVE)

    def codes(self, batch: Batch) -> Codes:
        """See `FindingsReader.codes`."""
        return np.stack([self._column(batch, column) for column in self.columns], axis=1)

    def _column(self, batch: Batch, column: str) -> Codes:
        cells = batch.columns[column]
        codes = np.fromiter(map(self._meaning.get, cells, repeat(-1)), np.int8, len(cells))
        if (codes < 0).any():
            place = int(np.argmax(codes < 0))
            known = ", ".join(map(repr, self._meaning))
            refuse(self._path, batch.rows[place], column, cells[place], f"is none of {known}")
        return codes


def _column_of(table: CsvFile, labels: LabelSet, label: Label) -> str:
    columns = [column for column in table.header if labels.find(column) == label]
    if len(columns) > 1:
        raise DataError(f"{table.path}: label '{label.name}' has {len(columns)} columns: {', '.join(columns)}")
    if not columns:
        others = [column for column in table.header if labels.find(column) is None]
        close = difflib.get_close_matches(label.name, others, n=1)
        raise DataError(f"{table.path}: label '{label.name}' has no column{f'; did you mean {close[0]}?' if close else ''}")
    return columns[0]


class CellReader(FindingsReader):
    """All findings stand in one cell. A table has few distinct cells (ChestX-ray14: 836 in 112,120), each is read once."""

    def __init__(self, table: CsvFile, labels: LabelSet, column: str, *, published: bool) -> None:
        super().__init__(table, labels)
        table.require([column])
        self.columns = (column,)
        self._published = published
        self._known: dict[str, Codes | str] = {}

    def codes(self, batch: Batch) -> Codes:
        """See `FindingsReader.codes`."""
        cells = batch.columns[self.columns[0]]
        found = [self._of(cell) for cell in cells]
        wrong = next((place for place, codes in enumerate(found) if isinstance(codes, str)), None)
        if wrong is not None:
            problem = str(found[wrong]) if self._published else f"holds something that is no label of {self._labels.name}"
            refuse(self._path, batch.rows[wrong], self.columns[0], cells[wrong], problem)
        return np.array(found, np.int8).reshape(len(cells), len(self._labels.labels))

    def _of(self, cell: str) -> Codes | str:
        if cell not in self._known:
            self._known[cell] = self.read(cell)
        return self._known[cell]

    @abstractmethod
    def read(self, cell: str) -> Codes | str:
        """The codes of one cell, or what is wrong with it, as the end of a sentence."""

    def _all(self, code: int) -> Codes:
        return np.full(len(self._labels.labels), code, np.int8)

    def _index(self, label: Label) -> int:
        return self._labels.names.index(label.name)

    def _label(self, text: str) -> Label:
        """The label that the layout names."""
        label = self._labels.find(text)
        if label is None:
            raise ConfigError(f"the layout names '{text}', which is no label of {self._labels.name}")
        return label


class ListReader(CellReader):
    """A cell lists the findings; what is not listed is blank."""

    def __init__(self, table: CsvFile, labels: LabelSet, layout: FindingsInOneColumn, *, published: bool) -> None:
        super().__init__(table, labels, layout.column, published=published)
        self._layout = layout
        self._none = {entry.casefold() for entry in layout.none}
        self._unsaid = {entry.casefold() for entry in layout.unsaid}
        passed = layout.passed_over
        self._passed = None if passed == "all" else {entry.casefold() for entry in passed}
        self._left_out: dict[str, tuple[str, ...]] = {}
        self._silent = [self._index(self._label(text)) for text in layout.silent]

    def codes(self, batch: Batch) -> Codes:
        """See `FindingsReader.codes`."""
        codes = super().codes(batch)
        if self._left_out:
            self.others.update(other for cell in batch.columns[self.columns[0]] for other in self._left_out.get(cell, ()))
        return codes

    def read(self, cell: str) -> Codes | str:
        """See `CellReader.read`."""
        entries = self._entries(cell)
        if entries is None:
            return "is not written like ['first', 'second']"
        nothing = {entry for entry in entries if entry.casefold() in self._none}
        unsaid = {entry for entry in entries or {""} if entry.casefold() in self._unsaid}
        named = entries - nothing - unsaid
        if nothing and named and self._layout.none_beside == "refuse":
            return f"holds '{min(nothing)}' beside another entry"
        found = {entry: self._labels.find(entry) for entry in named | nothing}
        others = tuple(sorted(entry for entry in named if found[entry] is None))
        refused = [entry for entry in others if self._passed is not None and entry.casefold() not in self._passed]
        if refused:
            return f"holds '{refused[0]}', which is no label of {self._labels.name}{self._close(refused[0])}"
        if others:
            self._left_out[cell] = others
        # no finding at all is said of every label; a finding that is not listed is only blank, or not even that
        codes = self._all(UNKNOWN if unsaid else NEGATIVE if nothing and not named else BLANK)
        for entry, label in found.items():
            if label is not None:
                codes[self._places(label)] = UNCERTAIN if named and entry in nothing else POSITIVE
        codes[self._silent] = UNKNOWN
        return codes

    def _places(self, label: Label) -> list[int]:
        """Of a label and, where cells list the most specific findings only, of those above it."""
        above = self._labels.lineage(label) if self._layout.specific else ()
        return [self._labels.names.index(name) for name in (label.name, *above)]

    def _close(self, entry: str) -> str:
        names = [text for label in self._labels.labels for text in (label.name, *label.synonyms)]
        close = difflib.get_close_matches(entry, names, n=1)
        return f"; did you mean {close[0]}?" if close else ""

    def _entries(self, cell: str) -> set[str] | None:
        if not self._layout.quoted or not cell:
            return {part.strip() for part in cell.split(self._layout.separator)} - {""}
        try:
            entries = ast.literal_eval(cell)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
        if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
            return None
        return {" ".join(entry.split()) for entry in entries} - {""}


class ClassReader(CellReader):
    """A cell gives the class of the image; the layout says what that means."""

    def __init__(self, table: CsvFile, labels: LabelSet, layout: FindingsAsClasses, *, published: bool) -> None:
        super().__init__(table, labels, layout.column, published=published)
        self._classes = {name: self._codes_of(means) for name, means in layout.classes.items()}

    def _codes_of(self, means: Mapping[str, str]) -> Codes:
        codes = self._all(BLANK)
        for text, value in means.items():
            codes[self._index(self._label(text))] = _NAMED[value]
        return codes

    def read(self, cell: str) -> Codes | str:
        """See `CellReader.read`."""
        codes = self._classes.get(cell)
        return f"is none of the classes {', '.join(map(repr, self._classes))}" if codes is None else codes


def findings_reader(table: CsvFile, labels: LabelSet, layout: Findings, *, published: bool) -> FindingsReader:
    """The reader that a layout asks for.

    Args:
        table: the table.
        labels: what it may say.
        layout: where its findings stand.
        published: whether a message may quote what a cell says; in a hospital's own table it may name a patient.

    Raises:
        DataError: a label has no column, or more than one.
        ConfigError: the layout names a label that the set does not have.
    """
    if isinstance(layout, FindingsInColumns):
        return ColumnsReader(table, labels, layout)
    reader = ListReader if isinstance(layout, FindingsInOneColumn) else ClassReader
    return reader(table, labels, layout, published=published)  # type: ignore[arg-type]
