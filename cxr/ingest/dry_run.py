"""A look before a run: what would become of each file of a source, as far as its header tells. Writes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cxr.config_sources import Source
from cxr.ingest.outcome import CODES, OUTCOMES, TAKEN, OutcomeName, Refused, outcome_of
from cxr.ingest.read.dicom import ReadOptions, judge_header
from cxr.ingest.source.entry import Entry, Files
from cxr.ingest.source.resolve import ResolvedSource, resolve
from cxr.stage import Progress

_HEAD = 1 << 16
"""Bytes that hold the header of nearly every radiograph."""
_CUT = ("truncated", "unreadable", "no-pixels")
"""What a whole file may be taken for where only its first part is looked at, which may end between two elements."""
_EXAMPLES = 3


@dataclass(frozen=True)
class ForecastRow:
    """Files that would share a fate.

    Args:
        outcome: what would become of them.
        code: the codes that lead to it, separated by spaces; empty for files taken as they are.
        count: how many.
        examples: numbers of the first of them, in the sorted listing.
    """

    outcome: OutcomeName
    code: str
    count: int
    examples: tuple[int, ...]

    @property
    def taken(self) -> bool:
        """Whether they would be read further."""
        return self.outcome in TAKEN

    @property
    def meaning(self) -> str:
        """The codes in words."""
        return "; ".join(CODES[code][1] for code in self.code.split()) or "would be taken"


def forecast(source: Source, phantom: Path | None, progress: Progress, *, secondary_capture: bool) -> list[ForecastRow]:
    """Look at the header of every file of a source.

    Args:
        source: the configuration.
        phantom: the folder that the phantom stage wrote, where the source is the phantom.
        progress: told how far it is.
        secondary_capture: as in `cxr.config.IngestConfig`.

    Raises:
        DataError, ConfigError: the source cannot be listed.
    """
    resolved = resolve(source, phantom)
    options = ReadOptions(secondary_capture=secondary_capture)
    found: dict[tuple[str, ...], list[int]] = defaultdict(list)
    entries = sorted(resolved.files.entries(), key=lambda entry: entry.name)
    for number, entry in enumerate(entries, start=1):
        found[_codes(resolved, entry, options)].append(number)
        progress(number, len(entries), "files looked at")
    return sorted(_rows(found.items()), key=lambda row: (OUTCOMES.index(row.outcome), -row.count, row.code))


def _rows(found: Iterable[tuple[tuple[str, ...], list[int]]]) -> Iterable[ForecastRow]:
    for codes, numbers in found:
        yield ForecastRow(outcome_of(codes), " ".join(codes), len(numbers), tuple(numbers[:_EXAMPLES]))


def _codes(source: ResolvedSource, entry: Entry, options: ReadOptions) -> tuple[str, ...]:
    if entry.code:
        return (entry.code,)
    if source.kind == "image":  # its context stands in the table
        return ()
    try:
        return _judge(source.files, entry.name, options)
    except Refused as refused:
        return (refused.code,)


def _judge(files: Files, name: str, options: ReadOptions) -> tuple[str, ...]:
    head = files.head(name, _HEAD)
    try:
        return judge_header(head, options).codes
    except Refused as refused:
        if len(head) < _HEAD or refused.code not in _CUT:
            raise
    return judge_header(files.fetch(name), options).codes  # a long header: look at all of it
