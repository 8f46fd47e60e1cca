"""How a label table is laid out: a YAML file under data_manifests/, so that a new table needs no code."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError

from cxr.config import Section
from cxr.errors import ConfigError
from cxr.yamlfile import read_mapping


def _compiles(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from error
    return text


Pattern = Annotated[str, AfterValidator(_compiles)]


class FindingsInOneColumn(Section):
    """The findings of an image stand in one cell; a finding that is not listed is blank."""

    layout: Literal["list"]
    column: str
    separator: str = "|"
    none: tuple[str, ...] = Field((), description="entries that stand for no finding at all")


class FindingsInColumns(Section):
    """Each finding has its own column."""

    layout: Literal["columns"]
    positive: tuple[str, ...] = ("1", "1.0")
    negative: tuple[str, ...] = ("0", "0.0")
    uncertain: tuple[str, ...] = ("-1", "-1.0")
    blank: tuple[str, ...] = ("",)


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
    sex: str | None = None
    age: str | None = None
    findings: Annotated[FindingsInOneColumn | FindingsInColumns, Field(discriminator="layout")]

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

    def key_of(self, cell: str) -> str:
        """What is compared with a file: the stem of a file name, the end of a path, else the cell itself."""
        cell = cell.strip()
        if self.key_is == "file":
            return PurePosixPath(cell).stem
        return (
            "/".join(PurePosixPath(cell).with_suffix("").parts[-self.key_parts :]) if self.key_is == "path" and cell else cell
        )


def read_format(path: Path) -> TableFormat:
    """Read a layout.

    Raises:
        ConfigError: the file does not describe one.
    """
    try:
        return TableFormat.model_validate(read_mapping(path))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ConfigError(f"{path}: no such file") from error
    except ValidationError as error:
        problem = error.errors()[0]
        raise ConfigError(f"{path}: {'.'.join(map(str, problem['loc'])) or 'layout'}: {problem['msg']}") from error
