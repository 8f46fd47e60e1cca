"""Label sets and mappings in plain words, for whoever has to sign them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cxr.labels.concepts import Vocabulary
from cxr.labels.label_set import Label, LabelSet
from cxr.labels.mapping import LabelMapping, Rule

_UNCERTAIN = {
    "ignore": "is left out of training and of evaluation",
    "negative": "counts as negative, in training and in evaluation",
    "positive": "counts as positive, in training and in evaluation",
}
_FEW = 6  # names that are listed in a sentence
_BLANK = {
    "unknown": "is unknown: it teaches nothing and is not evaluated",
    "negative": "counts as negative; that is right only where a finding not mentioned was looked for and not seen",
}


@dataclass(frozen=True)
class Explanation:
    """What a file means.

    Args:
        title: what it is.
        rows: a table, the header first.
        sentences: what its words lead to.
        remarks: what a careful reader should look at.
    """

    title: str
    rows: tuple[tuple[str, ...], ...]
    sentences: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def explain_label_set(labels: LabelSet, vocabulary: Vocabulary) -> Explanation:
    """What a label set means.

    Raises:
        ConfigError: a label names a concept that there is not.
    """
    header = ("label", "also called", "a kind of", "means the same in all sets as")
    rows = [
        (label.name, ", ".join(label.synonyms), label.parent or "", vocabulary.concept_of(label) or "(its name only)")
        for label in labels.labels
    ]
    text = f"{labels.name}: {len(rows)} {'finding' if len(rows) == 1 else 'findings'}"
    title = ". ".join(filter(None, (f"{text}, {labels.title}" if labels.title else text, labels.reference)))
    return Explanation(title, (header, *rows), tuple(_sentences(labels)), tuple(_remarks(labels, vocabulary)))


def _sentences(labels: LabelSet) -> Iterator[str]:
    yield "Names are compared whole and in any case; no name is looked for inside another one."
    for text, names in _grouped((_uncertain(label), label.name) for label in labels.labels):
        yield f"An uncertain cell of {_list(names, labels)} {text}."
    for text, names in _grouped((_BLANK[label.blank], label.name) for label in labels.labels):
        yield f"A blank cell of {_list(names, labels)} {text}."
    if sided := [label.name for label in labels.labels if label.sided]:
        yield f"Left and right matter for {_list(sided, labels)}: training refuses to mirror images."
    for label in labels.labels:
        if label.excludes:
            others = _list(label.excludes, labels) if len(label.excludes) < 6 else f"{len(label.excludes)} other labels"
            yield f"{label.name} cannot be positive beside {others}; the audit lists the images where it is."
    if any(label.parent for label in labels.labels):
        yield "Where a finding is positive and what it is a kind of is negative, the audit lists the image; nothing is changed."


def _uncertain(label: Label) -> str:
    if isinstance(label.uncertain, str):
        return _UNCERTAIN[label.uncertain]
    if label.uncertain in (0, 1):  # a truth, however it is written
        return _UNCERTAIN["positive" if label.uncertain else "negative"]
    return f"is taught as {label.uncertain:g}, between no (0) and yes (1), and left out of evaluation"


def _remarks(labels: LabelSet, vocabulary: Vocabulary) -> Iterator[str]:
    for first, second in _look_alike(labels):
        yield f"'{first}' and '{second}' look alike and are two different findings here; is that meant?"
    alone = [label.name for label in labels.labels if vocabulary.concept_of(label) is None]
    if alone:
        yield (
            f"{_some(alone)}: no shared concept, so only a label of the same name in another set is taken to mean the same; "
            "`concept:` names one of data_manifests/concepts.yaml"
        )
    doubled = _grouped((vocabulary.concept_of(label) or "", label.name) for label in labels.labels)
    for concept, names in doubled:
        if concept and len(names) > 1:
            yield f"{_list(names, labels)} stand for the same concept, {concept}; to another label set they say the same"


def _look_alike(labels: LabelSet) -> Iterator[tuple[str, str]]:
    """Texts of two labels that differ in spaces, underscores and the like only."""
    seen: dict[str, tuple[str, str]] = {}
    for label in labels.labels:
        for text in (label.name, *label.synonyms):
            plain = "".join(letter for letter in text.casefold() if letter.isalnum())
            owner, other = seen.setdefault(plain, (label.name, text))
            if owner != label.name:
                yield other, text


def explain_mapping(mapping: LabelMapping) -> Explanation:
    """What one label set says of the labels of another."""
    header = (mapping.target.name, f"from {mapping.source.name}")
    rows = [(name, _rule_text(mapping.rules[name]) if name in mapping.rules else "unknown") for name in mapping.target.names]
    reached = len(mapping.target.names) - len(mapping.unreached)
    title = f"{mapping.source.name} to {mapping.target.name}: {reached} of {len(rows)} labels are reached"
    sentences = ["What does not follow stays unknown; it is never taken for negative."]
    if mapping.unused:
        sentences.append(f"Of {mapping.source.name} these say nothing here: {', '.join(mapping.unused)}.")
    return Explanation(title, (header, *rows), tuple(sentences))


def _rule_text(rule: Rule) -> str:
    parts = []
    if rule.same:
        parts.append(f"the same as {_or(rule.same)}")
    if rule.covers:
        also = ", and negative where all of these are" if rule.complete else ""
        parts.append(f"positive where {_or(rule.covers)} is{also}")
    if rule.covered_by:
        parts.append(f"negative where {_or(rule.covered_by)} is, and no kind of it is positive")
    if rule.doubted_by:
        parts.append(f"unknown instead of negative where {_or(rule.doubted_by)} is positive, and no kind of it is")
    return "; ".join(parts)


def _grouped(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    """What belongs to each text, in the order of the texts' first appearance."""
    found: dict[str, list[str]] = {}
    for text, name in pairs:
        found.setdefault(text, []).append(name)
    return list(found.items())


def _list(names: Iterable[str], labels: LabelSet) -> str:
    chosen = tuple(names)
    if len(chosen) == len(labels.names) > 1:
        return "every label"
    return chosen[0] if len(chosen) == 1 else f"{', '.join(chosen[:-1])} and {chosen[-1]}"


def _some(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= _FEW else f"{', '.join(names[:_FEW])} and {len(names) - _FEW} others"


def _or(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
