"""What becomes of each label when a model is retrained: kept, renamed, split, added, dropped.

Labels are matched by their names and synonyms, then by the shared concepts. A new label that is a kind of an older one (viral
pneumonia, of pneumonia) comes from splitting it, and starts from its branch: what the older label looks for is nearer to it
than chance is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from cxr.errors import ConfigError
from cxr.labels.concepts import Vocabulary, read_concepts
from cxr.labels.label_set import Label, LabelSet

Change = Literal["kept", "renamed", "split", "added"]


@dataclass(frozen=True)
class Origin:
    """Where a label of the new model comes from.

    Args:
        label: its name.
        change: kept and renamed mean the same as `older`; split is a kind of it; added has none.
        older: the label of the older model that it starts from; empty for one that is added.

    Raises:
        ValueError: an added label has an older one, or another has none.
    """

    label: str
    change: Change
    older: str = ""

    def __post_init__(self) -> None:
        if (self.change == "added") == bool(self.older):
            raise ValueError(f"{self.label}: {self.change} from '{self.older}'")


@dataclass(frozen=True)
class LabelPlan:
    """What becomes of all labels.

    Args:
        older, newer: the label sets.
        origins: one per label of `newer`, in its order.
    """

    older: LabelSet
    newer: LabelSet
    origins: tuple[Origin, ...]
    disowned: Mapping[str, str] = field(default_factory=dict)
    """Labels that mean the same by their names, and of which the user says that they do not: new name to older name."""

    @cached_property
    def compared(self) -> dict[str, str]:
        """Of labels that mean the same as an older one: new name to older name."""
        return {each.label: each.older for each in self.origins if each.change in ("kept", "renamed")}

    @cached_property
    def starts(self) -> dict[str, str]:
        """Of labels that start from an older one's weights: new name to older name."""
        return {each.label: each.older for each in self.origins if each.older}

    @cached_property
    def dropped(self) -> tuple[str, ...]:
        """Labels of the older model that no new one comes from."""
        return tuple(name for name in self.older.names if name not in self.starts.values())


def plan_labels(older: LabelSet, newer: LabelSet, own: Mapping[str, str | None]) -> LabelPlan:
    """Find out what becomes of each label.

    Args:
        older: of the older model.
        newer: of the new one.
        own: the user's word for labels of `newer`: the older label that each starts from, None for none; it means the same
            where nothing says that it is a kind of it.

    Raises:
        ConfigError: a name in `own` is in neither set, or several older labels mean what one new label means.
    """
    _refuse_strangers(older, newer, own)
    vocabulary = read_concepts()
    kept = _kept([label for label in newer.labels if label.name not in own], older, vocabulary)
    origins = tuple(_origin(label, older, newer, own, kept, vocabulary) for label in newer.labels)
    denied = (label for label in newer.labels if label.name in own and own[label.name] is None)
    disowned = {label.name: same for label in denied if (same := _same(label, older, vocabulary)) is not None}
    return LabelPlan(older, newer, origins, disowned)


def _refuse_strangers(older: LabelSet, newer: LabelSet, own: Mapping[str, str | None]) -> None:
    for name, start in own.items():
        if name not in newer.names:
            raise ConfigError(f"retrain.labels: '{name}' is no label of {newer.name}; there are: {', '.join(newer.names)}")
        if start is not None and start not in older.names:
            raise ConfigError(
                f"retrain.labels: {name}: '{start}' is no label of the older model; there are: {', '.join(older.names)}"
            )


def _kept(labels: Sequence[Label], older: LabelSet, vocabulary: Vocabulary) -> dict[str, str]:
    """Of new labels that mean the same as an older one: new name to older name; no older label stands twice.

    Where several new ones mean the same older one, the one of its name is it, else the one that shares a word with it; where
    that leaves several, none is.
    """
    claims: dict[str, list[tuple[bool, bool, str]]] = {}
    for label in labels:
        if (same := _same(label, older, vocabulary)) is not None:
            by_text = same in {found.name for found in _by_text(label, older)}
            claims.setdefault(same, []).append((label.name != same, not by_text, label.name))
    best = {same: sorted(found) for same, found in claims.items()}
    return {found[0][2]: same for same, found in best.items() if len(found) == 1 or found[0][:2] != found[1][:2]}


def _by_text(label: Label, older: LabelSet) -> list[Label]:
    return [found for text in (label.name, *label.synonyms) if (found := older.find(text)) is not None]


def _same(label: Label, older: LabelSet, vocabulary: Vocabulary) -> str | None:
    """The older label that means the same: by name, else by a synonym of either, else by the concept."""
    if label.name in older.names:
        return label.name
    by_text = [found.name for found in _by_text(label, older)]
    concept = vocabulary.concept_of(label)
    by_concept = [each.name for each in older.labels if concept is not None and vocabulary.concept_of(each) == concept]
    names = tuple(dict.fromkeys(by_text or by_concept))
    if len(names) > 1:
        raise ConfigError(
            f"retrain.labels: {label.name} means the same as {' and as '.join(names)} of the older model; say which one: "
            f"retrain: {{labels: {{{label.name}: {names[0]}}}}}"
        )
    return names[0] if names else None


def _origin(
    label: Label,
    older: LabelSet,
    newer: LabelSet,
    own: Mapping[str, str | None],
    kept: Mapping[str, str],
    vocabulary: Vocabulary,
) -> Origin:
    general = _general(label, older, newer, own, kept, vocabulary)
    if label.name in own:
        start = own[label.name]
        if start is None:
            return Origin(label.name, "added")
        split = start in general or start in kept.values() or list(own.values()).count(start) > 1
        return Origin(label.name, "split" if split else "kept" if start == label.name else "renamed", start)
    if label.name in kept:
        start = kept[label.name]
        return Origin(label.name, "kept" if start == label.name else "renamed", start)
    start = _same(label, older, vocabulary) or next(iter(general), "")  # one that means the same, but was another's
    return Origin(label.name, "split", start) if start else Origin(label.name, "added")


def _general(
    label: Label,
    older: LabelSet,
    newer: LabelSet,
    own: Mapping[str, str | None],
    kept: Mapping[str, str],
    vocabulary: Vocabulary,
) -> tuple[str, ...]:
    """Older labels that a new one is a kind of, nearest first: by the new set's own hierarchy, then by the concepts."""
    by_parent = [start for name in newer.lineage(label) if (start := own.get(name, kept.get(name))) is not None]
    concept = vocabulary.concept_of(label)
    above = vocabulary.above(concept) if concept is not None else frozenset()
    concepts = {each.name: vocabulary.concept_of(each) for each in older.labels}
    by_concept = [name for name, concept in concepts.items() if concept is not None and concept in above]
    # a concept that has many above it is the nearer one
    by_concept.sort(key=lambda name: -len(vocabulary.above(concepts[name] or "")))
    return tuple(dict.fromkeys([*by_parent, *by_concept]))
