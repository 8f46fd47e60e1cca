"""`cxr retrain`: from an older model, a new label set and new data to a pipeline definition, its plan, and its run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cxr.cli.group import OVERRIDES, cli
from cxr.cli.ingest import source_options
from cxr.cli.pipeline import load, print_end, print_plan, run_stages, ui_command
from cxr.cli.terminal import program, short
from cxr.errors import ConfigError


@cli.command()
@OVERRIDES
@click.option("--from", "older", required=True, help="model file, folder of a pipeline, id of a run, or models:/NAME@ALIAS")
@click.option("--data", required=True, help="folder, zip file, DICOMDIR or DICOMweb address of the images to train with")
@source_options
@click.option("--split", type=click.Path(path_type=Path), help="split.csv of the older model  [default: found beside it]")
@click.option("--other-patients", is_flag=True, help="the older model has seen none of these patients")
@click.option(
    "--backbone",
    type=click.Choice(["train", "warm-up", "frozen"]),
    default="train",
    show_default=True,
    help="learns from the first step, after some epochs, or never",
)
@click.option(
    "--out", type=click.Path(path_type=Path), default="retrained.yaml", show_default=True, help="the pipeline file to write"
)
@click.option("--workspace", type=click.Path(path_type=Path), default="runs", show_default=True, help="folder for the results")
@click.option("--plan", is_flag=True, help="write the pipeline file, print the plan, and run nothing")
def retrain(overrides: tuple[str, ...], older: str, data: str, out: Path, workspace: Path, plan: bool, **given: Any) -> None:
    """Retrain a model on a new label set, compare it with the older one, and decide.

    Writes a pipeline file that says all of it, prints what becomes of each label, and runs the pipeline.
    """
    if out.suffix not in (".yaml", ".yml"):
        raise ConfigError(f"--out: {out}: a pipeline file ends in .yaml")
    _write(older, data, out, workspace, given)
    click.echo(f"pipeline   {short(out)}")
    loaded = load(out, overrides)
    print_plan(loaded)
    if plan:
        click.echo(f"nothing was run; {program()} run {' '.join([short(out), *overrides])} does")
        return
    records = run_stages(loaded, None)
    print_end(loaded, records, ui_command(out, overrides))


def _write(older: str, data: str, out: Path, workspace: Path, given: dict[str, Any]) -> None:
    from cxr.definition import source_keys
    from cxr.labels.label_set import find_label_set, read_label_set
    from cxr.model.card import read_card
    from cxr.retrain.define import Wanted, define, write_definition
    from cxr.retrain.find import find_older

    labels = given.pop("labels")
    if labels is None:
        raise ConfigError("--labels: missing; the new label set, a shipped name like nih14, or a YAML file")
    choices = {key: given.pop(key) for key in ("backbone", "split", "other_patients")}
    if choices["split"] is not None:
        choices["split"] = choices["split"].resolve()
    try:
        found = find_older(older, workspace.resolve())
    except ConfigError as error:
        raise ConfigError(f"--from: {error}") from error
    path = find_label_set(labels, Path.cwd())
    file, title = str(path) if Path(labels).is_file() else labels, read_label_set(path).name
    wanted = Wanted(out.stem, workspace.resolve(), file, title, source_keys(data, given), **choices)
    write_definition(out, define(found, read_card(found.model), wanted))
