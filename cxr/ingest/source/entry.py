"""The files of a source, as a listing and one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

LARGEST_FILE = 512 * 2**20
"""Bytes of the largest file that is read at all: a radiograph of 100 megapixels has 200 million."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a source's listing.

    Args:
        name: where it lies in the source, with "/" between levels and "!/" behind an archive; confidential.
        stamp: tells whether the file changed since it was read: size and time of change, or the archive's checksum.
        code: key of `cxr.ingest.outcome.CODES` where the listing alone settles what becomes of it, else empty.
        detail: the values that led to the code; names no patient.
    """

    name: str
    stamp: str
    code: str = ""
    detail: str = ""


class Files(Protocol):
    """A source of files. It is sent to worker processes, so it must be picklable and cheap to copy."""

    def entries(self) -> Iterator[Entry]:
        """Every file, each once, in any order; a file that cannot be read is an entry with a code, not an exception.

        Raises:
            DataError: the source as a whole cannot be listed.
        """

    def fetch(self, name: str) -> bytes:
        """The bytes of one file, at most `LARGEST_FILE`.

        Raises:
            Refused: this file cannot be had; the code says why.
            DataError: the source as a whole cannot be reached.
        """

    def head(self, name: str, size: int) -> bytes:
        """The first bytes of one file, for a look at its header; may be more than `size`, or all of it.

        Raises:
            Refused, DataError: as in `fetch`.
        """
