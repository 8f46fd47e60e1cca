"""All decisions about a registered model, read from its tags, and the table of them that its page shows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from cxr.promote.entry import Entry, is_entry
from cxr.promote.grounds import differing
from cxr.tracking.registry import LONGEST

HEADING = "## Decisions"
NO_BREAK = "\u00a0"
_BLANKS = re.compile(r"[^\S\u00a0]+")
_COLUMNS = ("no.", "when", "what", "who", "why", "by the rule", "what stood against it")
_REFUSALS = 5  # earlier ones that are told
_OLDER = "Older ones: `cxr promote --history {name}`."


@dataclass(frozen=True)
class History:
    """The decisions about a registered model.

    Args:
        name: of the model.
        entries: the first one first.
    """

    name: str
    entries: tuple[Entry, ...]

    @classmethod
    def read(cls, name: str, tags: Mapping[str, str]) -> Self:
        """The decisions that tags hold.

        Raises:
            DataError: a tag was changed by hand.
        """
        found = (Entry.load(text, f"{name}: {key}") for key, text in tags.items() if is_entry(key))
        return cls(name, tuple(sorted(found, key=lambda entry: entry.number)))

    @property
    def next_number(self) -> int:
        """The number of the next decision."""
        return self.entries[-1].number + 1 if self.entries else 1

    @property
    def unfinished(self) -> Entry | None:
        """The last decision, where not everything that follows from it is written yet."""
        last = self.entries[-1] if self.entries else None
        return last if last is not None and not last.done else None

    def with_entry(self, entry: Entry) -> History:
        """With a decision more, or in place of the one of the same number."""
        others = [other for other in self.entries if other.number != entry.number]
        return History(self.name, tuple(sorted([*others, entry], key=lambda each: each.number)))

    def champions(self, alias: str) -> tuple[int, ...]:
        """The versions that an alias was on, one before the other, the present one last; a rollback takes one off."""
        stack: list[int] = []
        for entry in self.entries:
            if entry.alias != alias or entry.version is None:
                continue
            if entry.what == "rolled back":
                stack = [*stack[: _last(stack, entry.version)], entry.version]
            elif entry.before is None:  # where somebody has taken the alias off by hand there is no way back behind it
                stack = [entry.version]
            else:  # what somebody has put there by hand was in use, too
                stack += [entry.version] if stack[-1:] == [entry.before] else [entry.before, entry.version]
        return tuple(stack)

    def about(self, version: int) -> tuple[Entry, ...]:
        """The decisions that a version came into use or went out of use by."""
        return tuple(entry for entry in self.entries if entry.version is not None and version in (entry.version, entry.before))

    def refusals(self, weights: str, rule: str) -> tuple[str, ...]:
        """The last refusal of some weights by each other rule, with the bounds that differ."""
        found = {
            entry.grounds.rule: entry for entry in self.entries if entry.what == "refused" and entry.grounds.weights == weights
        }
        others = [(entry.number, differing(known, rule)) for known, entry in found.items() if known != rule]
        return tuple(f"decision {number} ({bounds})" for number, bounds in sorted(others)[-_REFUSALS:])

    def same_as(self, entry: Entry) -> Entry | None:
        """The last decision about the run and the alias of another one, where that says nothing new but its time."""
        about = [known for known in self.entries if (known.run_id, known.alias) == (entry.run_id, entry.alias)]
        if not about:
            return None
        last = about[-1]
        again = entry.model_copy(update={"number": last.number, "when": last.when, "done": last.done})
        return last if Entry.load(again.dump(), again.key) == last else None

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """A table of all that is kept: the header, then the decisions, the last one first."""
        return (_COLUMNS, *(_row(entry) for entry in reversed(self.entries)))

    def short_rows(self) -> tuple[tuple[str, ...], ...]:
        """The table for a terminal: a rule once, and of what stood against it the first thing."""
        first: dict[str, int] = {}
        rows = [_short_row(entry, first.setdefault(entry.grounds.rule, entry.number)) for entry in self.entries]
        return (_COLUMNS, *reversed(rows))

    def describe(self, text: str) -> str:
        """The description of the model: what a person wrote above `HEADING`, and below it the table; see `LONGEST`."""
        written = text.partition(HEADING)[0].rstrip()
        head = [*([written, ""] if written else []), HEADING, ""]
        header, *rows = (markdown_row(row) for row in self.rows())
        return as_long_as([*head, header, rule(len(_COLUMNS))], rows, _OLDER.format(name=self.name))


def as_long_as(head: Sequence[str], lines: Sequence[str], rest: str, spare: int = 0) -> str:
    """A text of a head and as many lines as the registry takes.

    Args:
        head: lines that are needed.
        lines: of which the last ones may be left out.
        rest: a line in place of what is left out.
        spare: characters to be left free.
    """
    most = LONGEST - spare
    whole = "\n".join([*head, *lines])
    if len(whole) <= most:
        return whole
    kept = list(head)
    for line in lines:
        if len("\n".join([*kept, line, "", rest])) > most:
            break
        kept.append(line)
    return "\n".join([*kept, "", rest])[:most]


def markdown_row(cells: Sequence[str]) -> str:
    """A row of a Markdown table, whatever its cells hold."""
    # MLflow shows tables without any space between columns, but keeps one that does not break
    return f"| {' | '.join(markdown(cell) + NO_BREAK for cell in cells)} |"


def rule(columns: int) -> str:
    """The line between the header and the rows of a Markdown table."""
    return "| --- " * columns + "|"


def markdown(text: str) -> str:
    """A text that stays one line, one cell and no markup in Markdown."""
    line = _BLANKS.sub(" ", text).strip(" ")
    for mark, written in (("\\", "\\\\"), ("|", "\\|"), ("<", "&lt;"), ("*", "\\*"), ("[", "\\["), ("`", "\\`")):
        line = line.replace(mark, written)
    return line


def _last(stack: Sequence[int], version: int) -> int:
    """Where a version stands for the last time; 0 where it does not."""
    return max((place for place, each in enumerate(stack) if each == version), default=0)


def _row(entry: Entry) -> tuple[str, ...]:
    return (*_head(entry), entry.grounds.words, " ".join(f"{each}." for each in entry.failed))


def _short_row(entry: Entry, first: int) -> tuple[str, ...]:
    """A row of which the rule is told only in the first decision by it."""
    rule = entry.grounds.rule if first == entry.number or not entry.grounds.rule else f"as no. {first}"
    return (*_head(entry), "; ".join([rule, *entry.grounds.remarks]), entry.objections)


def _head(entry: Entry) -> tuple[str, ...]:
    what = entry.outcome if entry.done else f"{entry.outcome} (not finished)"
    return (str(entry.number), entry.moment, what, entry.who, entry.why)
