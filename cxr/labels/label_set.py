"""Label sets: the names of the findings, their synonyms and hierarchy, and what uncertain and blank cells mean.

A label cell is one of four values from ingest to evaluation: negative, positive, uncertain, unknown. Two policies turn
cells into numbers, at two different moments:

* ``blank`` is applied once, when a table has been read: a blank cell becomes unknown or negative, as the label set says.
* ``uncertain`` is applied when targets are made: an uncertain cell is ignored, or becomes 0, 1 or a soft value.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from cxr.errors import ConfigError
from cxr.invalid import read_model
from cxr.labels.shipped import SHIPPED, shipped_names
from cxr.labels.values import BLANK, NEGATIVE, UNKNOWN, Codes

SoftValue = Annotated[float, Field(ge=0, le=1, strict=True)]  # YAML reads "no" as false, which is no number


class Label(BaseModel):
    """One finding of a label set.

    Args:
        name: as results show it.
        synonyms: other names of the same finding, compared whole and without regard to case.
        parent: the more general finding of the same set: what is positive here is positive there, too.
        sided: whether left and right matter, so that a mirrored image would be mislabelled.
        uncertain: what an uncertain cell is when targets are made; a number in [0, 1] is a soft target.
        blank: what a blank cell is when a table is read.
        concept: its entry among the shared concepts; by default the one with its name or a synonym of it.
        excludes: findings that cannot be positive beside it, as beside No Finding.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    synonyms: tuple[str, ...] = ()
    parent: str | None = None
    sided: bool = False
    uncertain: Literal["ignore", "negative", "positive"] | SoftValue = "ignore"
    blank: Literal["unknown", "negative"] = "unknown"
    concept: str | None = None
    excludes: tuple[str, ...] = ()

    @property
    def uncertain_target(self) -> float:
        """The training target of an uncertain cell, in [0, 1], or NaN where such cells are ignored."""
        named = {"ignore": float("nan"), "negative": 0.0, "positive": 1.0}
        return named[self.uncertain] if isinstance(self.uncertain, str) else self.uncertain

    @property
    def blank_code(self) -> int:
        """The code that a blank cell becomes when a table is read."""
        return UNKNOWN if self.blank == "unknown" else NEGATIVE


class LabelSet(BaseModel):
    """An ordered vocabulary of findings; a name or synonym means exactly one of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    title: str = ""
    reference: str = ""
    labels: tuple[Label, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _unambiguous(self) -> LabelSet:
        seen: dict[str, str] = {}
        for label in self.labels:
            for text in {label.name.casefold(), *(synonym.casefold() for synonym in label.synonyms)}:
                if text in seen:
                    raise ValueError(f"'{text}' stands for both {seen[text]} and {label.name}")
                seen[text] = label.name
        for label in self.labels:
            self._check_ancestry(label)
            self._check_excludes(label)
        return self

    def only(self, names: Collection[str]) -> LabelSet:
        """The set with these labels alone; the parent of one is then the nearest of those above it."""
        kept = []
        for label in self.labels:
            if label.name in names:
                parent = next((name for name in self.lineage(label) if name in names), None)
                excludes = tuple(name for name in label.excludes if name in names)
                kept.append(label.model_copy(update={"parent": parent, "excludes": excludes}))
        return LabelSet(name=self.name, title=self.title, reference=self.reference, labels=tuple(kept))

    def _check_excludes(self, label: Label) -> None:
        for other in label.excludes:
            if other not in self.names or other == label.name:
                raise ValueError(f"{label.name} excludes '{other}', which is no other label of this set")

    def _check_ancestry(self, label: Label) -> None:
        by_name = {other.name: other for other in self.labels}
        lineage = [label.name]
        parent = label.parent
        while parent is not None:
            if parent not in by_name:
                raise ValueError(f"parent '{parent}' of {lineage[-1]} is not a label of this set")
            if parent in lineage:
                raise ValueError(f"{parent} is its own ancestor")
            lineage.append(parent)
            parent = by_name[parent].parent

    @property
    def names(self) -> tuple[str, ...]:
        """The label names, in the order of every matrix of this label set."""
        return tuple(label.name for label in self.labels)

    def lineage(self, label: Label) -> tuple[str, ...]:
        """The parent of a label, its parent, and so on."""
        by_name = {other.name: other for other in self.labels}
        found: list[str] = []
        while (parent := by_name[found[-1] if found else label.name].parent) is not None:
            found.append(parent)
        return tuple(found)

    def settle(self, codes: Codes) -> Codes:
        """Codes of a table's cells, with blank made unknown or negative, as each label says.

        Args:
            codes: int8 [rows, labels], 0 to 3 as in `cxr.labels.values.VALUES`, or `BLANK`.

        Returns:
            int8 [rows, labels], 0 to 3.
        """
        blank = np.array([label.blank_code for label in self.labels], np.int8)
        return np.where(codes == BLANK, blank, codes)

    def find(self, text: str) -> Label | None:
        """The label that a name or synonym means, compared whole and without regard to case; None where there is none."""
        return self._by_text.get(text.strip().casefold())

    @cached_property
    def _by_text(self) -> dict[str, Label]:
        return {text.casefold(): label for label in self.labels for text in (label.name, *label.synonyms)}

    def targets(self, codes: Codes) -> npt.NDArray[np.float32]:
        """Training targets of label codes.

        Args:
            codes: int8 [images, labels], values 0 to 3 as in `cxr.labels.values.VALUES`.

        Returns:
            float32 [images, labels] in [0, 1], NaN where the cell teaches nothing.
        """
        table = np.array([[0.0, 1.0, label.uncertain_target, np.nan] for label in self.labels], np.float32)
        return table[np.arange(len(self.labels)), codes]

    def truth(self, codes: Codes) -> npt.NDArray[np.float32]:
        """Evaluation truth of label codes: as `targets`, but a soft value, which is no truth, becomes NaN.

        Args:
            codes: int8 [images, labels], values 0 to 3 as in `cxr.labels.values.VALUES`.

        Returns:
            float32 [images, labels], each 0, 1 or NaN (not evaluated).
        """
        targets = self.targets(codes)
        return np.where((targets == 0) | (targets == 1), targets, np.float32("nan"))


def find_label_set(reference: str, base: Path) -> Path:
    """The file that a label set's name or path means.

    Args:
        reference: a shipped name ("nih14"), or the path of a YAML file.
        base: the folder that a relative path starts from.

    Raises:
        ConfigError: neither a shipped name nor a file.
    """
    for candidate in (SHIPPED / reference / "labels.yaml", base / reference):
        if candidate.is_file():
            return candidate.resolve()
    shipped = shipped_names("labels.yaml")
    raise ConfigError(f"no label set '{reference}': neither a file nor one of the shipped sets ({shipped})")


def read_label_set(path: Path) -> LabelSet:
    """Read a label set from a YAML file.

    Raises:
        ConfigError: the file is missing, is no YAML, or does not describe a label set.
    """
    return read_model(path, LabelSet, Label)
