"""A pipeline definition, read from YAML and `key=value` overrides, with errors a person can act on.

A path in the file is relative to the file; a path on the command line is relative to where the command runs. Every
value is checked before any stage starts, and all problems are reported at once, each with the nearest right key.
"""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from cxr.config import CompareStage, IngestStage, LabelsStage, PipelineConfig, TablesStage
from cxr.config_paths import TypedText, nearest_path
from cxr.config_sources import Source
from cxr.errors import ConfigError
from cxr.section import Section
from cxr.yamlfile import read_mapping

_Stage = TypeVar("_Stage", bound=Section)


def load_config(path: Path, overrides: Sequence[str] = ()) -> PipelineConfig:
    """Read a pipeline definition and apply `key=value` overrides.

    Args:
        path: the YAML file.
        overrides: texts like "train.epochs=8"; values are read as YAML.

    Raises:
        ConfigError: every problem found, a line each, with the file, the key and the nearest right key.
    """
    try:
        # a section without keys, as after commenting all of them out, is a section of defaults
        content = {key: {} if value is None else value for key, value in read_mapping(path).items()}
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ConfigError(f"{path}: no such pipeline file{nearest_path(path)}") from error
    typed = dict(_parse_override(text) for text in overrides)
    for key, value in typed.items():
        _set(content, key, value)
    try:
        return PipelineConfig.model_validate(content, context={"base": path.resolve().parent})
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(problem, path, typed) for problem in error.errors())) from error


def check_definition(content: Mapping[str, object], path: Path) -> None:
    """Refuse the keys of a pipeline definition that is about to be written.

    Args:
        content: its keys; paths are absolute.
        path: where it is going to be, for the messages.

    Raises:
        ConfigError: every problem found, a line each.
    """
    try:
        PipelineConfig.model_validate(dict(content), context={"base": path.resolve().parent})
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(problem, path, {}) for problem in error.errors())) from error


def define_ingest(target: str, given: Mapping[str, object], overrides: Sequence[str] = ()) -> IngestStage:
    """The ingest stage of a source that no pipeline file describes.

    Args:
        target: a folder, a zip file, a DICOMDIR, or the address of a DICOMweb service.
        given: keys of the source, and `labels`; None where not given.
        overrides: texts like "ingest.size=512"; values are read as YAML.

    Raises:
        ConfigError: every problem found, a line each.
    """
    source = _source_section(target, given)
    content: dict[str, Any] = {"name": "ingest", "labels": given.get("labels"), "source": source}
    for key, value in dict(_parse_override(text) for text in overrides).items():
        _set(content, key, value)
    try:
        return IngestStage.model_validate(content)
    except ValidationError as error:
        known = {".".join(map(str, problem["loc"])): None for problem in error.errors()}
        raise ConfigError("\n".join(_explain(problem, Path(target), known) for problem in error.errors())) from error


def source_keys(target: str, given: Mapping[str, object]) -> dict[str, str]:
    """The `source` section of a pipeline file for what `define_ingest` takes; its paths do not depend on where the file is.

    Raises:
        ConfigError: a key for the pseudonyms is missing, or surplus.
    """
    section = {key: str(value) for key, value in _source_section(target, given).items()}
    for key in ("root", "key_file"):
        if key in section:
            section[key] = str(Path(section[key]).expanduser().resolve())
    if "format" in section and Path(section["format"]).is_file():
        section["format"] = str(Path(section["format"]).resolve())
    return section


def _source_section(target: str, given: Mapping[str, object]) -> dict[str, Any]:
    web = target.startswith(("http://", "https://"))
    kind = "dicomweb" if web else given.get("kind") or "dicom"
    if kind != "images" and given.get("key_file") is None:
        raise ConfigError(
            "a key for the pseudonyms is needed: --key FILE; `cxr key FILE` makes one. Keep it away from the data"
        )
    if kind == "images" and given.get("key_file") is not None:
        raise ConfigError("--key: images of a published set keep their names; only DICOM files get pseudonyms")
    source: dict[str, Any] = {"kind": kind, "url" if web else "root": TypedText(target)}
    return source | {key: value for key, value in given.items() if key not in ("kind", "labels") and value is not None}


def define_import(given: Mapping[str, object]) -> LabelsStage:
    """The import of a label table.

    Args:
        given: keys of `LabelsStage`; paths start from the current directory. Without a name that of the format is taken,
            or of its file.

    Raises:
        ConfigError: every problem found, a line each.
    """
    reference = str(given.get("format", ""))
    named = Path(reference).stem if reference.endswith((".yaml", ".yml")) else reference.partition("/")[0]
    content = {"name": named, **given}
    try:
        return LabelsStage.model_validate(
            {key: TypedText(value) if isinstance(value, str) else value for key, value in content.items()}
        )
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(problem, Path("command line"), {}) for problem in error.errors())) from error


def define_tables(given: Mapping[str, object], overrides: Sequence[str] = ()) -> TablesStage:
    """The evaluation of tables.

    Args:
        given: keys of `TablesStage`; paths start from the current directory.
        overrides: texts like "evaluate.unit=study"; values are read as YAML.

    Raises:
        ConfigError: every problem found, a line each.
    """
    return _define(TablesStage, given, overrides)


def define_compare(given: Mapping[str, object], overrides: Sequence[str] = ()) -> CompareStage:
    """The comparison of two tables; as `define_tables`."""
    return _define(CompareStage, given, overrides)


def _define(kind: type[_Stage], given: Mapping[str, object], overrides: Sequence[str]) -> _Stage:
    content = {key: TypedText(value) if isinstance(value, str) else value for key, value in given.items() if value is not None}
    for key, value in dict(_parse_override(text) for text in overrides).items():
        _set(content, key, value)
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(problem, Path("command line"), {}) for problem in error.errors())) from error


def _parse_override(text: str) -> tuple[str, Any]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise ConfigError(f"'{text}': an override is written key=value, like train.epochs=8")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"'{text}': the value is not valid YAML") from error
    return key, _typed(parsed)


def _typed(value: Any) -> Any:
    """A value from the command line, its texts marked as typed there, also inside a list."""
    if isinstance(value, list):
        return [_typed(item) for item in value]
    return TypedText(value) if isinstance(value, str) else value


def _set(content: dict[str, Any], key: str, value: object) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        inner = content.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"'{key}': {parent} is a value, it has no keys of its own")
        content = inner
    content[last] = value


def _explain(problem: Mapping[str, Any], path: Path, typed: Mapping[str, object]) -> str:
    """One problem in one line: the place, the key, what is wrong, the nearest right one."""
    # pydantic names the chosen kind of a union inside the location; a user's file has no such level
    kinds = source_kinds()
    inside_source = problem["loc"][:1] == ("source",)
    parts = [str(part) for index, part in enumerate(problem["loc"]) if not (inside_source and index == 1 and part in kinds)]
    key = ".".join(parts)
    typed_keys = [other for other in typed if f"{other}.".startswith(f"{key}.") or f"{key}.".startswith(f"{other}.")]
    place = "command line" if typed_keys else str(path)
    if problem["type"] == "extra_forbidden":
        return f"{place}: {typed_keys[0] if typed_keys else key}: unknown key{_nearest_key(key)}"
    if problem["type"] == "missing":
        return f"{path}: {key}: missing, but needed"
    if problem["type"].startswith("union_tag"):
        return f"{place}: {_explain_kind(key, problem)}"
    message = str(problem["msg"]).removeprefix("Value error, ")
    told = message.startswith(("no such", "no label set", "'")) or isinstance(problem["input"], dict)
    given = "" if told else f", not '{problem['input']}'"
    return ": ".join(filter(None, (place, key, message[0].lower() + message[1:] + given)))


def _explain_kind(key: str, problem: Mapping[str, Any]) -> str:
    kinds = source_kinds()
    if problem["type"] == "union_tag_not_found":
        return f"{key}.kind: missing, but needed: one of {', '.join(kinds)}"
    close = difflib.get_close_matches(str(problem["ctx"]["tag"]), kinds, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"{key}.kind: '{problem['ctx']['tag']}' is none of {', '.join(kinds)}{hint}"


def source_kinds() -> list[str]:
    """The kinds of source that a pipeline can name."""
    return [typing.get_args(model.model_fields["kind"].annotation)[0] for model in _models(Source)]


def _nearest_key(key: str) -> str:
    leaves = [name for name, _ in describe_keys()]
    sections = {name.rpartition(".")[0] for name in leaves} - {""}
    known = sorted({*leaves, *sections})
    last = {name.rpartition(".")[2]: name for name in known}
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.75)
    close = close or [last[name] for name in difflib.get_close_matches(key.rpartition(".")[2], last, n=1, cutoff=0.75)]
    return f"; did you mean {close[0]}?" if close else ""


def describe_keys(model: type[BaseModel] = PipelineConfig, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every key of a pipeline definition, dotted, with its description."""
    for name, info in model.model_fields.items():
        inner = _models(info.annotation)
        if not inner:
            yield prefix + name, info.description or ""
        for section in inner:
            yield from describe_keys(section, f"{prefix}{name}.")


def _models(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in typing.get_args(annotation) for model in _models(argument)]
