"""Where the shipped label sets, table layouts and concepts lie."""

from __future__ import annotations

import difflib
from pathlib import Path

from cxr.errors import ConfigError

SHIPPED = next(
    folder
    for folder in (Path(__file__).parents[1] / "data_manifests", Path(__file__).parents[2] / "data_manifests")
    if folder.is_dir()
)
"""The folder of shipped label sets: inside the installed package, or beside it in a checkout."""


def find_format(reference: str, base: Path) -> Path:
    """The file that the name or path of a table layout means.

    Args:
        reference: a shipped name ("nih14", "vindr/boxes"), or the path of a YAML file.
        base: the folder that a relative path starts from.

    Raises:
        ConfigError: neither a shipped name nor a file.
    """
    folder, _, name = reference.partition("/")
    for candidate in (SHIPPED / folder / f"{name or 'table'}.yaml", base / Path(reference).expanduser()):
        if candidate.is_file() and candidate.name != "labels.yaml":
            return candidate.resolve()
    close = difflib.get_close_matches(reference, shipped_formats(), n=1)
    hint = f"; did you mean {close[0]}?" if close else f"; the shipped layouts are {', '.join(shipped_formats())}"
    raise ConfigError(f"no such file: {base / reference}{hint}")


def shipped_formats() -> list[str]:
    """The names of the shipped table layouts."""
    files = (path for path in SHIPPED.glob("*/*.yaml") if path.name != "labels.yaml")
    return sorted(path.parent.name if path.name == "table.yaml" else f"{path.parent.name}/{path.stem}" for path in files)


def shipped_names(file: str) -> str:
    """The shipped folders that have a file of this name, for a message."""
    return ", ".join(sorted(path.parent.name for path in SHIPPED.glob(f"*/{file}")))
