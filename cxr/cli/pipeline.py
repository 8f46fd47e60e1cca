"""Commands on a pipeline: its stages, its state, its runs in MLflow, the keys of its file."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cxr.cli.group import OVERRIDES, PIPELINE, cli
from cxr.cli.terminal import Terminal, console, program, short
from cxr.errors import ConfigError
from cxr.ranks import joined, launched

if TYPE_CHECKING:
    from cxr.pipeline import Pipeline
    from cxr.record import StageRecord
    from cxr.tracking.store import Tracking

_PAGES = {"evaluate": ("report", "report.html"), "decide": ("decision", "decision.html")}
"""Of the stages whose result is shown at the end: what their page is called, and its file."""
_MARKS = {"done": "done", "interrupted": "goes on", "due": "would run", "waiting": "waits"}


@cli.command()
@PIPELINE
@OVERRIDES
def run(pipeline: Path, overrides: tuple[str, ...]) -> None:
    """Run all stages of a pipeline that are not done yet."""
    loaded = load(pipeline, overrides)
    print_plan(loaded)
    records = run_stages(loaded, None)
    print_end(loaded, records, ui_command(pipeline, overrides))


def _stage_command(name: str, text: str) -> None:
    @cli.command(name, help=text)
    @PIPELINE
    @OVERRIDES
    def command(pipeline: Path, overrides: tuple[str, ...]) -> None:
        loaded = load(pipeline, overrides)
        if name == "train" and not launched():
            print_plan(loaded)
        records = run_stages(loaded, name)
        if records:  # none in a process that runs beside another
            print_end(loaded, records, ui_command(pipeline, overrides))


_stage_command("phantom", "Draw the synthetic cohort of a pipeline.")
_stage_command("split", "Divide a pipeline's patients into train, validation and test.")
_stage_command("train", "Train a pipeline's model.")
_stage_command("calibrate", "Choose thresholds and calibrate on a pipeline's validation patients.")
_stage_command("decide", "Compare a pipeline's model with the older one, and apply the rule for promotion.")


@cli.command()
@PIPELINE
@OVERRIDES
def status(pipeline: Path, overrides: tuple[str, ...]) -> None:
    """Show which stages are done, which would run, and why."""
    from rich.table import Table

    loaded = load(pipeline, overrides)
    print_plan(loaded)
    table = Table("stage", "state", "why", "result", box=None, pad_edge=False)
    for state in loaded.states():
        table.add_row(state.stage, _MARKS[state.state], state.reason, state.record.headline if state.record else "")
    console().print(table)


@cli.command()
@PIPELINE
@OVERRIDES
@click.option("--port", default=5000, show_default=True, type=click.IntRange(1, 65535), help="port on this machine")
@click.option("--browser/--no-browser", default=None, help="open it in a browser  [default: where this machine has a display]")
def ui(pipeline: Path, overrides: tuple[str, ...], port: int, browser: bool | None) -> None:
    """Open MLflow on a pipeline's runs, in a server on this machine that ends with Ctrl-C."""
    from cxr.cli.browser import has_display, serve, show

    loaded = load(pipeline, overrides)
    tracking = loaded.tracking()
    remote = tracking.uri.startswith(("http:", "https:"))
    if not remote:
        _refuse_busy(port)
    tracking.describe()
    address = _print_pages(loaded, tracking, tracking.uri.rstrip("/") if remote else f"http://127.0.0.1:{port}")
    wanted = has_display() if browser is None else browser
    if browser is None and not wanted:
        click.echo("No display here, so no browser is opened: open an address yourself.")
    if not remote:
        click.echo("The server takes some seconds to start; Ctrl-C ends it.")
        serve(["--backend-store-uri", tracking.uri], port, address if wanted else None)
    elif wanted:
        show(address)


def _print_pages(pipeline: Pipeline, tracking: Tracking, root: str) -> str:
    """Tell where all runs and the latest one are; the address of the one to begin with."""
    overview, last = tracking.overview(root), pipeline.last_run()
    click.echo(f"All runs:         {overview}")
    if last is None or not tracking.has(last):  # none yet, or another store than the one that has it
        return overview
    latest = tracking.page(last, root)
    click.echo(f"The latest run:   {latest}")
    return overview if tracking.several() else latest


@cli.command()
def keys() -> None:
    """List every key of a pipeline definition with its meaning."""
    from rich.table import Table

    from cxr.definition import describe_keys

    table = Table("key", "meaning", box=None, pad_edge=False)
    for name, text in dict.fromkeys(describe_keys()):
        table.add_row(name, text)
    console().print(table)


def load(path: Path, overrides: tuple[str, ...]) -> Pipeline:
    """The pipeline of a file, with what is typed behind it."""
    from cxr.definition import load_config
    from cxr.pipeline import Pipeline

    return Pipeline(load_config(path, overrides))


def run_stages(pipeline: Pipeline, only: str | None, *, again: bool = False) -> list[StageRecord]:
    """Run all stages that are due, or one, and show how far they are.

    Raises:
        ConfigError: torchrun has started several processes for a stage that has no use for them.
    """
    if launched():
        return _run_together(pipeline, only)
    with Terminal() as terminal:
        return pipeline.run(terminal, only, again=again)


def _run_together(pipeline: Pipeline, only: str | None) -> list[StageRecord]:
    """Run a stage in all processes that torchrun has started; empty in all but the first."""
    if only != "train":
        raise ConfigError("of all stages `cxr train` alone has a use for the processes of torchrun; run the others without it")
    with joined() as crew:
        if not crew.ranks.first:
            pipeline.run_beside(only, crew)
            return []
        with Terminal() as terminal:
            return pipeline.run(terminal, only, crew=crew)


def print_end(pipeline: Pipeline, records: list[StageRecord], ui_command: str) -> None:
    """Show what came out, and where it is."""
    stages = [record.stage for record in records]
    for record in records:
        if record.stage in _PAGES or record is records[-1]:
            print_table(record)
    for stage, (word, name) in _PAGES.items():
        page = pipeline.folder / stage / name
        if stage in stages and page.exists():
            click.echo(f"{word:<10} {short(page)}")
    click.echo(f"results    {short(pipeline.folder)}")
    click.echo(f"runs       {ui_command}")


def print_plan(pipeline: Pipeline) -> None:
    """Show what becomes of each label, where the pipeline retrains an older model."""
    if pipeline.config.retrain is None:
        return
    from cxr.cli.labels import print_explanation
    from cxr.labels.label_set import read_label_set
    from cxr.model.card import read_card
    from cxr.retrain.explain import explain_plan
    from cxr.retrain.plan import plan_labels

    retrain, card = pipeline.config.retrain, read_card(pipeline.config.retrain.model)
    plan = plan_labels(card.labels, read_label_set(pipeline.config.labels), retrain.labels)
    print_explanation(explain_plan(plan, card, retrain, pipeline.config.train, pipeline.config.promote))


def print_table(record: StageRecord) -> None:
    """Show the table of a stage, if it has one."""
    from rich.markup import escape
    from rich.table import Table

    if record.table:
        header, *rows = record.table
        table = Table(*map(escape, header), box=None, pad_edge=False, header_style="bold")
        for row in rows:
            table.add_row(*map(escape, row))
        console().print("", table, "")


def ui_command(path: Path, overrides: tuple[str, ...]) -> str:
    """The command that opens MLflow on these runs; only the keys that say where they lie matter to it."""
    kept = [text for text in overrides if text.startswith(("workspace=", "name=", "source."))]
    return " ".join([program(), "ui", str(path), *kept])


def _refuse_busy(port: int) -> None:
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise ConfigError(f"port {port} is in use; choose another with --port")
