"""The typed configuration of a source: where radiographs come from, and the tables that label them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from cxr.config_paths import ExistingFile, ExistingFolder, ExistingPath, SecretFile, TableFormatFile, nearest_path, one_file
from cxr.section import NAME, Fraction, Section

_IMAGE_TABLE = "a second table, of the images, where the format asks for one; where `table` is, too"


class PhantomSource(Section):
    """A cohort of synthetic thorax radiographs, written as DICOM files and then read like any hospital's."""

    kind: Literal["phantom"]
    patients: int = Field(400, ge=10, description="patients in the cohort")
    images_per_patient: int = Field(3, ge=1, le=8, description="most images of one patient; one to this many are drawn")
    matrix: int = Field(384, ge=64, le=4096, description="longer side of a radiograph, in pixels")
    uncertain: Fraction = Field(0.04, description="share of label cells written as uncertain (-1)")
    blank: Fraction = Field(0.04, description="share of label cells left blank")
    broken_files: int = Field(6, ge=0, description="files damaged on purpose")
    workers: int = Field(2, ge=1, description="processes that draw and write")


class ConfidentialSource(Section, ABC):
    """What every source of confidential DICOM files has."""

    name: str = Field("hospital", pattern=NAME, description="short name of the source; it starts every pseudonym")
    format: TableFormatFile | None = Field(None, description="how the table is laid out: a shipped name or a YAML file")
    key_file: SecretFile = Field(description="the key of the pseudonyms; make one with `cxr key`, keep it elsewhere")

    @model_validator(mode="after")
    def _table_has_format(self) -> Self:
        if (self.table_file is None) != (self.format is None):
            raise ValueError("'table' and 'format' belong together: name both, or neither")
        return self

    @property
    @abstractmethod
    def table_file(self) -> Path | None:
        """The label table, if there is one."""

    @property
    @abstractmethod
    def image_table_file(self) -> Path | None:
        """The table of the images, if there is one."""


class DicomSource(ConfidentialSource):
    """DICOM files on disk, with a table of labels."""

    kind: Literal["dicom"]
    root: ExistingPath = Field(
        description="folder of DICOM files, with its sub-folders and zip files; or a zip file, or a DICOMDIR"
    )
    table: str | None = Field(None, description="the label table, inside root; a pattern with * must match one file")
    image_table: str | None = Field(None, description=_IMAGE_TABLE)

    @property
    def table_file(self) -> Path | None:
        """The label table, if there is one."""
        return None if self.table is None else Path(self.folder / self.table)

    @property
    def image_table_file(self) -> Path | None:
        """The table of the images, if there is one."""
        return None if self.image_table is None else Path(self.folder / self.image_table)

    @property
    def tables(self) -> tuple[str, ...]:
        """The files inside root that are tables, and no images."""
        return tuple(filter(None, (self.table, self.image_table)))

    @property
    def folder(self) -> Path:
        """The folder that root is, or lies in."""
        return self.root if self.root.is_dir() else self.root.parent

    @field_validator("table", "image_table")
    @classmethod
    def _one_table(cls, pattern: str | None, info: ValidationInfo) -> str | None:
        root: Path | None = info.data.get("root")
        return pattern if pattern is None or root is None else one_file(pattern, root if root.is_dir() else root.parent)

    @model_validator(mode="after")
    def _key_apart(self) -> Self:
        if self.key_file.is_relative_to(self.folder):
            raise ValueError(f"'{self.key_file.name}' lies in source.root; the key must not be kept with the data")
        return self


class DicomwebSource(ConfidentialSource):
    """Studies in a PACS, over DICOMweb (QIDO-RS and WADO-RS, PS3.18)."""

    kind: Literal["dicomweb"]
    url: str = Field(pattern=r"^https?://", description="root of the DICOMweb service, like https://pacs.example/dicom-web")
    query: Annotated[dict[str, str], "confidential"] = Field(
        default_factory=dict, description="which studies, as QIDO-RS matches them, like StudyDate: 20240101-20241231"
    )
    table: ExistingFile | None = Field(None, description="the label table")
    image_table: ExistingFile | None = Field(None, description=_IMAGE_TABLE)
    credentials: str | None = Field(
        None, description="name of the environment variable that holds user:password or a bearer token"
    )
    timeout_seconds: float = Field(30, gt=0, description="longest wait for one answer")
    patience_seconds: float = Field(300, ge=0, description="longest wait for a server that is down, before the stage stops")

    @property
    def table_file(self) -> Path | None:
        """The label table, if there is one."""
        return self.table

    @property
    def image_table_file(self) -> Path | None:
        """The table of the images, if there is one."""
        return self.image_table


class OfficialLists(Section):
    """Published lists of image names, one a line, that fix the test set."""

    train_val: str = Field(description="list of the images to train on and, without `val`, to validate on; inside source.root")
    val: str | None = Field(None, description="list of the validation images, inside source.root; without it they are drawn")
    test: str = Field(description="list of the test images, inside source.root")


class OfficialFiles(Section):
    """Where published lists lie."""

    train_val: Path
    val: Path | None
    test: Path
    format: Path  # how the images are named


class ImagesSource(Section):
    """A folder of PNG or JPEG files of a public, de-identified data set, with its published table."""

    kind: Literal["images"]
    name: str = Field("images", pattern=NAME, description="short name of the data set; it starts every patient id")
    root: ExistingFolder = Field(description="folder that is searched for images, with its sub-folders")
    table: str = Field(description="the data set's table, inside root; a pattern with * must match one file")
    image_table: str | None = Field(None, description=_IMAGE_TABLE)
    format: TableFormatFile = Field(description="how the table is laid out: a shipped name or a YAML file")
    official: OfficialLists | None = Field(None, description="published split lists; without them patients are drawn")

    @property
    def table_file(self) -> Path:
        """The data set's table."""
        return Path(self.root / self.table)

    @property
    def image_table_file(self) -> Path | None:
        """The table of the images, if there is one."""
        return None if self.image_table is None else Path(self.root / self.image_table)

    @property
    def tables(self) -> tuple[str, ...]:
        """The files inside root that are tables, and no images."""
        return tuple(filter(None, (self.table, self.image_table)))

    @property
    def official_files(self) -> OfficialFiles | None:
        """The published lists, if there are any."""
        if self.official is None:
            return None
        val = None if self.official.val is None else self.root / self.official.val
        return OfficialFiles(
            train_val=self.root / self.official.train_val, val=val, test=self.root / self.official.test, format=self.format
        )

    @field_validator("table", "image_table")
    @classmethod
    def _one_table(cls, pattern: str | None, info: ValidationInfo) -> str | None:
        return pattern if pattern is None else one_file(pattern, info.data.get("root"))

    @field_validator("official")
    @classmethod
    def _lists_exist(cls, lists: OfficialLists | None, info: ValidationInfo) -> OfficialLists | None:
        root: Path | None = info.data.get("root")
        if lists is None or root is None:
            return lists
        for name in filter(None, (lists.train_val, lists.val, lists.test)):
            if not (root / name).is_file():
                raise ValueError(f"no such file: {root / name}{nearest_path(root / name)}")
        return lists


Source = Annotated[PhantomSource | DicomSource | DicomwebSource | ImagesSource, Field(discriminator="kind")]
