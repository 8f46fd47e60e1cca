"""How a label table is laid out: a YAML file under data_manifests/, so that a new table needs no code."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from cxr.invalid import read_model
from cxr.section import Section


def _compiles(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from error
    return text


_SUFFIXES = frozenset(["png", "jpg", "jpeg", "jp2", "j2k", "tif", "tiff", "bmp", "webp", "dcm", "dicom", "dic", "ima", "gz"])

Pattern = Annotated[str, AfterValidator(_compiles)]


class FindingsInOneColumn(Section):
    """The findings of an image stand in one cell; a finding that is not listed is blank."""

    layout: Literal["list"]
    column: str
    separator: str = Field("|", min_length=1, description="what stands between the entries of a cell")
    quoted: bool = Field(False, description="a cell is written like ['first', 'second'], whatever the separator")
    none: tuple[str, ...] = Field((), description="entries that stand for no finding at all")
    none_beside: Literal["refuse", "findings"] = Field(
        "refuse", description="an entry of `none` beside a finding: refused, or the finding counts and `none` is uncertain"
    )
    unsaid: tuple[str, ...] = Field(
        (), description="entries beside which a finding that is not listed stays unknown; '' stands for an empty cell"
    )
    specific: bool = Field(False, description="a cell lists the most specific findings only: their parents are there, too")
    passed_over: tuple[str, ...] | Literal["all"] = Field(
        (), description="entries that are no label and are left out and counted; any other is refused, unless it says all"
    )
    silent: tuple[str, ...] = Field((), description="labels of the set that such a table never names: they stay unknown")


class FindingsInColumns(Section):
    """Each finding has its own column."""

    layout: Literal["columns"]
    positive: tuple[str, ...] = ("1", "1.0")
    negative: tuple[str, ...] = ("0", "0.0")
    uncertain: tuple[str, ...] = ("-1", "-1.0")
    blank: tuple[str, ...] = ("",)

    @model_validator(mode="after")
    def _one_meaning(self) -> Self:
        cells = Counter((*self.positive, *self.negative, *self.uncertain, *self.blank))
        twice = [cell for cell, count in cells.items() if count > 1]
        if twice:
            raise ValueError(f"the cell '{twice[0]}' is given more than one meaning")
        return self


class FindingsAsClasses(Section):
    """One column gives the class of the image; what a class says of a finding stands here, all else is blank."""

    layout: Literal["classes"]
    column: str
    classes: dict[str, dict[str, Literal["positive", "negative", "uncertain"]]] = Field(min_length=1)


Findings = Annotated[FindingsInOneColumn | FindingsInColumns | FindingsAsClasses, Field(discriminator="layout")]


class TableFormat(Section):
    """The layout of a label table."""

    key: str = Field(description="the column that names the image")
    key_is: Literal["file", "path", "SOPInstanceUID", "StudyInstanceUID", "AccessionNumber"] = Field(
        "file",
        description="what the key holds: a file name, matched by its stem; a path; or an attribute of the DICOM file",
    )
    key_parts: int = Field(1, ge=1, description="of a path, how many of its last parts are compared")
    patient: str | None = None
    patient_pattern: Pattern | None = Field(None, description="regular expression that finds the patient in its cell")
    study: str | None = None
    study_pattern: Pattern | None = Field(None, description="regular expression that finds the study in its cell")
    view: str | tuple[str, ...] | None = Field(None, description="column of the view, or the columns that tell it together")
    views: dict[str, Literal["PA", "AP", "LATERAL", "unknown"]] = Field(
        default_factory=dict, description="what cells of the view mean that are no words of DICOM"
    )
    sex: str | None = None
    age: str | None = None
    age_missing: tuple[str, ...] = Field((), description="cells of the age that stand for none, like 0")
    birth: str | None = Field(None, description="column that begins with the year of birth, where there is no age")
    date: str | None = Field(None, description="column that begins with the year of the study, for the age")
    images_on: tuple[str, ...] = Field(
        (),
        description="columns that the label table and a second table of the images share; all columns named above are "
        "then of that second table, and only the findings of the label table",
    )
    several_rows: Literal["refuse", "boxes"] = Field(
        "refuse", description="boxes: an image has a row per box, and what one of its rows says is said of the image"
    )
    reader: str | None = Field(None, description="column that names the reader, where several have read an image")
    agreement: Literal["majority", "unanimous", "any"] = Field(
        "majority", description="how many of the readers make a finding positive or negative; else it is uncertain"
    )
    findings: Findings

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if (self.birth is None) != (self.date is None) or (self.birth and self.age):
            raise ValueError("'birth' and 'date' belong together, and stand in the place of 'age'")
        if self.images_on and (self.reader or self.several_rows == "boxes"):
            raise ValueError("'images_on' needs a label table with one row per image or study")
        return self

    @property
    def of_file(self) -> bool:
        """Whether the key is told by where a file lies, not by what it holds."""
        return self.key_is in ("file", "path")

    @property
    def of_study(self) -> bool:
        """Whether a row stands for all images of a study."""
        return self.key_is in ("StudyInstanceUID", "AccessionNumber")

    @property
    def view_columns(self) -> tuple[str, ...]:
        """The columns that tell the view."""
        return (self.view,) if isinstance(self.view, str) else self.view or ()

    @property
    def context_columns(self) -> tuple[str, ...]:
        """The columns that tell what an image is of, each once."""
        named = (self.patient, self.study, *self.view_columns, self.sex, self.age, self.birth, self.date)
        return tuple(dict.fromkeys(filter(None, named)))

    def key_of(self, cell: str) -> str:
        """What is compared with a file: the stem of a file name, the end of a path, else the cell itself."""
        cell = cell.strip()
        if not self.of_file:
            return cell
        if self.key_is == "file":
            return _stem(cell)
        parts = [part for part in cell.split("/") if part not in ("", ".")]  # as pathlib, at a quarter of its time
        return "/".join((*parts[-self.key_parts : -1], _stem(parts[-1]))) if parts else ""


def _stem(path: str) -> str:
    """The name of a file without the suffix of an image; what else follows a dot belongs to the name, as in a UID."""
    name = path.rpartition("/")[2]
    if name in ("", ".", ".."):  # pathlib looks further up, and takes ten times as long
        name = PurePosixPath(path).name
    stem, _, suffix = name.rpartition(".")
    return stem if stem and suffix.casefold() in _SUFFIXES else name


def read_format(path: Path) -> TableFormat:
    """Read a layout.

    Raises:
        ConfigError: the file does not describe one.
    """
    return read_model(path, TableFormat, FindingsInOneColumn, FindingsInColumns, FindingsAsClasses)
