"""From one label set to another: which labels mean the same, which are kinds of another, and what follows for each image.

What does not follow stays unknown. A mapping is derived from the shared concepts; a file can say otherwise, label by label.
"""

from __future__ import annotations

from collections.abc import Mapping as Texts
from collections.abc import Set
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from cxr.errors import ConfigError
from cxr.labels.concepts import Vocabulary
from cxr.labels.label_set import LabelSet
from cxr.labels.values import NEGATIVE, POSITIVE, UNCERTAIN, UNKNOWN, Codes
from cxr.yamlfile import read_mapping as read_yaml


class Rule(BaseModel):
    """What the labels of one set say of one label of another.

    Args:
        same: labels that mean the same: their value is its value.
        covers: labels that are kinds of it: a positive one makes it positive, whatever a more general label says.
        covered_by: labels that it is a kind of: where one is negative, none of its own kinds is positive, and no other one
            of these is positive or uncertain, it is negative.
        doubted_by: labels that it is a kind of, beside `same`: where one is positive and no kind of it is, a `same` that is
            negative only since it was not mentioned is unknown, for it may be what is meant.
        complete: whether `covers` is all there is to it, so that it is negative where all of them are.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    same: tuple[str, ...] = ()
    covers: tuple[str, ...] = ()
    covered_by: tuple[str, ...] = ()
    doubted_by: tuple[str, ...] = ()
    complete: bool = False

    @property
    def sources(self) -> tuple[str, ...]:
        """All labels that it looks at."""
        return (*self.same, *self.covers, *self.covered_by, *self.doubted_by)


_RULES = TypeAdapter(dict[str, Rule])


@dataclass(frozen=True)
class LabelMapping:
    """How labels of one set become labels of another.

    Args:
        source, target: the sets.
        rules: for each label of the target that anything is known of.
        kinds: for labels of the source, the labels of the source that are kinds of it.

    Raises:
        ConfigError: a rule names a label that its set does not have.
    """

    source: LabelSet
    target: LabelSet
    rules: Texts[str, Rule]
    kinds: Texts[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        for name, rule in self.rules.items():
            if name not in self.target.names:
                raise ConfigError(f"mapping: '{name}' is no label of {self.target.name}")
            for other in rule.sources:
                if other not in self.source.names:
                    raise ConfigError(f"mapping: '{other}', named for {name}, is no label of {self.source.name}")

    @property
    def unreached(self) -> tuple[str, ...]:
        """Labels of the target of which nothing is known: unknown in every image."""
        return tuple(name for name in self.target.names if name not in self.rules)

    @property
    def unused(self) -> tuple[str, ...]:
        """Labels of the source that say nothing of any label of the target."""
        used = {name for rule in self.rules.values() for name in rule.sources}
        return tuple(name for name in self.source.names if name not in used)

    def apply(self, codes: Codes) -> Codes:
        """Codes of the target's labels.

        Args:
            codes: int8 [images, labels of the source], 0 to 3 as in `cxr.labels.values.VALUES`.

        Returns:
            int8 [images, labels of the target], 0 to 3.
        """
        lifted = self._lifted(codes)
        mapped = np.full((len(codes), len(self.target.names)), UNKNOWN, np.int8)
        for name, rule in self.rules.items():
            found = self._one(rule, lifted)
            found[(found == NEGATIVE) & self._unspecific(rule.doubted_by, codes, lifted)] = UNKNOWN
            mapped[:, self.target.names.index(name)] = found
        return mapped

    def _unspecific(self, names: tuple[str, ...], codes: Codes, lifted: Codes) -> npt.NDArray[np.bool_]:
        """bool [images]: one of the labels is positive, and no kind of it is."""
        found = np.zeros(len(codes), np.bool_)
        for name in names:
            kinds = (self._columns(self.kinds.get(name, ()), lifted) == POSITIVE).any(axis=1)
            found |= (codes[:, self.source.names.index(name)] == POSITIVE) & ~kinds
        return found

    def _lifted(self, codes: Codes) -> Codes:
        """The codes, general labels positive where a kind of them is: readers leave these at 0 beside a specific finding."""
        lifted = codes.copy()
        for name, kinds in self.kinds.items():
            lifted[(self._columns(kinds, codes) == POSITIVE).any(axis=1), self.source.names.index(name)] = POSITIVE
        return lifted

    def _one(self, rule: Rule, codes: Codes) -> Codes:
        same, covers, covered_by = (self._columns(names, codes) for names in (rule.same, rule.covers, rule.covered_by))
        open_question = np.isin(covered_by, (POSITIVE, UNCERTAIN)).any(axis=1)
        negative = (same == NEGATIVE).any(axis=1) | ((covered_by == NEGATIVE).any(axis=1) & ~open_question)
        if rule.complete and rule.covers:
            negative |= (covers == NEGATIVE).all(axis=1)
        uncertain = (same == UNCERTAIN).any(axis=1) | ((covers == UNCERTAIN).any(axis=1) & ~(same == NEGATIVE).any(axis=1))
        positive = (same == POSITIVE).any(axis=1) | (covers == POSITIVE).any(axis=1)
        conditions: list[npt.NDArray[np.bool_]] = [positive, uncertain, negative]
        return np.select(conditions, [POSITIVE, UNCERTAIN, NEGATIVE], UNKNOWN).astype(np.int8)

    def _columns(self, names: tuple[str, ...], codes: Codes) -> Codes:
        return codes[:, [self.source.names.index(name) for name in names]]


def derive_mapping(source: LabelSet, target: LabelSet, vocabulary: Vocabulary) -> LabelMapping:
    """The mapping that follows from the shared concepts.

    Raises:
        ConfigError: a label names a concept that there is not.
    """
    theirs, ours = _concepts(source, vocabulary), _concepts(target, vocabulary)
    # of itself a set says what it says
    spoken = {label.name for label in source.labels if label.blank == "unknown" or source == target}
    rules = {name: _rule(concept, theirs, spoken, vocabulary) for name, concept in ours.items()}
    kinds = {name: _kinds(concept, theirs, vocabulary) for name, concept in theirs.items()}
    found = {name: rule for name, rule in rules.items() if rule.sources}
    return LabelMapping(source, target, found, {name: below for name, below in kinds.items() if below})


def _concepts(labels: LabelSet, vocabulary: Vocabulary) -> dict[str, str]:
    """The concept of each label; its own name where there is none, so that labels of one name mean the same."""
    return {label.name: vocabulary.concept_of(label) or label.name.casefold() for label in labels.labels}


def _kinds(concept: str, theirs: Texts[str, str], vocabulary: Vocabulary) -> tuple[str, ...]:
    return tuple(name for name, other in theirs.items() if concept in vocabulary.above(other))


def _rule(concept: str, theirs: Texts[str, str], spoken: Set[str], vocabulary: Vocabulary) -> Rule:
    """The rule for a concept; `spoken` are the labels of the source whose 0 was said, and is not only a blank cell."""
    same = tuple(name for name, other in theirs.items() if other == concept)
    above = {name: other for name, other in theirs.items() if other in vocabulary.above(concept)}
    passed = frozenset[str]().union(*(vocabulary.above(other) for other in above.values()))
    # of several general labels the nearest says it all; where there is a label of the same meaning, that one does
    nearest = tuple(name for name, other in above.items() if other not in passed)
    return Rule(
        same=same,
        covers=_kinds(concept, theirs, vocabulary),
        covered_by=() if same else tuple(name for name in nearest if name in spoken),
        doubted_by=tuple(name for name in above if name not in spoken) if same else (),
    )


def read_mapping(path: Path, source: LabelSet, target: LabelSet, vocabulary: Vocabulary) -> LabelMapping:
    """The mapping of a file: the rules that it has for labels of the target, and for all others the derived ones.

    Args:
        path: a YAML file: under each label of the target the keys of `Rule`.
        source, target: the sets.
        vocabulary: the shared concepts.

    Raises:
        ConfigError: the file is missing, is no YAML, or names a label that its set does not have.
    """
    try:
        own = _RULES.validate_python({str(name): keys for name, keys in read_yaml(path).items()})
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ConfigError(f"{path}: no such file") from error
    except ValidationError as error:
        problem = error.errors()[0]
        raise ConfigError(f"{path}: {'.'.join(map(str, problem['loc']))}: {problem['msg']}") from error
    derived = derive_mapping(source, target, vocabulary)
    rules = {name: rule for name, rule in {**derived.rules, **own}.items() if rule.sources}
    unknown = [name for name in own if name not in target.names]
    if unknown:
        raise ConfigError(f"{path}: '{unknown[0]}' is no label of {target.name}")
    return replace(derived, rules=rules)
