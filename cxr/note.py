"""The texts that the pages of tracked runs begin with: six questions and their answers, then the tables and what to mind."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import get_args

from cxr.record import StageRecord
from cxr.stage import Question

_HEADS: dict[Question, str] = {
    "data": "What data",
    "labels": "What labels",
    "good": "How good",
    "sure": "How sure",
    "against": "Against what",
    "next": "What next",
}
_MEANS_SOMETHING = re.compile(r"([\\`*_\[\]<>|#~])")


def pipeline_note(description: str, records: Sequence[StageRecord]) -> str:
    """Markdown for the run of a pipeline: the answers first, a line each, since the page shows the first lines only.

    Args:
        description: of the pipeline.
        records: of the stages that are done, in order.
    """
    blocks = [
        answers(records),
        *(_table(record) for record in records if record.answers),
        _to_mind([f"{record.stage}: {warning}" for record in records for warning in record.warnings]),
        _plain(description),
        "\n".join(f"* **{record.stage}**: {_plain(record.headline)}" for record in records),
    ]
    return "\n\n".join(filter(None, blocks))


def stage_note(record: StageRecord) -> str:
    """Markdown for the run of a stage."""
    blocks = (f"**{_plain(record.headline)}**", _to_mind(record.warnings), _table(record))
    return "\n\n".join(filter(None, blocks))


def answers(records: Sequence[StageRecord]) -> str:
    """Markdown: the questions that the stages of a pipeline have answered, a line each."""
    return "  \n".join(_answer_lines(records))


def _answer_lines(records: Sequence[StageRecord]) -> Iterator[str]:
    for question in get_args(Question):
        found = [record.answers[question] for record in records if question in record.answers]
        if found:
            yield f"**{_HEADS[question]}**: {_plain('; '.join(found))}"


def _table(record: StageRecord) -> str:
    """The table of a stage; empty where it has none."""
    if not record.table:
        return ""
    header, *rows = record.table
    lines = [map(_plain, header), ["---"] * len(header), *(map(_plain, row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _to_mind(warnings: Sequence[str]) -> str:
    return "\n".join(["**To mind**", "", *(f"* {_plain(warning)}" for warning in warnings)]) if warnings else ""


def _plain(text: str) -> str:
    """A text in which no character means anything to Markdown."""
    return _MEANS_SOMETHING.sub(r"\\\1", " ".join(text.split()))
