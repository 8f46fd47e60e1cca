"""The group that all commands belong to, and the arguments that several of them take."""

from __future__ import annotations

from pathlib import Path

import click

from cxr import __version__

PIPELINE = click.argument("pipeline", type=click.Path(path_type=Path))
OVERRIDES = click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="cxr")
def cli() -> None:
    """Chest radiographs, from DICOM to a multi-label classifier that can be trusted.

    A PIPELINE is a YAML file; any of its keys can be set behind it, like train.epochs=8.
    """


def is_pipeline(target: str) -> bool:
    """Whether the argument of a command is a pipeline file, and not a source."""
    return target.endswith((".yaml", ".yml"))
