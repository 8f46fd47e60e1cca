"""Reading a user's YAML file, and saying in words what is wrong with it: the place by its names, the key that was meant."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from cxr.errors import ConfigError
from cxr.yamlfile import read_mapping

Model = TypeVar("Model", bound=BaseModel)

_TYPES = {
    "string_type": "must be a text; in quotes, if YAML reads it as something else, like No",
    "tuple_type": "must be a list: [one, two]",
    "bool_type": "must be true or false",
    "missing": "is missing",
}


def read_model(path: Path, model: type[Model], *parts: type[BaseModel]) -> Model:
    """What a user's YAML file describes.

    Args:
        path: the file.
        model: what it has to be.
        parts: models inside it, for the keys that may have been meant.

    Raises:
        ConfigError: the file is missing, is no YAML, or describes something else.
    """
    try:
        content = read_mapping(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ConfigError(f"{path}: no such file") from error
    try:
        return model.model_validate(content)
    except ValidationError as error:
        models: tuple[type[BaseModel], ...] = (model, *parts)
        keys = [key for each in models for key in each.model_fields]
        raise ConfigError(f"{path}: {problem_of(error, content, keys)}") from error


def problem_of(error: ValidationError, content: Mapping[str, Any], keys: Collection[str]) -> str:
    """The first problem of a file as the end of a message.

    Args:
        error: of the file's model.
        content: of the file.
        keys: all that it may have.
    """
    problem = error.errors()[0]
    place, kind = _place(problem["loc"], content), str(problem["type"])
    if kind == "extra_forbidden":
        close = difflib.get_close_matches(str(problem["loc"][-1]), keys, n=1)
        return f"{place}: unknown key{f'; did you mean {close[0]}?' if close else ''}"
    if kind in _TYPES:
        return f"{place} {_TYPES[kind]}"
    if kind == "value_error":
        return ": ".join(filter(None, (place, str(problem["msg"]).removeprefix("Value error, "))))
    choices = [str(each["ctx"]["expected"]) for each in error.errors() if each["type"] == "literal_error"]
    number = any(each["type"].startswith(("float", "greater_than", "less_than")) for each in error.errors())
    if choices or kind.startswith("union_tag"):
        expected = choices[0] if choices else str(problem["ctx"]["expected_tags"])
        also = ", or a number from 0 to 1" if number else ""
        return f"{place} is {_given(problem)}; it must be {expected}{also}"
    return f"{place}: {problem['msg']}"


def _given(problem: Mapping[str, Any]) -> str:
    if str(problem["type"]).startswith("union_tag"):
        return repr(problem.get("ctx", {}).get("tag", "not given"))
    return repr(problem["input"])


def _place(location: Sequence[int | str], content: Any) -> str:
    """Like "uncertain of Effusion": an entry of a list by its name, or by its number from 1."""
    parts: list[str] = []
    for part in location:
        if isinstance(part, int):
            content = content[part] if isinstance(content, list) and part < len(content) else None
            name = content.get("name") if isinstance(content, dict) else None
            parts = [str(name) if isinstance(name, str) else f"{parts[-1] if parts else 'entry'} {part + 1}"]
        elif isinstance(content, dict) and (part in content or part == location[-1]):
            content = content.get(part)
            parts = [f"{part} of {parts[-1]}" if parts and not isinstance(content, list) else str(part)]
    return parts[-1] if parts else ""
