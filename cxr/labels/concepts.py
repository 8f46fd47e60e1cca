"""The shared vocabulary through which label sets are compared: concepts, and of which other concepts each is a kind."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cxr.errors import ConfigError
from cxr.invalid import read_model
from cxr.labels.label_set import Label
from cxr.labels.shipped import SHIPPED


class Concept(BaseModel):
    """A finding, whatever data sets call it.

    Args:
        name, synonyms: what it is called, compared whole and without regard to case.
        kind_of: more general concepts: whoever has this one has those, in every image and by the words' meaning.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    synonyms: tuple[str, ...] = ()
    kind_of: tuple[str, ...] = ()


class Vocabulary(BaseModel):
    """Concepts; a name or synonym means exactly one of them, and none is a kind of itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    concepts: tuple[Concept, ...]

    @model_validator(mode="after")
    def _sound(self) -> Vocabulary:
        texts = [text for concept in self.concepts for text in {concept.name.casefold(), *map(str.casefold, concept.synonyms)}]
        twice = next((text for text in texts if texts.count(text) > 1), None)
        if twice is not None:
            raise ValueError(f"'{twice}' stands for two concepts")
        names = {concept.name for concept in self.concepts}
        for concept in self.concepts:
            for general in concept.kind_of:
                if general not in names:
                    raise ValueError(f"{concept.name} is a kind of '{general}', which is no concept")
        for concept in self.concepts:
            self._walk(concept.name, ())
        return self

    def _walk(self, name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ValueError(f"{name} is a kind of itself")
        for general in self._by_name[name].kind_of:
            self._walk(general, (*above, name))

    @cached_property
    def _by_name(self) -> dict[str, Concept]:
        return {concept.name: concept for concept in self.concepts}

    @cached_property
    def _by_text(self) -> dict[str, Concept]:
        return {text.casefold(): concept for concept in self.concepts for text in (concept.name, *concept.synonyms)}

    def concept_of(self, label: Label) -> str | None:
        """The concept that a label names or, if it names none, the one that its name or a synonym means.

        Raises:
            ConfigError: the label names a concept that there is not.
        """
        if label.concept is not None:
            found = self._by_text.get(label.concept.casefold())
            if found is None:
                raise ConfigError(f"{label.name}: '{label.concept}' is none of the shared concepts")
            return found.name
        texts = (text.casefold() for text in (label.name, *label.synonyms))
        return next((self._by_text[text].name for text in texts if text in self._by_text), None)

    def above(self, name: str) -> frozenset[str]:
        """All concepts that a concept is a kind of, directly or not; none for what is no concept."""
        direct = self._by_name[name].kind_of if name in self._by_name else ()
        return frozenset(direct).union(*(self.above(general) for general in direct))


def read_concepts(path: Path = SHIPPED / "concepts.yaml") -> Vocabulary:
    """Read the shared vocabulary.

    Raises:
        ConfigError: the file is missing, is no YAML, or does not describe one.
    """
    return read_model(path, Vocabulary, Concept)
