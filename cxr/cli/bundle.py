"""`cxr bundle`: a model file as a MONAI bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cxr.cli.group import cli
from cxr.cli.terminal import Terminal, short

if TYPE_CHECKING:
    from cxr.bundle.bundle import Bundled

_PATH = click.Path(path_type=Path)


@cli.command()
@click.argument("model", type=_PATH)
@click.option("--out", type=_PATH, required=True, help="the folder to write; an older bundle there is replaced")
@click.option("--heads", type=click.IntRange(1), help="of a stacked model  [default: those that were calibrated]")
@click.option("--images", type=_PATH, help="a pipeline's folder, to compare on its test images  [default: phantoms]")
def bundle(model: Path, out: Path, heads: int | None, images: Path | None) -> None:
    """Write a calibrated MODEL file as a MONAI bundle, for MONAI's runner, MONAI Deploy and MONAI Label.

    The bundle is compared with the model and written only if it says the same. MONAI Label takes it for a classifier if
    the folder's name has "classification" in it.
    """
    from cxr.bundle.bundle import bundle

    with Terminal() as terminal:
        made = bundle(model, out, heads, images, terminal.open())
    _print(out, made)


def _print(out: Path, made: Bundled) -> None:
    card, check = made.card, made.check
    heads = "" if made.heads is None else f"{made.heads} attention heads, "
    size = card.preprocessing.size
    click.echo(
        f"{short(out)}: MONAI bundle, {heads}{len(card.labels.names)} labels, "
        f"images of {size} x {size} pixels, {made.size / 1e6:.0f} MB"
    )
    if card.calibration is None:
        click.echo("to mind: the calibration is of another network of this model; the bundle gives scores, and no yes or no")
    if "classification" not in out.name.lower():
        click.echo('to mind: MONAI Label takes it for a segmentation model; for Label put "classification" into its name')
    click.echo(f"compared with the model on {check.images} {check.of}:")
    click.echo(f"  largest change of a score        {check.score:.1e}")
    if check.probability is not None:
        click.echo(f"  largest change of a probability  {check.probability:.1e}")
    click.echo(f"in {short(out)}, with STUDIES as a folder of files, and ANSWER as one that is not in the bundle:")
    click.echo("  python -m monai.bundle run --config_file configs/inference.json --dataset_dir STUDIES --output_dir ANSWER")
