"""Digests of what a stage depends on: its configuration, its code, and the files it reads."""

from __future__ import annotations

import ast
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from cxr.ingest.deidentify import Pseudonyms, key_check_value, read_key
from cxr.labels.shipped import SHIPPED

_PACKAGE = Path(__file__).parent
_NOT_CODE = {
    "cxr",
    "cxr.config",
    "cxr.config_evaluate",
    "cxr.config_model",
    "cxr.config_retrain",
    "cxr.config_training",
    "cxr.config_paths",
    "cxr.config_sources",
    "cxr.section",
    "cxr.invalid",
    "cxr.stage",
    "cxr.errors",
    "cxr.tracking",
    "cxr.profile",
    "cxr.yamlfile",
}
"""Modules that shape how a stage is asked and what is logged, never what it writes; configuration counts by its values."""
_READ_BY = {"cxr.labels.concepts": (SHIPPED / "concepts.yaml",)}
"""Shipped files that a module reads whatever the configuration says."""


def digest_json(value: object) -> str:
    """SHA-256 of plain values, whatever the order of mappings."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def digest_file(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_folder(path: Path) -> str:
    """SHA-256 of a folder's listing: relative paths, sizes and times of change, since an archive is too large to read."""
    lines = sorted(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in _walk(path, ""))
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()


def _walk(folder: Path, prefix: str) -> Iterator[tuple[str, os.stat_result]]:
    """The files below a folder. What cannot be looked at, or is gone since it was listed, counts as not there."""
    try:
        entries = list(os.scandir(folder))
    except OSError:  # ingest records a folder that cannot be listed
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):  # a link may lead in a circle
            yield from _walk(Path(entry.path), f"{prefix}{entry.name}/")
        elif (status := _stat(entry)) is not None:
            yield prefix + entry.name, status


def _stat(entry: os.DirEntry[str]) -> os.stat_result | None:
    """Of what an entry leads to; of a link that leads nowhere, the link's own; None where it is gone."""
    for follow in (True, False):
        with suppress(OSError):
            return entry.stat(follow_symlinks=follow)
    return None


def config_digests(config: BaseModel) -> tuple[dict[str, Any], dict[str, str]]:
    """A configuration's plain values, and the digests of the files and folders that it names.

    Where a path lies is no part of a fingerprint, only what it holds; of a secret only a keyed check value.
    """
    values: dict[str, Any] = {}
    files: dict[str, str] = {}
    _collect(config, "", values, files)
    return values, files


def _collect(config: BaseModel, prefix: str, values: dict[str, Any], files: dict[str, str]) -> None:
    for name, info in type(config).model_fields.items():
        value, key = getattr(config, name), prefix + name
        if "pace" in info.metadata:  # how fast, not what comes out
            continue
        if isinstance(value, BaseModel):
            _collect(value, f"{key}.", values, files)
        elif isinstance(value, Path):
            marks = (*info.metadata, *get_args(info.annotation))
            files[key] = key_check_value(read_key(value)) if "secret" in marks else _digest_path(value, bulk="bulk" in marks)
        elif isinstance(value, tuple) and value and all(isinstance(item, Path) for item in value):
            files |= {f"{key}.{number}": _digest_path(item, bulk=False) for number, item in enumerate(value)}
        elif "confidential" in info.metadata:  # of a source with a key
            files[key] = Pseudonyms("", read_key(vars(config)["key_file"])).name("key", digest_json(value))
        else:
            values[key] = _as_in_json(value)


def _as_in_json(value: object) -> object:
    """A value as a record in JSON has it, so that it equals what was recorded."""
    if isinstance(value, tuple):
        return [_as_in_json(item) for item in value]
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def _digest_path(path: Path, *, bulk: bool) -> str:
    if path.is_dir():
        return digest_folder(path)
    stat = path.stat()
    # an archive of studies is too large to read
    return digest_json([path.name, stat.st_size, stat.st_mtime_ns]) if bulk else digest_file(path)


def code_digests(module: str) -> dict[str, str]:
    """Digest of each module of this package that `module` imports, directly or not, with the templates beside it
    and the shipped files that it reads.

    Comments, docstrings and layout do not count.
    """
    found: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found or name in _NOT_CODE or name.startswith("cxr.tracking."):
            continue
        found[name], imported = _read_module(name)
        waiting += imported
    return dict(sorted(found.items()))


@cache
def _read_module(name: str) -> tuple[str, tuple[str, ...]]:
    path = _module_file(name)
    assert path is not None, name
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = tuple(sorted(_imports(tree)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, clean=False):
            node.body = node.body[1:] or [ast.Pass()]
    beside = [*sorted(path.parent.glob(f"{path.stem}*.j2")), *_READ_BY.get(name, ())]
    templates = b"".join(file.read_bytes() for file in beside)
    return hashlib.sha256(ast.unparse(tree).encode() + templates).hexdigest(), imported


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        yield from (name for name in names if name.partition(".")[0] == "cxr" and _module_file(name))


def _module_file(name: str) -> Path | None:
    base = _PACKAGE.joinpath(*name.split(".")[1:])
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)
