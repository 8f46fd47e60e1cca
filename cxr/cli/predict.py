"""`cxr predict`: a pipeline's stage, or a model's probabilities for files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cxr.cli.group import cli, is_pipeline
from cxr.cli.model_option import MEANINGS, find_model
from cxr.cli.pipeline import load, print_end, run_stages, ui_command
from cxr.cli.terminal import Terminal, console, short
from cxr.errors import ConfigError

if TYPE_CHECKING:
    from cxr.ingest.deidentify import Pseudonyms
    from cxr.predict.command import Summary
    from cxr.predict.networks import Networks
    from cxr.predict.read import Kind

_NOT_ALL = 1
_FILE = click.Path(path_type=Path)
_DEVICES = click.Choice(["auto", "cpu", "cuda"])


@cli.command()
@click.argument("target", nargs=-1, required=True, metavar="PIPELINE [KEY=VALUE]... | INPUT...")
@click.option("--model", help=f"what scores the INPUT: {MEANINGS}")
@click.option("--out", type=_FILE, help="the answer: a file that ends in .csv, .parquet or .json")
@click.option("--kind", type=click.Choice(["dicom", "images"]), help="what the INPUT holds  [default: dicom]")
@click.option("--key", "key_file", type=_FILE, help="name files and studies by pseudonyms under this key, as ingest does")
@click.option("--name", help="start of the pseudonyms  [default: hospital]")
@click.option("--heads", type=click.IntRange(1), help="of a stacked model: its network with so many attention heads")
@click.option(
    "--milliseconds", type=click.FloatRange(0, min_open=True), help="of a stacked model: the widest network this fast here"
)
@click.option("--cascade", type=_FILE, help="of a stacked model: the cascade.json that its stage predict wrote")
@click.option("--uncalibrated", is_flag=True, help="scores as they leave the network, in columns that say so; no yes or no")
@click.option(
    "--maps", type=_FILE, help="a new folder for pictures of where the model looked, on each image for labels that are a yes"
)
@click.option("--maps-of", metavar="LABEL,...", help="of which labels, on every scored image; all: of each")
@click.option("--workers", type=click.IntRange(0), help="processes that read; 0: none  [default: 2 for more than 64 files]")
@click.option("--batch", type=click.IntRange(1), help="images that are scored together  [default: 16]")
@click.option("--device", type=_DEVICES, help="where a model file computes  [default: auto]")
@click.option("--workspace", type=_FILE, help="whose MLflow store knows the run or the name  [default: runs]")
def predict(target: tuple[str, ...], **given: Any) -> int:
    """Score a pipeline's validation and test images, or files by a model.

    With a PIPELINE (a YAML file) it is the stage of that name. With --model, INPUT is any number of DICOM files, folders,
    zip files and DICOMDIR; or, with --kind images, of PNG and JPEG files, of which nothing tells whether they are frontal
    chest radiographs, so that all are scored. What is not scored has a reason in the place of numbers.

    Ends with exit code 0 if all files were scored, 1 if some were not, 2 if something is wrong.
    """
    if not is_pipeline(target[0]):
        return _predict_files(target, given)
    surplus = [f"--{name.removesuffix('_file')}" for name, value in given.items() if value]
    if surplus:
        raise ConfigError(f"{surplus[0]} is for files; in a pipeline the file says it")
    path, overrides = Path(target[0]), target[1:]
    loaded = load(path, overrides)
    records = run_stages(loaded, "predict")
    if records:  # none in a process that runs beside another
        print_end(loaded, records, ui_command(path, overrides))
    return 0


def _predict_files(target: tuple[str, ...], given: dict[str, Any]) -> int:
    from cxr.predict.command import Asked, predict_files
    from cxr.predict.inputs import open_inputs, refuse_place
    from cxr.predict.networks import Wanted, open_networks
    from cxr.predict.wanted_maps import WantedMaps, check_folder
    from cxr.predict.writing import check_out

    wanted = Wanted(given["heads"], given["milliseconds"], given["cascade"], given["uncalibrated"], given["device"] or "auto")
    if given["model"] is None or given["out"] is None:
        raise ConfigError(f"--{'model' if given['model'] is None else 'out'}: missing, but needed to score files")
    check_out(given["out"])
    kind: Kind = "image" if given["kind"] == "images" else "dicom"
    inputs = open_inputs(target, kind)
    refuse_place(given["out"], inputs)
    maps = None if given["maps"] is None else WantedMaps(given["maps"], given["maps_of"])
    if maps is not None:
        check_folder(maps.folder, given["out"], inputs)
    elif given["maps_of"] is not None:
        raise ConfigError("--maps-of: without effect without --maps")
    names = _pseudonyms(given)
    model = find_model(given["model"], given["workspace"])
    asked = Asked(inputs, kind, given["out"], names, given["batch"] or 16, given["workers"], maps)
    with Terminal() as terminal:
        networks = open_networks(model, wanted)
        summary = predict_files(asked, networks, model, terminal.open())
    _print(summary, networks, given["maps"])
    return 0 if summary.complete else _NOT_ALL


def _pseudonyms(given: dict[str, Any]) -> Pseudonyms | None:
    from cxr.ingest.deidentify import Pseudonyms, read_key

    if given["key_file"] is None:
        if given["name"] is not None:
            raise ConfigError("--name: without effect without --key")
        return None
    return Pseudonyms(given["name"] or "hospital", read_key(given["key_file"]))


def _print(summary: Summary, networks: Networks, maps: Path | None) -> None:
    from rich.table import Table

    from cxr.ingest.outcome import CODES

    table = Table("files", "", "meaning", box=None, pad_edge=False, header_style="bold")
    table.add_row(str(summary.files), "", "")
    table.add_row(str(summary.scored), "scored", "")
    for code, count in summary.reasons.items():
        table.add_row(str(count), code, CODES[code][1])
    console().print(table)
    if summary.studies:
        click.echo(f"{summary.studies_scored} of {summary.studies} studies have a scored file")
    if summary.shared:
        click.echo(f"to mind: {summary.shared} StudyInstanceUID stand in files of several patients; they are kept apart")
    if networks.words:
        click.echo(f"network    {networks.words}")
    for remark in networks.remarks:
        click.echo(f"           {remark}")
    if networks.calibration is not None:
        for name, reason in networks.calibration.unscaled.items():
            click.echo(f"to mind: the score of '{name}' is no calibrated probability, but left as it is: {reason}")
    if summary.twice is not None:
        click.echo(f"           {summary.twice} of {summary.scored} files were scored by the wide network, too")
    if not summary.complete:
        click.echo(f"{summary.files - summary.scored} files are not scored; outcome, codes and reason in the answer say why")
    for word, path in summary.written.items():
        click.echo(f"{word:10} {short(path)}")
    if maps is not None and summary.drawn is not None:
        click.echo(f"{'maps':10} {short(maps)}: {summary.drawn.pictures} pictures; index.csv says what each is of")
        if summary.drawn.left_out:
            click.echo(f"to mind: {summary.drawn.left_out} scored files have changed or gone since, and have no picture")
