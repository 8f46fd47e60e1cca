"""Scores and truth of any origin brought together: two tables, joined by the ids of their images, columns matched by name.

Nothing is guessed by position. What is left out is counted and named; what cannot be right is refused, with row or label.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cxr.config import TruthSource
from cxr.errors import ConfigError, DataError
from cxr.external.columns import label_columns
from cxr.external.context import context_of, join_context
from cxr.external.files import is_parquet, read_head, read_sheet
from cxr.external.ids import Ids, Join, LeftOut, join_ids
from cxr.external.scores import Scored, columns_of, ids_of, read_scored, refuse_misspelt, wanted
from cxr.external.truth import Truth, find_layout, published_truth, truth_in_columns
from cxr.fingerprint import digest_file
from cxr.ingest.table.layout import TableFormat, read_format
from cxr.labels.label_set import LabelSet, read_label_set
from cxr.manifest import label_column
from cxr.predictions import Predictions, about_of


@dataclass(frozen=True, eq=False)
class ExternalTable:
    """A prediction table made of tables of any origin, and what did not go into it.

    Args:
        predictions: the rows that both tables have, in the order of the scores.
        labels: the label set without the labels that have no score or no truth.
        without_score, without_truth: labels of the set that are not evaluated.
        only_scores, only_truth: rows that the other table does not have; their ids are for the screen and not for a report,
            since the path of an image may hold the number of a patient.
        warnings: what the reader of any figure must know, a sentence each; no id stands in them.
    """

    predictions: Predictions
    labels: LabelSet
    without_score: tuple[str, ...]
    without_truth: tuple[str, ...]
    only_scores: LeftOut
    only_truth: LeftOut
    warnings: tuple[str, ...]


def read_external(
    predictions: Path,
    truth: Path | None,
    labels: LabelSet,
    *,
    id_column: str | None = None,
    layout: TableFormat | None = None,
    images: Path | None = None,
) -> ExternalTable:
    """Read scores and truth.

    Args:
        predictions: CSV or Parquet, a row per image, a column of scores per label; see `cxr.external.columns`.
        truth: CSV or Parquet with a column per label, or a published label table as it comes; None: the first table has it.
        labels: the label set: names and synonyms of columns, and what a blank cell of the truth is.
        id_column: the column that names the image, in the tables that have it; else see `cxr.external.columns.IDS`.
        layout: how the truth is published; else found by its columns, see `cxr.external.truth.find_layout`.
        images: the second table of a published truth, where its layout asks for one.

    Raises:
        DataError: see the module's text; names the row, the label or the column.
        ConfigError: no table has the column `id_column`.
    """
    scored = read_scored(predictions, labels, id_column)
    told = (
        _truth_beside(scored, labels, layout, images) if truth is None else _truth_of(truth, labels, layout, images, id_column)
    )
    if id_column is not None and not any(each.column == id_column for each in (*scored.ids, *told.ids)):
        raise ConfigError(f"no table has the column '{id_column}' that is to name the images; {columns_of(scored.sheet)}")
    refuse_misspelt(scored, labels)
    names = _evaluated(scored, told, labels)
    matched = _match(scored.ids, told.ids)
    return _result(scored, told, matched, labels, names, _about(predictions, truth))


def read_tables(predictions: Path, source: TruthSource) -> ExternalTable:
    """Read scores and their truth, as configured; a prediction table of this project tells where its scores come from.

    What was read is kept as long as the files stay as they are: a stage checks its tables before it runs.

    Raises:
        DataError, ConfigError: as `read_external`; or the label set or the layout cannot be read.
    """
    where = TruthSource.model_construct(**{name: getattr(source, name) for name in TruthSource.model_fields})
    files = filter(None, (predictions, source.truth, source.image_table, source.labels, source.format))
    return _read_once(predictions, where, tuple((path.stat().st_size, path.stat().st_mtime_ns) for path in files))


@lru_cache(maxsize=2)
def _read_once(predictions: Path, source: TruthSource, stamps: tuple[tuple[int, int], ...]) -> ExternalTable:
    """Read the files as they are at the `stamps`: size and time of change; two tables are compared at most."""
    found = read_external(
        predictions,
        source.truth,
        read_label_set(source.labels),
        id_column=source.id_column,
        layout=None if source.format is None else read_format(source.format),
        images=source.image_table,
    )
    about = {**(about_of(predictions) if is_parquet(predictions) else {}), **found.predictions.about}
    return replace(found, predictions=replace(found.predictions, about=about))


@dataclass(frozen=True, eq=False)
class _Matched:
    """The ids by which two tables are joined, and the join."""

    left: Ids
    right: Ids
    join: Join


def _truth_beside(scored: Scored, labels: LabelSet, layout: TableFormat | None, images: Path | None) -> Truth:
    """The truth that stands in the table of the scores: in columns of its own, or all findings in one cell."""
    sheet = scored.sheet
    found = layout or (None if scored.truth or is_parquet(sheet.path) else find_layout(sheet, labels, one_cell=True))
    if found is not None:
        return published_truth(sheet.path, labels, found, images)
    if not scored.truth:
        way_out = "name a table of the truth, or call the columns truth/LABEL and score/LABEL"
        raise DataError(f"{sheet.path}: no column holds the truth; {way_out}")
    return truth_in_columns(sheet, labels, scored.truth, scored.ids, pd.DataFrame(index=sheet.frame.index))


def _truth_of(path: Path, labels: LabelSet, layout: TableFormat | None, images: Path | None, id_column: str | None) -> Truth:
    if layout is not None:
        return published_truth(path, labels, layout, images)
    head = None if is_parquet(path) else read_head(path)
    found = None if head is None else find_layout(head, labels, one_cell=False)
    if head is not None and found is not None:
        keyed = found.model_copy(update={"key": id_column}) if id_column in head.header else found
        return published_truth(path, labels, keyed, images)
    sheet = read_sheet(path)
    columns = label_columns(path, sheet.header, labels)
    told = columns.truth or columns.bare
    if not told:
        raise DataError(f"{path}: no column holds the truth of a label of '{labels.name}'; {wanted(sheet, labels)}")
    return truth_in_columns(sheet, labels, told, ids_of(sheet, id_column), context_of(sheet, columns.all))


def _evaluated(scored: Scored, told: Truth, labels: LabelSet) -> tuple[str, ...]:
    names = tuple(name for name in labels.names if name in scored.scored and name in told.names)
    if not names:
        raise DataError(
            f"no label has both scores and truth: {scored.ids[0].table} has scores of {', '.join(scored.scored)}, "
            f"{told.ids[0].table} the truth of {', '.join(told.names)}"
        )
    return names


def _match(left: Sequence[Ids], right: Sequence[Ids]) -> _Matched:
    """The two columns of ids that join the most rows; of equal ones the first.

    Raises:
        DataError: there are none, two joins of as many rows contradict each other, or see `cxr.external.ids.join_ids`.
    """
    joins: list[_Matched] = []
    for ours, theirs in itertools.product(left, right):
        # once two columns join, others have a say only where they name every row
        if not joins or (ours.texts.is_unique and theirs.texts.is_unique):
            join = join_ids(ours, theirs)
            joins += [] if join is None else [_Matched(ours, theirs, join)]
    if joins:
        best = max(joins, key=lambda matched: len(matched.join.left))
        for other in joins:
            _refuse_contradiction(best, other)
        return best
    raise DataError(
        f"the tables have no image in common: {_example(left[0])}; {_example(right[0])}; "
        "if these are the wrong columns, say which (--id COLUMN)"
    )


def _refuse_contradiction(best: _Matched, other: _Matched) -> None:
    """Refuse where other columns of ids join as many rows, and not the same ones."""
    ours, theirs = best.join, other.join
    if len(theirs.left) == len(ours.left) and not (
        np.array_equal(ours.left, theirs.left) and np.array_equal(ours.right, theirs.right)
    ):
        raise DataError(
            f"the tables can be joined by '{best.left.column}' and '{best.right.column}' or by '{other.left.column}' and "
            f"'{other.right.column}', and the two disagree; say which column names the image (--id COLUMN)"
        )


def _example(ids: Ids) -> str:
    return f"{ids.table} names them in '{ids.column}', like '{ids.texts.iloc[0]}'"


def _result(
    scored: Scored, told: Truth, matched: _Matched, labels: LabelSet, names: tuple[str, ...], about: dict[str, str]
) -> ExternalTable:
    join = matched.join
    images = matched.left.texts.iloc[join.left].reset_index(drop=True)
    ours = context_of(scored.sheet, scored.columns.all).iloc[join.left].reset_index(drop=True)
    context = join_context(ours, told.context.iloc[join.right].reset_index(drop=True), images)
    columns: dict[str, Any] = {}
    for name in names:
        columns[f"score/{name}"] = scored.scores(name)[join.left]
        columns[f"truth/{name}"] = label_column(told.codes[join.right, told.names.index(name)])
    without_score = tuple(name for name in labels.names if name not in scored.scored)
    without_truth = tuple(name for name in labels.names if name not in told.names)
    return ExternalTable(
        predictions=Predictions.external(pd.concat([context.frame, pd.DataFrame(columns)], axis=1), names, about),
        labels=labels.only(names),
        without_score=without_score,
        without_truth=without_truth,
        only_scores=join.only_left,
        only_truth=join.only_right,
        warnings=(*context.warnings, *_warnings(join, without_score, without_truth), *_decisions(columns)),
    )


def _decisions(columns: Mapping[str, Any]) -> Iterator[str]:
    """A remark on labels whose scores are a yes or no already."""
    scores = {name.removeprefix("score/"): values for name, values in columns.items() if name.startswith("score/")}
    found = [name for name, values in scores.items() if len(values) > 2 and len(np.unique(values)) == 2]
    if found:
        yield f"Only two different scores, a yes and a no: figures are of the decision, not of a score: {', '.join(found)}."


def _warnings(join: Join, without_score: Sequence[str], without_truth: Sequence[str]) -> Iterator[str]:
    if without_score:
        yield f"Not evaluated, since no column holds their scores: {', '.join(without_score)}."
    if without_truth:
        yield f"Not evaluated, since no column holds their truth: {', '.join(without_truth)}."
    if join.only_left.count:
        yield f"{join.only_left.count} rows of the scores have no truth and are left out."
    if join.only_right.count:
        yield f"{join.only_right.count} rows of the truth have no score and are left out."
    if join.way:
        yield f"The ids differ as they stand; they were compared {join.way}."


def _about(predictions: Path, truth: Path | None) -> dict[str, str]:
    about = {"scores": predictions.name, "scores sha256": digest_file(predictions)}
    return about if truth is None else {**about, "truth": truth.name, "truth sha256": digest_file(truth)}
