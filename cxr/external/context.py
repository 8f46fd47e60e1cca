"""What tables of any origin tell of their images beside scores and truth, in the terms of a prediction table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cxr.errors import DataError
from cxr.external.columns import CONTEXT, find_column, id_columns
from cxr.external.files import BLANKS, Sheet
from cxr.ingest.deidentify import pooled_age
from cxr.ingest.read.dicom import parse_sex
from cxr.ingest.read.view import parse_view
from cxr.predictions import NOT_TOLD


def context_of(sheet: Sheet, used: Set[str]) -> pd.DataFrame:
    """The context of a table's images.

    Args:
        sheet: the table.
        used: columns that hold something else.

    Returns:
        A row per row of the table. Of the columns of `CONTEXT` those that it tells; patient_id, study_id: texts, empty where
        blank; view, sex: as in a manifest; age_years: 0 to 90, NaN where not told. Then its other columns, as they are, except
        those that name images.
    """
    header = [column for column in sheet.header if column not in used]
    found = {name: column for name, names in CONTEXT.items() if (column := find_column(header, names)) is not None}
    told = {name: _told(name, sheet.texts(column)) for name, column in found.items()}
    taken = {"image_id", *CONTEXT, *found.values(), *id_columns(header)}
    others = [column for column in header if column not in taken and not column.startswith(("score/", "truth/"))]
    return pd.DataFrame(told, index=sheet.frame.index).join(sheet.frame[others])


@dataclass(frozen=True, eq=False)
class JoinedContext:
    """The context of the images that two tables have in common.

    Args:
        frame: a row per image; `image_id` and `patient_id` always, of the rest what one of the tables tells.
        warnings: what the reader of any figure must know of it, a sentence each.
    """

    frame: pd.DataFrame
    warnings: tuple[str, ...]


def join_context(scores: pd.DataFrame, truth: pd.DataFrame, images: pd.Series[str]) -> JoinedContext:
    """Bring together what two tables tell: what the truth tells counts, and where it tells nothing, what the scores tell.

    Args:
        scores, truth: as `context_of` gives them, a row per common image, in the same order.
        images: the ids of these images.

    Raises:
        DataError: a patient is told for some images, but not for all; names the image.
    """
    warnings = list(_unlike_patients(scores, truth))
    columns = {"image_id": images, **{name: _filled(truth, scores, name) for name in dict.fromkeys((*truth, *scores))}}
    patients = columns.get("patient_id")
    if patients is None or (patients == "").all():
        columns["patient_id"] = images
        warnings.append(
            "No table tells the patients: each image is taken for a patient of its own. Where a patient has several images, "
            "all intervals are too narrow."
        )
    elif (patients == "").any():
        blank = (patients == "").to_numpy()
        raise DataError(f"image {images.iloc[int(blank.argmax())]}: the patient is blank; {int(blank.sum())} rows in all")
    if "study_id" in columns:
        columns["study_id"] = columns["study_id"].where(columns["study_id"] != "", NOT_TOLD)
    return JoinedContext(pd.DataFrame(columns, index=images.index), tuple(warnings))


def _filled(first: pd.DataFrame, second: pd.DataFrame, name: str) -> pd.Series[Any]:
    """A column of one table; where that tells nothing of the context, of the other."""
    if name not in first:
        return second[name]
    if name not in second or name not in CONTEXT:
        return first[name]
    untold = first[name].isna() | first[name].isin(["", NOT_TOLD])
    return first[name].where(~untold, second[name])


def _unlike_patients(scores: pd.DataFrame, truth: pd.DataFrame) -> Iterator[str]:
    if "patient_id" not in scores or "patient_id" not in truth:
        return
    pairs = pd.DataFrame({"scores": scores["patient_id"], "truth": truth["patient_id"]})
    pairs = pairs[(pairs != "").all(axis=1)].drop_duplicates()
    if pairs["scores"].duplicated().any() or pairs["truth"].duplicated().any():
        yield (
            "The two tables divide the images among patients in different ways; those of the truth are taken. "
            "Make sure that the ids of the images mean the same in both."
        )


def _told(name: str, texts: pd.Series[str]) -> pd.Series[str]:
    if name == "view":
        return _each(texts, parse_view)
    if name == "sex":
        return _each(texts, parse_sex)
    if name == "age_years":
        return _each(texts, lambda text: pooled_age(text)[0])
    blank = texts.str.casefold().isin(BLANKS)
    return texts.where(~blank, "" if name in ("patient_id", "study_id") else NOT_TOLD)


def _each(texts: pd.Series[str], function: Callable[[str], object]) -> pd.Series[str]:
    """A function of each text, called once for each distinct one."""
    codes, kinds = pd.factorize(texts)
    return pd.Series(np.array([function(kind) for kind in kinds])[codes], index=texts.index)
