"""The tables of the page whose cells are shares: the labels by group, under each policy, and with each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cxr.ingest.audit.page import percent_text
from cxr.ingest.label_audit.audit import LabelAudit
from cxr.ingest.label_audit.policies import BLANKS, UNCERTAINS, Blank, LabelAccount, Reading, Uncertain
from cxr.ingest.label_audit.subgroups import LEAST_KNOWN, Group, Subgroups

MOST_IN_MATRIX = 40
"""Labels up to which the matrix can be read; of more the strongest pairs are told."""


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Args:
        text: what it says.
        below: a second, smaller line, or none.
        bar: length of its bar or strength of its shade, 0 to 100.
        marked: whether it has a frame, as what is in force.
    """

    text: str
    below: str = ""
    bar: int = 0
    marked: bool = False


@dataclass(frozen=True)
class Row:
    """A row of a table: of a label."""

    name: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class GroupGrid:
    """The labels by one property of the images.

    Args:
        by: "view", "sex" or "age".
        groups: its columns: the groups that have an image.
        rows: a label each.
    """

    by: str
    groups: tuple[Group, ...]
    rows: tuple[Row, ...]


def group_grids(subgroups: Subgroups, names: Sequence[str]) -> list[GroupGrid]:
    """How often each label is positive by view, by sex and by age; a bar is relative to the longest in its row.

    Of many labels a share stands without its counts, so that a label takes one line.
    """
    grids, short = [], len(names) > MOST_IN_MATRIX
    for by in dict.fromkeys(group.by for group in subgroups.groups):
        places = [place for place, group in enumerate(subgroups.groups) if group.by == by and group.images]
        groups = tuple(subgroups.groups[place] for place in places)
        counts = zip(names, subgroups.positive[:, places].tolist(), subgroups.known[:, places].tolist(), strict=True)
        rows = (Row(name, _group_cells(found, known, short=short)) for name, found, known in counts)
        grids.append(GroupGrid(by, groups, tuple(rows)))
    return grids


def _group_cells(positive: list[int], known: list[int], *, short: bool) -> tuple[Cell, ...]:
    shares = [of / images if images >= LEAST_KNOWN else math.nan for of, images in zip(positive, known, strict=True)]
    longest = max((share for share in shares if share > 0), default=1.0)
    cells = zip(positive, known, shares, strict=True)
    return tuple(_group_cell(*of, longest, short=short) for of in cells)


def _group_cell(positive: int, known: int, share: float, longest: float, *, short: bool) -> Cell:
    counts = f"{positive:,} of {known:,}"
    return Cell(counts) if math.isnan(share) else Cell(percent_text(share), "" if short else counts, _bar(share, longest))


@dataclass(frozen=True)
class PolicyGrid:
    """The labels under each choice of policies that changes anything.

    Args:
        blanks, uncertains: the choices.
        rows: a label each: as configured, then under each choice, blank cells first.
    """

    blanks: tuple[Blank, ...]
    uncertains: tuple[Uncertain, ...]
    rows: tuple[Row, ...]


def policy_grid(accounts: Sequence[LabelAccount]) -> PolicyGrid:
    """What each choice of policies makes of each label; where no cell is blank, or none uncertain, there is no choice."""
    blanks = BLANKS if any(account.cells.blank for account in accounts) else ()
    uncertains = UNCERTAINS if any(account.cells.uncertain for account in accounts) else ()
    return PolicyGrid(
        blanks, uncertains, tuple(Row(one.label.name, _policy_cells(one, blanks, uncertains)) for one in accounts)
    )


def _policy_cells(account: LabelAccount, blanks: Sequence[Blank], uncertains: Sequence[Uncertain]) -> tuple[Cell, ...]:
    label = account.label
    own_blank, own_uncertain = (label.blank,), ((label.uncertain,) if isinstance(label.uncertain, str) else ("ignore",))
    choices = [(blank, uncertain) for blank in blanks or own_blank for uncertain in uncertains or own_uncertain]
    readings = [account.under(*choice) for choice in choices]
    in_force = [account.is_in_force(*choice) for choice in choices]
    shares = [reading.prevalence for reading in (account.in_force, *readings)]
    longest = max((share for share in shares if share > 0), default=1.0)
    own = _policy_cell(account.in_force, longest, marked=False)
    return own, *(_policy_cell(of, longest, marked=now) for of, now in zip(readings, in_force, strict=True))


def _policy_cell(reading: Reading, longest: float, *, marked: bool) -> Cell:
    return Cell(percent_text(reading.prevalence), f"of {reading.known:,}", _bar(reading.prevalence, longest), marked)


def matrix(audit: LabelAudit) -> tuple[Row, ...]:
    """Images in which the labels of row and column are both positive; the shade is the share of the row's images."""
    return tuple(
        Row(name, tuple(Cell(f"{count:,}", "", _bar(count, counts[place])) for count in counts))
        for place, (name, counts) in enumerate(zip(audit.label_set.names, audit.together.tolist(), strict=True))
    )


def _bar(share: float, longest: float) -> int:
    """0 to 100; what is not nothing has at least 1."""
    return max(1, round(100 * share / longest)) if share > 0 else 0
