"""Where the shipped label sets, table layouts and concepts lie."""

from __future__ import annotations

from pathlib import Path

SHIPPED = next(
    folder
    for folder in (Path(__file__).parents[1] / "data_manifests", Path(__file__).parents[2] / "data_manifests")
    if folder.is_dir()
)
"""The folder of shipped label sets: inside the installed package, or beside it in a checkout."""


def shipped_names(file: str) -> str:
    """The shipped folders that have a file of this name, for a message."""
    return ", ".join(sorted(path.parent.name for path in SHIPPED.glob(f"*/{file}")))
