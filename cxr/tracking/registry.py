"""MLflow's model registry: registered models, their versions, aliases and tags; never its stages, which are deprecated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from cxr.tracking.store import Tracking
from cxr.tracking.talking import talking

LONGEST = 5000
"""Characters of a description or of a registered model's tag that every database of MLflow takes."""

_Kept = TypeVar("_Kept")


@dataclass(frozen=True)
class RegisteredModel:
    """A name in the registry.

    Args:
        name: of the model.
        description: Markdown, shown on its page.
        tags: of the name itself, not of its versions.
        aliases: version that each alias stands for.
    """

    name: str
    description: str
    tags: Mapping[str, str]
    aliases: Mapping[str, int]


@dataclass(frozen=True)
class Version:
    """One version of a registered model.

    Args:
        number: from 1; MLflow gives it to no other version, also after this one is deleted.
        run_id: the run that it came from; empty where nothing tells.
        made: when, in milliseconds by the clock of the store.
        description: Markdown, shown on its page.
        tags: of this version.
    """

    number: int
    run_id: str
    made: int
    description: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Source:
    """What a version is made from.

    Args:
        location: where its files lie.
        run_id: the run whose page it leads to.
        model_id: the logged model; None where the version stands for none.
    """

    location: str
    run_id: str
    model_id: str | None = None


@dataclass(frozen=True)
class Registry:
    """The registry of a store. Every method raises `CxrError` where MLflow does not answer, or refuses."""

    tracking: Tracking

    def model(self, name: str) -> RegisteredModel | None:
        """A registered model; None where there is none of that name."""
        with talking(self.tracking.uri):
            found = or_none(lambda: self._client.get_registered_model(name))
        return None if found is None else _model(found)

    def models(self) -> tuple[RegisteredModel, ...]:
        """All registered models."""
        with talking(self.tracking.uri):
            return tuple(map(_model, paged(lambda token: self._client.search_registered_models(page_token=token))))

    def make_model(self, name: str, description: str = "") -> None:
        """Make a registered model, unless there is one of that name."""
        from mlflow.exceptions import MlflowException

        with talking(self.tracking.uri):
            try:
                self._client.create_registered_model(name, description=description)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise

    def describe(self, name: str, text: str) -> None:
        """Set the description of a registered model, at most `LONGEST` characters."""
        with talking(self.tracking.uri):
            self._client.update_registered_model(name, text)

    def tag(self, name: str, key: str, value: str) -> None:
        """Set a tag of a registered model, at most `LONGEST` characters."""
        with talking(self.tracking.uri):
            self._client.set_registered_model_tag(name, key, value)

    def point(self, name: str, alias: str, number: int) -> None:
        """Let an alias stand for a version, whatever it stood for before."""
        with talking(self.tracking.uri):
            self._client.set_registered_model_alias(name, alias, str(number))

    def versions(self, name: str) -> tuple[Version, ...]:
        """The versions of a registered model that are not deleted, the first one first."""
        with talking(self.tracking.uri):
            found = paged(lambda token: self._client.search_model_versions(f"name='{name}'", page_token=token))
            return tuple(sorted(map(_version, found), key=lambda version: version.number))

    def version(self, name: str, number: int) -> Version | None:
        """A version; None where it does not exist, or was deleted."""
        with talking(self.tracking.uri):
            found = or_none(lambda: self._client.get_model_version(name, str(number)))
        return None if found is None else _version(found)

    def make_version(self, name: str, source: Source, tags: Mapping[str, str], description: str = "") -> Version:
        """Make a version, with a number that is greater than all before it; two at once get two numbers."""
        with talking(self.tracking.uri):
            made = self._client.create_model_version(
                name, source.location, source.run_id, dict(tags), description=description, model_id=source.model_id
            )
        return _version(made)

    def describe_version(self, name: str, number: int, text: str) -> None:
        """Set the description of a version, at most `LONGEST` characters."""
        with talking(self.tracking.uri):
            self._client.update_model_version(name, str(number), text)

    def tag_version(self, name: str, number: int, key: str, value: str) -> None:
        """Set a tag of a version."""
        with talking(self.tracking.uri):
            self._client.set_model_version_tag(name, str(number), key, value)

    def delete_version(self, name: str, number: int) -> None:
        """Delete a version; nothing happens where it is gone already."""
        with talking(self.tracking.uri):
            or_none(lambda: self._client.delete_model_version(name, str(number)))

    def delete_model(self, name: str) -> None:
        """Delete a registered model with all its versions, at once; nothing happens where it is gone already."""
        with talking(self.tracking.uri):
            or_none(lambda: self._client.delete_registered_model(name))

    @property
    def _client(self) -> Any:
        return self.tracking.client


def or_none(ask: Callable[[], _Kept]) -> _Kept | None:
    """The answer of MLflow; None where it says that there is no such thing."""
    from mlflow.exceptions import MlflowException

    try:
        return ask()
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def paged(search: Callable[[str | None], Any]) -> Iterator[Any]:
    """All results of a search that MLflow gives page by page."""
    token: str | None = None
    while True:
        page = search(token)
        yield from page
        token = page.token
        if not token:
            return


def _model(found: Any) -> RegisteredModel:
    aliases = {alias: int(number) for alias, number in found.aliases.items()}
    return RegisteredModel(found.name, found.description or "", dict(found.tags), aliases)


def _version(found: Any) -> Version:
    made, text = int(found.creation_timestamp), found.description or ""
    return Version(int(found.version), found.run_id or "", made, text, dict(found.tags))
