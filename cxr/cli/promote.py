"""`cxr promote`: let a model take the place of the one in use if the rule holds, take that back, or tell what was decided."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cxr.cli.group import cli, is_pipeline
from cxr.cli.pipeline import load
from cxr.cli.terminal import console, program
from cxr.errors import ConfigError

if TYPE_CHECKING:
    from cxr.promote.asked import Outcome
    from cxr.promote.history import History
    from cxr.tracking.store import Tracking

_REFUSED = 1
_RUNS = Path("runs")


@cli.command()
@click.argument("target", nargs=-1, metavar="[TARGET] [KEY=VALUE]...")
@click.option("--why", help="the reason, kept with the decision; needed, except for --history")
@click.option("--alias", default="champion", show_default=True, help="alias of the version in use")
@click.option("--rollback", is_flag=True, help="give the alias back to the version that had it before")
@click.option("--history", is_flag=True, help="show all decisions, the last one first")
@click.option("--workspace", type=click.Path(path_type=Path), help="whose runs are meant, without a pipeline  [default: runs]")
def promote(target: tuple[str, ...], why: str | None, alias: str, rollback: bool, history: bool, workspace: Path | None) -> int:
    """Let a model take the place of the one in use, if the rule holds; every decision is kept with its reason.

    TARGET is a pipeline (a YAML file, whose last run is meant), or a pipeline's run in MLflow: its name, its id, or the
    first 8 digits of that. With --rollback and --history it is a name in the registry, or a pipeline; where only one
    model has decisions, it can be left out.

    Ends with exit code 0 if promoted, 1 if the rule refuses it, 2 if something is wrong.
    """
    if rollback and history:
        raise ConfigError("--rollback and --history: choose one of them")
    if history:
        _refuse_surplus(why)
        _print_history(_history(target, workspace))
        return 0
    outcome = _roll_back(target, why, alias, workspace) if rollback else _promote(target, why, alias, workspace)
    _print(outcome)
    return _REFUSED if outcome.what == "refused" else 0


def _promote(target: tuple[str, ...], why: str | None, alias: str, workspace: Path | None) -> Outcome:
    from cxr.promote.asked import wish
    from cxr.promote.promote import promote
    from cxr.promote.target import find_candidate, pipeline_candidate
    from cxr.tracking.find import open_store

    if not target:
        raise ConfigError("TARGET: missing; a pipeline, or the name or the id of a pipeline's run")
    asked = wish(alias, why)
    if is_pipeline(target[0]):
        _refuse_workspace(workspace)
        loaded = load(Path(target[0]), target[1:])
        return promote(loaded.tracking(), pipeline_candidate(loaded), asked, _say)
    _refuse_overrides(target)
    tracking = open_store(workspace or _RUNS)
    return promote(tracking, find_candidate(tracking, target[0]), asked, _say)


def _roll_back(target: tuple[str, ...], why: str | None, alias: str, workspace: Path | None) -> Outcome:
    from cxr.promote.asked import wish
    from cxr.promote.rollback import roll_back

    asked = wish(alias, why)
    tracking, name = _registered(target, workspace)
    return roll_back(tracking, name, asked, _say)


def _history(target: tuple[str, ...], workspace: Path | None) -> History:
    from cxr.promote.rollback import read_history
    from cxr.tracking.registry import Registry

    tracking, name = _registered(target, workspace)
    return read_history(Registry(tracking), name)


def _registered(target: tuple[str, ...], workspace: Path | None) -> tuple[Tracking, str]:
    """The store and the name in its registry that are meant."""
    from cxr.promote.target import find_model
    from cxr.tracking.find import open_store
    from cxr.tracking.registry import Registry

    if target and is_pipeline(target[0]):
        _refuse_workspace(workspace)
        config = load(Path(target[0]), target[1:]).config
        return open_store(config.workspace), config.promote.model or config.name
    _refuse_overrides(target)
    tracking = open_store(workspace or _RUNS)
    return tracking, find_model(Registry(tracking), target[0] if target else None)


def _refuse_workspace(workspace: Path | None) -> None:
    if workspace is not None:
        raise ConfigError("--workspace is for a run or a name without a pipeline; in a pipeline the file says it")


def _refuse_overrides(target: tuple[str, ...]) -> None:
    if len(target) > 1:
        raise ConfigError(f"'{target[1]}': only a pipeline has keys to set; a name with blanks is put in quotation marks")


def _refuse_surplus(why: str | None) -> None:
    if why is not None:
        raise ConfigError("--why: --history decides nothing")


def _say(text: str) -> None:
    click.echo(text, err=True)


def _print(outcome: Outcome) -> None:
    entry, in_use = outcome.entry, f"{outcome.name}: version {outcome.version} is the {outcome.alias}"
    if entry is None:
        click.echo(f"{in_use} already, and it is this model; nothing was to be decided")
        return
    if entry.what == "refused":
        kept = "there is none yet" if outcome.version is None else f"version {outcome.version} stays"
        click.echo(f"{outcome.name}: refused {'already ' if outcome.again else ''}as {outcome.alias}; {kept}")
        for sentence in entry.failed:
            click.echo(f"  * {sentence}")
    else:
        before = "the first one" if entry.before is None else f"before it was version {entry.before}"
        click.echo(f"{in_use} now; {before}")
    if entry.grounds.rule:
        click.echo(f"by the rule: {entry.grounds.rule}")
    for remark in entry.grounds.remarks:
        click.echo(remark)
    since = f", since {entry.moment}" if outcome.again else ""
    click.echo(f"on record as decision {entry.number}{since}; {program()} promote --history {outcome.name} shows all")


def _print_history(history: History) -> None:
    from rich.markup import escape
    from rich.table import Table

    header, *rows = history.short_rows()
    table = Table(*header, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*map(escape, row))
    console().print(history.name, style="bold", markup=False, highlight=False)
    console().print("", table, "", highlight=False)
