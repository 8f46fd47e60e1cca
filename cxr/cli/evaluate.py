"""Commands that judge scores: of a pipeline, of tables of any origin, of two tables against each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cxr.cli.group import OVERRIDES, cli, is_pipeline
from cxr.cli.pipeline import load, print_end, print_table, run_stages, ui_command
from cxr.cli.terminal import Terminal, short
from cxr.errors import ConfigError

if TYPE_CHECKING:
    from cxr.section import Section

_TRUTH_OPTIONS = (
    click.option("--truth", help="the table of the truth, also as published; without it the table of the scores has it"),
    click.option("--labels", help="the label set: a shipped name or a YAML file"),
    click.option("--format", help="how the truth is laid out, where that is not found out: a shipped name or a YAML file"),
    click.option("--image-table", help="the second table of a truth, of the images, where its format asks for one"),
    click.option("--id", "id_column", help="the column that names the image, where it has an unusual name"),
    click.option("--seed", type=click.IntRange(0), help="of the resamples  [default: 0]"),
    click.option("--out", type=click.Path(path_type=Path), help="folder for the result"),
)


def _truth_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_TRUTH_OPTIONS):
        command = option(command)
    return command


@cli.command()
@click.argument("target", nargs=-1, metavar="[PIPELINE] [KEY=VALUE]...")
@click.option("--predictions", help="a table of scores, CSV or Parquet: a row per image, a column per label")
@click.option("--title", help="shown in the report  [default: the name of the table]")
@_truth_options
def evaluate(target: tuple[str, ...], out: Path | None, **given: Any) -> None:
    """Judge scores: figures with intervals, a report and a model card.

    Of a PIPELINE, its predictions of the test patients. Or, with --predictions, a table that any model has made, joined
    to its truth by the ids of the images; KEY=VALUE sets any key of `evaluate` and `calibrate`, like evaluate.unit=study.
    """
    if target and is_pipeline(target[0]):
        surplus = [name for name, value in {**given, "out": out}.items() if value is not None]
        if surplus:
            raise ConfigError(f"{_option(surplus[0])} is for tables; in a pipeline the file says it")
        _evaluate_pipeline(Path(target[0]), target[1:])
        return
    if given["predictions"] is None:
        raise ConfigError("give a PIPELINE (a YAML file), or --predictions TABLE")
    from cxr.definition import define_tables

    stage = define_tables(_needed(given, out), target)
    _run_alone(
        "cxr.external.stage",
        "evaluate",
        stage,
        out,
        {"report.html": "report", "model_card.md": "card", "metrics.csv": "figures"},
    )


@cli.command()
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@OVERRIDES
@_truth_options
def compare(a: str, b: str, overrides: tuple[str, ...], out: Path | None, **given: Any) -> None:
    """Compare the scores of A with those of B on the same patients: better, worse, or no difference shown.

    A and B are tables of scores, or folders of pipelines, whose predictions of the test patients are taken.
    """
    from cxr.definition import define_compare

    sides = {"a": str(_table_of(a)), "b": str(_table_of(b))}
    stage = define_compare({**_needed(given, out), **sides}, overrides)
    _run_alone("cxr.compare.stage", "compare", stage, out, {"comparison.html": "page", "comparison.csv": "figures"})


def _evaluate_pipeline(path: Path, overrides: tuple[str, ...]) -> None:
    loaded = load(path, overrides)
    print_end(loaded, run_stages(loaded, "evaluate"), ui_command(path, overrides))


def _option(name: str) -> str:
    return "--id" if name == "id_column" else f"--{name.replace('_', '-')}"


def _needed(given: dict[str, Any], out: Path | None) -> dict[str, Any]:
    if given["labels"] is None:
        raise ConfigError("--labels: missing; a shipped name like nih14, or a YAML file")
    if out is None:
        raise ConfigError("--out FOLDER: missing, but needed to write the result")
    return {key: value for key, value in given.items() if value is not None}


def _table_of(text: str) -> Path:
    """The table that an argument means: itself, or the predictions in the folder of a pipeline."""
    path = Path(text)
    inside = path / "predict" / "predictions.parquet"
    if not path.is_dir():
        return path
    if not inside.is_file():
        raise ConfigError(f"{path}: a folder without predict/predictions.parquet; name a table, or the folder of a pipeline")
    _refuse_old(path)
    return inside


def _refuse_old(folder: Path) -> None:
    """Refuse the predictions of a pipeline that are not of the model that lies there now."""
    from cxr.record import read_record

    train, predict = (read_record(folder / stage) for stage in ("train", "predict"))
    if train is None or predict is None:  # a folder that was copied, or tidied up
        return
    if predict.fingerprint.inputs.get("model") != train.digest("model.safetensors"):
        raise ConfigError(f"{folder}: its predictions are not of the model that lies there now; run the pipeline first")


def _run_alone(module: str, name: str, stage: Section, out: Path | None, results: dict[str, str]) -> None:
    from cxr.alone import run_alone

    assert out is not None
    folder = out.absolute()
    _refuse_place(folder, stage)
    with Terminal() as terminal:
        record = run_alone(module, name, stage, folder, terminal)
    print_table(record)
    for file, text in results.items():
        click.echo(f"{text:10} {short(folder / file)}")


def _refuse_place(folder: Path, stage: Section) -> None:
    from cxr.record import read_record

    for path in (value for value in dict(stage).values() if isinstance(value, Path)):
        if path.is_relative_to(folder.resolve()):
            raise ConfigError(f"'{path.name}' lies in --out, which is for the result alone; choose another folder")
    record = read_record(folder)
    if record is not None and record.parent_run_id:
        raise ConfigError(f"--out: {short(folder)} belongs to a pipeline; choose another folder")
