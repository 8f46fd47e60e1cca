"""The `cxr` command: arguments in, words out. What it does is done elsewhere."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cxr import __version__
from cxr.errors import ConfigError, CxrError

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from cxr.pipeline import Pipeline
    from cxr.record import StageRecord
    from cxr.state import StageState

_PIPELINE = click.argument("pipeline", type=click.Path(path_type=Path))
_OVERRIDES = click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
_MARKS = {"done": "done", "interrupted": "goes on", "due": "would run", "waiting": "waits"}


_SOURCE_OPTIONS = (
    click.option("--key", "key_file", help="the key of the pseudonyms; for a SOURCE of DICOM files"),
    click.option("--name", help="short name of the SOURCE; it starts every pseudonym  [default: hospital]"),
    click.option("--kind", type=click.Choice(["dicom", "images"]), help="what the SOURCE holds  [default: dicom]"),
    click.option("--table", help="the label table, inside the SOURCE"),
    click.option("--format", help="how the table is laid out: a shipped name or a YAML file"),
    click.option("--labels", help="the label set of the table: a shipped name or a YAML file"),
)


def _source_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that describe a SOURCE without a pipeline file."""
    for option in reversed(_SOURCE_OPTIONS):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="cxr")
def cli() -> None:
    """Chest radiographs, from DICOM to a multi-label classifier that can be trusted.

    A PIPELINE is a YAML file; any of its keys can be set behind it, like train.epochs=8.
    """


@cli.command()
@_PIPELINE
@_OVERRIDES
def run(pipeline: Path, overrides: tuple[str, ...]) -> None:
    """Run all stages of a pipeline that are not done yet."""
    loaded = _load(pipeline, overrides)
    records = _run(loaded, None)
    _print_end(loaded, records, _ui_command(pipeline, overrides))


def _stage_command(name: str, text: str) -> None:
    @cli.command(name, help=text)
    @_PIPELINE
    @_OVERRIDES
    def command(pipeline: Path, overrides: tuple[str, ...]) -> None:
        loaded = _load(pipeline, overrides)
        records = _run(loaded, name)
        _print_end(loaded, records, _ui_command(pipeline, overrides))


_stage_command("phantom", "Draw the synthetic cohort of a pipeline.")


@cli.command()
@click.argument("target", metavar="PIPELINE|SOURCE")
@_OVERRIDES
@click.option("--out", type=click.Path(path_type=Path), help="folder for the result; for a SOURCE")
@_source_options
@click.option("--again", is_flag=True, help="look for new files although nothing is known to have changed, as of a PACS")
@click.option("--dry-run", is_flag=True, help="read headers only, write nothing, and print what would be taken and what not")
def ingest(target: str, overrides: tuple[str, ...], out: Path | None, again: bool, dry_run: bool, **given: Any) -> None:
    """Read files into canonical images and a manifest.

    PIPELINE is a YAML file. Without one, SOURCE is a folder, a zip file, a DICOMDIR, or the address of a DICOMweb
    service, and the result goes to the folder --out.
    """
    if _is_pipeline(target):
        surplus = [f"--{name.removesuffix('_file')}" for name, value in {**given, "out": out}.items() if value is not None]
        if surplus:
            raise ConfigError(f"{surplus[0]} is for a SOURCE; in a pipeline the file says it")
        _ingest_pipeline(Path(target), overrides, again=again, dry_run=dry_run)
    else:
        _ingest_source(target, overrides, out, given, again=again, dry_run=dry_run)


def _is_pipeline(target: str) -> bool:
    return target.endswith((".yaml", ".yml"))


def _ingest_pipeline(path: Path, overrides: tuple[str, ...], *, again: bool, dry_run: bool) -> None:
    loaded = _load(path, overrides)
    if dry_run:
        config = loaded.config
        _print_forecast(config.source, config.ingest.secondary_capture, loaded.folder / "phantom" / "dicom")
        return
    records = _run(loaded, "ingest", again=again)
    _print_end(loaded, records, _ui_command(path, overrides))


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
    with _Terminal() as terminal:
        run_alone("cxr.ingest.stage", "ingest", stage, folder, terminal, again=again)
    for name, text in (("audit.html", "audit"), ("files.csv", "files"), ("manifest.parquet", "manifest")):
        click.echo(f"{text:10} {_short(folder / name)}")


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

    with _Terminal() as terminal:
        rows = forecast(source, phantom, terminal.open(), secondary_capture=secondary_capture)
    table = Table("outcome", "files", "code", "meaning", "first of them", box=None, pad_edge=False)
    for row in rows:
        table.add_row(row.outcome, str(row.count), row.code, row.meaning, " ".join(map(str, row.examples)))
    _console().print(table)
    taken, seen = sum(row.count for row in rows if row.taken), sum(row.count for row in rows)
    click.echo(f"{taken} of {seen} files would be read. That is by their headers only:")
    click.echo("what decoding and the pixels show comes on top. Nothing was written.")


_stage_command("split", "Divide a pipeline's patients into train, validation and test.")
_stage_command("train", "Train a pipeline's model.")
_stage_command("predict", "Score a pipeline's validation and test images.")
_stage_command("evaluate", "Evaluate a pipeline's predictions and write the report.")


@cli.command()
@_PIPELINE
@_OVERRIDES
def status(pipeline: Path, overrides: tuple[str, ...]) -> None:
    """Show which stages are done, which would run, and why."""
    from rich.table import Table

    loaded = _load(pipeline, overrides)
    table = Table("stage", "state", "why", "result", box=None, pad_edge=False)
    for state in loaded.states():
        table.add_row(state.stage, _MARKS[state.state], state.reason, state.record.headline if state.record else "")
    _console().print(table)


@cli.command()
@_PIPELINE
@_OVERRIDES
@click.option("--port", default=5000, show_default=True, type=click.IntRange(1, 65535), help="port on this machine")
def ui(pipeline: Path, overrides: tuple[str, ...], port: int) -> None:
    """Open MLflow on a pipeline's runs, in a server on this machine that ends with Ctrl-C."""
    loaded = _load(pipeline, overrides)
    tracking = loaded.tracking()
    if tracking.uri.startswith(("http:", "https:")):
        click.echo(f"The runs are on the tracking server: {tracking.page(loaded.last_run(), tracking.uri.rstrip('/'))}")
        return
    _refuse_busy(port)
    root = f"http://127.0.0.1:{port}"
    click.echo(f"The runs:         {tracking.page(root=root)}")
    if last := loaded.last_run():
        click.echo(f"The latest run:   {tracking.page(last, root)}")
    click.echo("Open one of these in a browser once the server is up (some seconds); Ctrl-C ends it.")
    # without these the server starts helpers that a look at runs has no use for, and takes 3 GB
    os.environ.update(MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false", MLFLOW_DISABLE_TELEMETRY="true")
    arguments = ["--backend-store-uri", tracking.uri, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", "server", *arguments])


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
@_source_options
def file(target: str, numbers: tuple[int, ...], **given: Any) -> None:
    """Tell which source files the NUMBERS in files.csv stand for; the names are shown here and kept nowhere.

    With the options that the SOURCE was ingested with.
    """
    from cxr.ingest.source.resolve import resolve

    if _is_pipeline(target):
        loaded = _load(Path(target), ())
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


@cli.command()
def keys() -> None:
    """List every key of a pipeline definition with its meaning."""
    from rich.table import Table

    from cxr.definition import describe_keys

    table = Table("key", "meaning", box=None, pad_edge=False)
    for name, text in dict.fromkeys(describe_keys()):
        table.add_row(name, text)
    _console().print(table)


def _load(path: Path, overrides: tuple[str, ...]) -> Pipeline:
    from cxr.definition import load_config
    from cxr.pipeline import Pipeline

    return Pipeline(load_config(path, overrides))


def _run(pipeline: Pipeline, only: str | None, *, again: bool = False) -> list[StageRecord]:
    with _Terminal() as terminal:
        return pipeline.run(terminal, only, again=again)


class _Terminal:
    """Prints what happens: a bar a stage on a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self._bar: Bar | None = None
        self._start = self._printed = 0.0
        self._stopped = False

    def __enter__(self) -> _Terminal:
        self._previous = signal.signal(signal.SIGINT, self._stop)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._previous)
        self._close_bar()

    def _stop(self, *_: object) -> None:
        # an interrupt that falls into a callback of a C library is lost there; the next report of progress repeats it
        self._stopped = True
        raise KeyboardInterrupt

    def skipped(self, state: StageState) -> None:
        headline = state.record.headline if state.record else ""
        _console().print(f"[bold]{state.stage:9}[/] [dim]not run again: {state.reason}[/]\n          {headline}")

    def started(self, state: StageState) -> _Terminal:
        _console().print(f"[bold]{state.stage:9}[/] [dim]runs: {state.reason}[/]")
        return self.open()

    def open(self) -> _Terminal:
        """Begin to show progress."""
        self._start = self._printed = time.monotonic()
        if _console().is_terminal:
            self._open_bar()
        return self

    def __call__(self, done: int, total: int, text: str = "") -> None:
        if self._stopped:
            raise KeyboardInterrupt
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done, total=total, text=text)
        elif time.monotonic() - self._printed > 10:
            self._printed = time.monotonic()
            _console().print(f"          {done} of {total}, {text}", highlight=False)

    def finished(self, record: StageRecord) -> None:
        self._close_bar()
        seconds = time.monotonic() - self._start
        _console().print(f"          {record.headline} [dim]({seconds:.0f} s)[/]", highlight=False)
        for warning in record.warnings:
            _console().print(f"          [yellow]to mind:[/] {warning}", highlight=False)

    def _open_bar(self) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("         "), BarColumn(24), TimeRemainingColumn(), TextColumn("{task.fields[text]}"))
        self._bar = Progress(*columns, console=_console(), transient=True)
        self._bar.add_task("", total=None, text="")
        self._bar.start()

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _print_end(pipeline: Pipeline, records: list[StageRecord], ui_command: str) -> None:
    from rich.table import Table

    if records[-1].table:
        header, *rows = records[-1].table
        table = Table(*header, box=None, pad_edge=False, header_style="bold")
        for row in rows:
            table.add_row(*row)
        _console().print("", table, "")
    report = pipeline.folder / "evaluate" / "report.html"
    if records[-1].stage == "evaluate" and report.exists():
        click.echo(f"report     {_short(report)}")
    click.echo(f"results    {_short(pipeline.folder)}")
    click.echo(f"runs       {ui_command}")


def _short(path: Path) -> str:
    """The path as a user would type it from here."""
    return os.path.relpath(path) if path.absolute().is_relative_to(Path.cwd()) else str(path)


def _ui_command(path: Path, overrides: tuple[str, ...]) -> str:
    """The command that opens MLflow on these runs; only the keys that say where they lie matter to it."""
    kept = [text for text in overrides if text.startswith(("workspace=", "name=", "source."))]
    return " ".join([_program(), "ui", str(path), *kept])


def _program() -> str:
    """How this command was called."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return "python -m cxr"
    return _short(called) if os.sep in sys.argv[0] else "cxr"


def _refuse_busy(port: int) -> None:
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise ConfigError(f"port {port} is in use; choose another with --port")


def _console() -> Any:
    from rich.console import Console

    global _CONSOLE
    if _CONSOLE is None:
        # wide enough for the table where the output goes to a file
        _CONSOLE = Console(soft_wrap=True, width=None if sys.stdout.isatty() else 160)
    return _CONSOLE


_CONSOLE: Any = None


def main() -> None:
    """Run the command; what a user can act on is told in a line, and ends with exit code 2."""
    try:
        code = cli.main(standalone_mode=False)
    except (KeyboardInterrupt, click.exceptions.Abort):  # click turns the one into the other
        click.echo("\nstopped; the same command goes on from here", err=True)
        code = 130
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except CxrError as error:
        click.echo(f"error: {error}", err=True)
        code = 2
    sys.exit(code if isinstance(code, int) else 0)
