"""Commands on source files: ingest, with and without a pipeline; keys of pseudonyms; which file a number stands for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from cxr.cli.group import OVERRIDES, cli, is_pipeline
from cxr.cli.pipeline import load, print_end, run_stages, ui_command
from cxr.cli.terminal import Terminal, console, short
from cxr.errors import ConfigError, CxrError

_SOURCE_OPTIONS = (
    click.option("--key", "key_file", help="the key of the pseudonyms; for a SOURCE of DICOM files"),
    click.option("--name", help="short name of the SOURCE; it starts every pseudonym  [default: hospital]"),
    click.option("--kind", type=click.Choice(["dicom", "images"]), help="what the SOURCE holds  [default: dicom]"),
    click.option("--table", help="the label table, inside the SOURCE"),
    click.option("--format", help="how the table is laid out: a shipped name or a YAML file"),
    click.option("--labels", help="the label set of the table: a shipped name or a YAML file"),
)


def source_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that describe a SOURCE without a pipeline file."""
    for option in reversed(_SOURCE_OPTIONS):
        command = option(command)
    return command


@cli.command()
@click.argument("target", metavar="PIPELINE|SOURCE")
@OVERRIDES
@click.option("--out", type=click.Path(path_type=Path), help="folder for the result; for a SOURCE")
@source_options
@click.option("--again", is_flag=True, help="look for new files although nothing is known to have changed, as of a PACS")
@click.option("--dry-run", is_flag=True, help="read headers only, write nothing, and print what would be taken and what not")
def ingest(target: str, overrides: tuple[str, ...], out: Path | None, again: bool, dry_run: bool, **given: Any) -> None:
    """Read files into canonical images and a manifest.

    PIPELINE is a YAML file. Without one, SOURCE is a folder, a zip file, a DICOMDIR, or the address of a DICOMweb
    service, and the result goes to the folder --out.
    """
    if is_pipeline(target):
        surplus = [f"--{name.removesuffix('_file')}" for name, value in {**given, "out": out}.items() if value is not None]
        if surplus:
            raise ConfigError(f"{surplus[0]} is for a SOURCE; in a pipeline the file says it")
        _ingest_pipeline(Path(target), overrides, again=again, dry_run=dry_run)
    else:
        _ingest_source(target, overrides, out, given, again=again, dry_run=dry_run)


def _ingest_pipeline(path: Path, overrides: tuple[str, ...], *, again: bool, dry_run: bool) -> None:
    loaded = load(path, overrides)
    if dry_run:
        config = loaded.config
        _print_forecast(config.source, config.ingest.secondary_capture, loaded.folder / "phantom" / "dicom")
        return
    records = run_stages(loaded, "ingest", again=again)
    print_end(loaded, records, ui_command(path, overrides))


def _ingest_source(
    target: str, overrides: tuple[str, ...], out: Path | None, given: dict[str, Any], *, again: bool, dry_run: bool
) -> None:
    from cxr.alone import run_alone
    from cxr.definition import define_ingest

    stage = define_ingest(target, given, overrides)
    if dry_run:
        _print_forecast(stage.source, stage.ingest.secondary_capture, None)
        return
    if out is None:
        raise ConfigError("--out FOLDER: missing, but needed to write the result")
    folder = out.absolute()
    _refuse_place(folder, getattr(stage.source, "root", None), getattr(stage.source, "key_file", None))
    with Terminal() as terminal:
        run_alone("cxr.ingest.stage", "ingest", stage, folder, terminal, again=again)
    for name, text in (("audit.html", "audit"), ("files.csv", "files"), ("manifest.parquet", "manifest")):
        click.echo(f"{text:10} {short(folder / name)}")


def _refuse_place(folder: Path, root: Path | None, key_file: Path | None) -> None:
    from cxr.ingest.source.folder import files_of

    files = None if root is None else files_of(root)
    if files is not None and not files.only and folder.resolve().is_relative_to(files.root.resolve()):
        raise ConfigError("--out lies in the SOURCE: ingest would read what it has written; choose another folder")
    if key_file is not None and key_file.is_relative_to(folder):
        raise ConfigError(f"'{key_file.name}' lies in --out; the key must not be kept with the data")


def _print_forecast(source: Any, secondary_capture: bool, phantom: Path | None) -> None:
    from rich.table import Table

    from cxr.ingest.dry_run import forecast

    with Terminal() as terminal:
        rows = forecast(source, phantom, terminal.open(), secondary_capture=secondary_capture)
    table = Table("outcome", "files", "code", "meaning", "first of them", box=None, pad_edge=False)
    for row in rows:
        table.add_row(row.outcome, str(row.count), row.code, row.meaning, " ".join(map(str, row.examples)))
    console().print(table)
    taken, seen = sum(row.count for row in rows if row.taken), sum(row.count for row in rows)
    click.echo(f"{taken} of {seen} files would be read. That is by their headers only:")
    click.echo("what decoding and the pixels show comes on top. Nothing was written.")


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
def key(file: Path) -> None:
    """Make a new key for pseudonyms in FILE; keep it safe, and away from the data."""
    from cxr.ingest.deidentify import make_key

    make_key(file)
    click.echo(f"{file}: a new key. Whoever has it can link pseudonyms to patients; without it none can be made again.")


@cli.command()
@click.argument("target", metavar="PIPELINE|SOURCE")
@click.argument("numbers", nargs=-1, required=True, type=click.IntRange(1))
@source_options
def file(target: str, numbers: tuple[int, ...], **given: Any) -> None:
    """Tell which source files the NUMBERS in files.csv stand for; the names are shown here and kept nowhere.

    With the options that the SOURCE was ingested with.
    """
    from cxr.ingest.source.resolve import resolve

    if is_pipeline(target):
        loaded = load(Path(target), ())
        source = resolve(loaded.config.source, loaded.folder / "phantom" / "dicom")
    else:
        from cxr.definition import define_ingest

        source = resolve(define_ingest(target, given).source, None)
    names = sorted(entry.name for entry in source.files.entries())
    if max(numbers) > len(names):
        raise CxrError(f"the source has {len(names)} files, none with the number {max(numbers)}")
    for number in numbers:
        click.echo(f"{number}  {source.pseudonyms.file(names[number - 1])}  {names[number - 1]!r}")
    click.echo("The second word must be the one that files.csv has for the number; else the source has changed since.")
