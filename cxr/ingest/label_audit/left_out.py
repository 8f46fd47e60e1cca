"""What of a label table did not become a label, counted, so that nothing is left out unseen."""

from __future__ import annotations

from dataclasses import dataclass

from cxr.ingest.table.table import TableNotes

LEAST_CELLS = 10
"""Cells that have an entry before it may be quoted from a table that is not public: a name of a patient stands in fewer."""


@dataclass(frozen=True)
class LeftOut:
    """What was not read of a label table.

    Args:
        entries: entries that are no label, with the number of cells that have them, the most frequent first.
        rare_entries: further ones that are not quoted, and the cells that have them.
        columns: that were not read, by their names.
        unnamed_columns: further ones, of a table that is not public: where a header is missing, its first row is a patient's.
        rows_without_image: rows of the label table for which the table of images has none, as a spreadsheet shows them.
        images_without_row: images of which the table says nothing at all.
    """

    entries: tuple[tuple[str, int], ...] = ()
    rare_entries: tuple[int, int] = (0, 0)
    columns: tuple[str, ...] = ()
    unnamed_columns: int = 0
    rows_without_image: tuple[int, ...] = ()
    images_without_row: int = 0


def account_left_out(notes: TableNotes, images_without_row: int, *, published: bool) -> LeftOut:
    """What the reading of the table noted.

    Args:
        notes: of the table.
        images_without_row: images of which it says nothing.
        published: whether the table is public; of another one rare entries and columns are counted only.
    """
    entries = sorted(notes.others.items(), key=lambda item: (-item[1], item[0]))
    shown = [item for item in entries if published or item[1] >= LEAST_CELLS]
    hidden = [item[1] for item in entries if not published and item[1] < LEAST_CELLS]
    return LeftOut(
        entries=tuple(shown),
        rare_entries=(len(hidden), sum(hidden)),
        columns=notes.columns_left if published else (),
        unnamed_columns=0 if published else len(notes.columns_left),
        rows_without_image=notes.without_image,
        images_without_row=images_without_row,
    )
