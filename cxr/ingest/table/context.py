"""What a table tells of an image beside its findings: patient, study, view, sex, age, each in the manifest's own terms."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

import pandas as pd

from cxr.ingest.deidentify import pooled_age
from cxr.ingest.read.dicom import parse_sex
from cxr.ingest.read.view import parse_view
from cxr.ingest.table.csvfile import Batch
from cxr.ingest.table.layout import TableFormat
from cxr.manifest import SEXES, VIEWS

_KNOWN = 4096  # ages there are; of a column that holds something else, no more are remembered
_YEAR = re.compile(r"\s*(\d{4})")
CONTEXT = ("key", "patient", "study", "view", "sex", "age_years", "age_implausible", "row")
"""Columns of a context: see `context_of`."""


def context_of(batch: Batch, layout: TableFormat) -> pd.DataFrame:
    """The context of a batch of rows.

    Returns:
        Columns `CONTEXT`: key, see `TableFormat.key_of`; patient and study, texts, empty where not told; view and sex as in
        the manifest; age_years, 0 to 90, NaN where not told or implausible; age_implausible; row, as a spreadsheet shows it.
    """
    ages = [_age(text) for text in _age_texts(batch, layout)]
    return pd.DataFrame(
        {
            "key": pd.array([layout.key_of(cell) for cell in batch.columns[layout.key]], dtype="str"),
            "patient": pd.array(_texts(batch, layout.patient, layout.patient_pattern), dtype="str"),
            "study": pd.array(_texts(batch, layout.study, layout.study_pattern), dtype="str"),
            "view": pd.Categorical(_views(batch, layout), categories=VIEWS),
            "sex": pd.Categorical(_per_distinct(_texts(batch, layout.sex, None), parse_sex), categories=SEXES),
            "age_years": [years for years, _ in ages],
            "age_implausible": [implausible for _, implausible in ages],
            "row": batch.rows,
        }
    )


def _texts(batch: Batch, column: str | None, pattern: str | None) -> list[str]:
    """The cells of a column, or what a pattern finds in them; empty without a column."""
    if column is None:
        return [""] * len(batch.rows)
    cells = batch.columns[column]
    if pattern is None:
        return cells
    found = (re.search(pattern, cell) for cell in cells)
    return ["" if match is None else match.group() for match in found]


def _views(batch: Batch, layout: TableFormat) -> list[str]:
    columns = [batch.columns[column] for column in layout.view_columns]
    if not columns:
        return ["unknown"] * len(batch.rows)
    cells = [" ".join(filter(None, row)) for row in zip(*columns, strict=True)]
    return _per_distinct(cells, lambda text: layout.views.get(text) or parse_view(text))


def _age_texts(batch: Batch, layout: TableFormat) -> Iterable[str]:
    if layout.birth is None or layout.date is None:
        return ("" if text in layout.age_missing else text for text in _texts(batch, layout.age, None))
    years = zip(batch.columns[layout.birth], batch.columns[layout.date], strict=True)
    return (_years_between(birth, date) for birth, date in years)


@lru_cache(_KNOWN)
def _years_between(birth: str, date: str) -> str:
    """The age in the year of the study, to a year, as a text; empty where one of the years is not told."""
    born, seen = _YEAR.match(birth), _YEAR.match(date)
    return str(int(seen.group(1)) - int(born.group(1))) if born and seen else ""


_age = lru_cache(_KNOWN)(pooled_age)


def _per_distinct(texts: list[str], function: Callable[[str], str]) -> list[str]:
    """A function of each text, called once for each distinct one."""
    known = {text: function(text) for text in set(texts)}
    return [known[text] for text in texts]
