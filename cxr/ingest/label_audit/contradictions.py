"""Images that contradict themselves: a finding where one above it is absent, or beside one that excludes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from cxr.ingest.label_audit.bits import Bits, Table, count_bits, images_of
from cxr.ingest.label_audit.cells import Cells, count_cells_among
from cxr.labels.label_set import LabelSet
from cxr.labels.values import BLANK, NEGATIVE, POSITIVE

Kind = Literal["parent-negative", "parent-blank-as-negative", "excluded"]
"""The second is none in the table: the policy for the blank cells of the label above makes it."""
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Rule:
    """Where `label` is positive, `other` may not have the code: it is above it and negative, or excluded and positive."""

    kind: Kind
    label: str
    other: str
    code: int


@dataclass(frozen=True)
class Broken:
    """A rule, and the images that break it.

    Args:
        rule: the rule.
        images: how many, at least 1.
        bits: uint64 [words], which.
    """

    rule: Rule
    images: int
    bits: Bits


@dataclass(frozen=True)
class UnderParent:
    """The images in which a label is positive, by what the table says of a label above it: its parent, or one further up.

    Args:
        child, parent: their names.
        cells: what the table says of the parent in these images.
        blank_is_negative: whether the parent's blank cells are read as negative, and so contradict the child.
    """

    child: str
    parent: str
    cells: Cells
    blank_is_negative: bool


@dataclass(frozen=True)
class Contradictions:
    """All that contradicts the label set.

    Args:
        image_ids: of all images, by row.
        hierarchy: each label with each one above it.
        exclusions: rules, each pair of labels once.
        broken: by kind, then in the order of the label set.
    """

    image_ids: pd.Series[str]
    hierarchy: tuple[UnderParent, ...]
    exclusions: tuple[Rule, ...]
    broken: tuple[Broken, ...]

    @property
    def count(self) -> int:
        """Contradictions, of which an image may have several."""
        return sum(one.images for one in self.broken)

    def images(self, *kinds: Kind) -> int:
        """Images that break at least one rule of these kinds, of any where none is named."""
        chosen = [one.bits for one in self.broken if not kinds or one.rule.kind in kinds]
        return int(count_bits(np.bitwise_or.reduce(chosen))) if chosen else 0

    def examples(self, broken: Broken, most: int) -> list[str]:
        """`image_id` of the first images that break a rule."""
        return list(self.image_ids.iloc[images_of(broken.bits)[:most]])

    def tables(self) -> Iterator[pd.DataFrame]:
        """Every contradiction, rule by rule: image_id, label, other, kind."""
        for one in self.broken:
            ids, rule = self.image_ids.iloc[images_of(one.bits)].to_numpy(), one.rule
            yield pd.DataFrame({"image_id": ids, "label": rule.label, "other": rule.other, "kind": rule.kind})


def find_contradictions(image_ids: pd.Series[str], table: Table, labels: LabelSet) -> Contradictions:
    """Hold the cells against the hierarchy and the exclusions of the label set.

    Args:
        image_ids: of the images.
        table: their cells.
        labels: the label set.
    """
    places = {name: place for place, name in enumerate(labels.names)}
    positive, exclusions = table.has(POSITIVE), tuple(_exclusions(labels))
    hierarchy = tuple(_hierarchy(table, labels, places))
    broken: list[Broken] = []
    for rule in (*_hierarchy_rules(hierarchy), *exclusions):
        bits = positive[places[rule.label]] & table.has(rule.code)[places[rule.other]]
        if bits.any():
            broken.append(Broken(rule, int(count_bits(bits)), bits))
    return Contradictions(image_ids, hierarchy, exclusions, tuple(broken))


def _hierarchy(table: Table, labels: LabelSet, places: dict[str, int]) -> Iterator[UnderParent]:
    for child in labels.labels:
        images = table.has(POSITIVE)[places[child.name]]
        for parent in labels.lineage(child):
            cells = count_cells_among(table, places[parent], images)
            yield UnderParent(child.name, parent, cells, labels.labels[places[parent]].blank == "negative")


def _hierarchy_rules(hierarchy: tuple[UnderParent, ...]) -> Iterator[Rule]:
    yield from (Rule("parent-negative", one.child, one.parent, NEGATIVE) for one in hierarchy)
    yield from (Rule("parent-blank-as-negative", one.child, one.parent, BLANK) for one in hierarchy if one.blank_is_negative)


def _exclusions(labels: LabelSet) -> Iterator[Rule]:
    """Labels that exclude each other; both may say so."""
    seen: set[frozenset[str]] = set()
    for label in labels.labels:
        for other in label.excludes:
            if (pair := frozenset((label.name, other))) not in seen:
                seen.add(pair)
                yield Rule("excluded", label.name, other, POSITIVE)
