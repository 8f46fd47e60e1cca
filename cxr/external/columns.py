"""Which column of a table means what: by its name, whole, never by its place and never by a part of a label's name.

Names are compared without regard to case, spaces, and the signs _ - / . and :. A column of a label has one of its names (the
name itself or a synonym), alone, or with one word in front or behind that says what the column holds: `score/Mass`,
`Mass_prob`, `truth/Mass`, `mass label`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cxr.errors import DataError
from cxr.labels.label_set import Label, LabelSet

SCORE_WORDS = ("score", "scores", "prob", "probs", "proba", "probability", "pred", "preds", "prediction")
TRUTH_WORDS = ("truth", "true", "label", "target", "gt")
IDS = (
    *("imageid", "imageindex", "image", "imagename", "imagefile", "imagepath", "dicomid", "sopinstanceuid", "instanceuid"),
    *("path", "filepath", "filename", "file", "sourcename", "uid", "id"),
)
"""Names of a column that names the image, those that say most first."""
CONTEXT = {
    "patient_id": ("patientid", "patient", "subjectid", "subject"),
    "study_id": ("studyid", "study", "studyinstanceuid", "accessionnumber"),
    "view": ("view", "viewposition", "projection"),
    "sex": ("sex", "gender", "patientsex", "patientgender"),
    "age_years": ("ageyears", "age", "patientage"),
    "manufacturer": ("manufacturer",),
    "source": ("source",),
    "source_name": ("sourcename",),
    "split": ("split",),
}
"""Names of columns that tell the context of an image, by the name that a prediction table gives them."""
_SIGNS = re.compile(r"[\s_\-/.:]+")


@dataclass(frozen=True)
class LabelColumns:
    """The columns of labels in one table.

    Args:
        scores: column by label, of those that say they hold scores.
        truth: column by label, of those that say they hold the truth.
        bare: column by label, of those named like the label alone.
    """

    scores: dict[str, str]
    truth: dict[str, str]
    bare: dict[str, str]

    @property
    def all(self) -> set[str]:
        """Every column of a label."""
        return {*self.scores.values(), *self.truth.values(), *self.bare.values()}


def plain(name: str) -> str:
    """A name as it is compared: in small letters, without spaces and signs."""
    return _SIGNS.sub("", name.casefold())


def label_columns(path: Path, header: Sequence[str], labels: LabelSet) -> LabelColumns:
    """Find the columns of labels.

    Raises:
        DataError: a column may mean two labels, or two columns of one kind mean one label; names them.
    """
    names = _Names(path, labels)
    kinds: tuple[dict[str, list[str]], ...] = ({}, {}, {})
    for column in header:
        found = names.find(column)
        if found is not None:
            kind, label = found
            kinds[kind].setdefault(label.name, []).append(column)
    return LabelColumns(*(_one_each(path, kind) for kind in kinds))


def find_column(header: Iterable[str], names: Sequence[str]) -> str | None:
    """The column with the first of these names that there is, each as `plain` gives it; None where there is none."""
    by_name = {plain(column): column for column in reversed(list(header))}
    return next((by_name[name] for name in names if name in by_name), None)


def id_columns(header: Iterable[str]) -> list[str]:
    """The columns that may name the image, the likeliest first; see `IDS`."""
    columns = list(header)
    return [column for name in IDS for column in columns if plain(column) == name]


_SCORES, _TRUTH, _BARE = range(3)


class _Names:
    """The names of all labels as columns are compared with them."""

    def __init__(self, path: Path, labels: LabelSet) -> None:
        self._path, self._labels = path, labels
        self._by_name: dict[str, list[Label]] = {}
        for label in labels.labels:
            for name in {plain(text) for text in (label.name, *label.synonyms)}:
                self._by_name.setdefault(name, []).append(label)

    def find(self, column: str) -> tuple[int, Label] | None:
        """What a column holds, and the label that it means; None where it means none."""
        bare = self._label(column, column)
        if bare is not None:
            return _BARE, bare
        parts = _SIGNS.split(column.strip().casefold())
        for kind, words in ((_SCORES, SCORE_WORDS), (_TRUTH, TRUTH_WORDS)):
            for word, rest in ((parts[0], parts[1:]), (parts[-1], parts[:-1])):
                label = self._label(column, " ".join(rest)) if word in words else None
                if label is not None:
                    return kind, label
        return None

    def _label(self, column: str, text: str) -> Label | None:
        exact = self._labels.find(text)
        found = self._by_name.get(plain(text), []) if exact is None else [exact]
        if len(found) > 1:
            raise DataError(
                f"{self._path}: column '{column}' may mean {' or '.join(label.name for label in found)}; "
                "rename it to the label's own name"
            )
        return found[0] if found else None


def _one_each(path: Path, columns: dict[str, list[str]]) -> dict[str, str]:
    for label, several in columns.items():
        if len(several) > 1:
            listed = ", ".join(f"'{column}'" for column in several)
            raise DataError(f"{path}: label '{label}' has {len(several)} columns: {listed}; rename or remove all but one")
    return {label: several[0] for label, several in columns.items()}
