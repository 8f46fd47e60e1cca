"""Paths in a configuration: where they start from, and what must be there, told before anything runs."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, ValidationInfo

from cxr.errors import ConfigError
from cxr.labels.label_set import find_label_set
from cxr.labels.shipped import find_format


class TypedText(str):
    """A text typed on the command line: as a path it starts from the current directory, not from the file's folder."""

    __slots__ = ()


def _base(value: object, info: ValidationInfo) -> Path:
    if isinstance(value, TypedText) or info.context is None:
        return Path.cwd()
    return Path(info.context["base"])


def _absolute(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str | Path) or value == "":
        raise ValueError("'' is no path; one is needed")
    return (_base(value, info) / Path(value).expanduser()).resolve()


def _existing_file(value: object, info: ValidationInfo) -> object:
    path = _absolute(value, info)
    if isinstance(path, Path) and not path.is_file():
        key_hint = "; `cxr key FILE` makes one" if info.field_name == "key_file" else ""
        raise ValueError(f"no such file: {path}{nearest_path(path)}{key_hint}")
    return path


def _existing_path(value: object, info: ValidationInfo) -> object:
    path = _absolute(value, info)
    if isinstance(path, Path) and not path.exists():
        raise ValueError(f"no such file or folder: {path}{nearest_path(path)}")
    return path


def _existing_folder(value: object, info: ValidationInfo) -> object:
    path = _absolute(value, info)
    if isinstance(path, Path) and not path.is_dir():
        raise ValueError(f"no such folder: {path}{nearest_path(path)}")
    return path


def _label_set(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str):
        return value
    try:
        return find_label_set(value, _base(value, info))
    except ConfigError as error:  # pydantic adds the key to a ValueError only
        raise ValueError(str(error)) from error


def _table_format(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str):
        return value
    try:
        return find_format(value, _base(value, info))
    except ConfigError as error:
        raise ValueError(str(error)) from error


AnyPath = Annotated[Path, BeforeValidator(_absolute)]
ExistingFile = Annotated[Path, BeforeValidator(_existing_file)]
ExistingPath = Annotated[Path, BeforeValidator(_existing_path), "bulk"]
"""A folder or an archive, compared by size and time of change, since it is too large to read."""
ExistingFolder = Annotated[Path, BeforeValidator(_existing_folder)]
LabelSetFile = Annotated[Path, BeforeValidator(_label_set)]
TableFormatFile = Annotated[Path, BeforeValidator(_table_format)]
SecretFile = Annotated[ExistingFile, "secret"]
"""A file whose content enters no digest, log or record; only a keyed check value of it does."""


def nearest_path(path: Path) -> str:
    """`; did you mean X?` with the name beside a missing path that resembles it most, or nothing."""
    siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    close = difflib.get_close_matches(path.name, siblings, n=1)
    return f"; did you mean {path.parent / close[0]}?" if close else ""


def one_file(pattern: str, root: Path | None) -> str:
    """The one file that a pattern means inside `root`, relative to it."""
    if root is None:
        return pattern
    if Path(pattern).is_absolute():
        raise ValueError(f"no such file inside source.root: {pattern}; give its path relative to {root}")
    if (root / pattern).is_file():  # a plain name, which may hold characters that mean something in a pattern
        return pattern
    found = sorted(root.glob(pattern))
    if len(found) == 1 and found[0].is_file():
        return found[0].relative_to(root).as_posix()
    if not found:
        raise ValueError(f"no such file: {root / pattern}{nearest_path(root / pattern)}")
    raise ValueError(f"'{pattern}' matches {len(found)} files in {root}: {', '.join(path.name for path in found[:4])}")
