"""What the label table says, label by label: positive, negative, uncertain, nothing, or no row to say anything."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from cxr.ingest.label_audit.bits import Bits, Table, count_bits
from cxr.labels.values import BLANK, NEGATIVE, POSITIVE, UNCERTAIN, UNKNOWN

_KINDS = [POSITIVE, NEGATIVE, UNCERTAIN, BLANK, UNKNOWN]


@dataclass(frozen=True)
class Cells:
    """Cells of the label table, by what they say. Each is of one image.

    Args:
        positive, negative, uncertain: as the table says.
        blank: the table has a row for the image, and says nothing of the label.
        unlabelled: there is no row for the image, or it says that nothing can be told.
    """

    positive: int
    negative: int
    uncertain: int
    blank: int
    unlabelled: int

    @property
    def total(self) -> int:
        """All of them."""
        return sum(astuple(self))


def count_cells(table: Table) -> tuple[Cells, ...]:
    """The cells of each label."""
    return tuple(Cells(*row) for row in count_bits(table.bits)[_KINDS].T.tolist())


def count_cells_among(table: Table, label: int, images: Bits) -> Cells:
    """The cells of one label.

    Args:
        table: the cells.
        label: its place.
        images: uint64 [words], the images that count.
    """
    return Cells(*count_bits(table.bits[_KINDS, label] & images).tolist())
