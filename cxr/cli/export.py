"""`cxr export`: a model file as one file that other programs run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cxr.cli.group import cli
from cxr.cli.terminal import Terminal, short

if TYPE_CHECKING:
    from cxr.export.export import Exported, Format
    from cxr.export.record import Check, Precision

_SHARE = click.FloatRange(0, 1, min_open=True, max_open=True)


@cli.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="the file to write")
@click.option("--format", type=click.Choice(["onnx", "torch"]), help="[default: torch for a file *.pt2, else onnx]")
@click.option("--precision", type=click.Choice(["float32", "bf16", "int8"]), default="float32", show_default=True)
@click.option("--heads", type=click.IntRange(1), help="of a stacked model  [default: those that were calibrated]")
@click.option("--images", type=click.Path(path_type=Path), help="a pipeline's folder, to compare on its test images")
@click.option("--tolerance", type=_SHARE, help="largest change of a probability  [default: 0.0001; bf16, int8: 0.02]")
@click.option("--auroc-tolerance", type=_SHARE, help="largest change of an AUROC  [default: 0.001; bf16, int8: 0.01]")
def export(
    model: Path,
    out: Path,
    format: Format | None,
    precision: Precision,
    heads: int | None,
    images: Path | None,
    tolerance: float | None,
    auroc_tolerance: float | None,
) -> None:
    """Write a calibrated MODEL file as ONNX or torch.export, with labels, calibration and thresholds inside.

    The file is compared with the model, on the test images of --images or on phantoms, and written only if it says the
    same within the tolerance. int8 is for ONNX, bf16 for torch.
    """
    from cxr.export.export import Wish, export

    chosen: Format = format or ("torch" if out.suffix == ".pt2" else "onnx")
    wish = Wish(chosen, precision, heads, images, tolerance, auroc_tolerance)
    with Terminal() as terminal:
        made = export(model, out, wish, terminal.open())
    _print(out, chosen, made)


def _print(out: Path, format: Format, made: Exported) -> None:
    card, record = made.card, made.record
    heads = "" if record.heads is None else f", {record.heads} attention heads"
    size = card.preprocessing.size
    click.echo(
        f"{short(out)}: {format}, {record.precision}{heads}, {len(card.labels.names)} labels, "
        f"images of {size} x {size} pixels, {made.size / 1e6:.0f} MB"
    )
    if card.calibration is None:
        click.echo("to mind: the calibration is of another network of this model; the file gives scores, and no yes or no")
    _print_check(record.check)


def _print_check(check: Check) -> None:
    click.echo(f"compared with the model on {check.images} {check.of}, in batches of {', '.join(map(str, check.batches))}:")
    click.echo(f"  largest change of a score        {check.score:.1e}")
    if check.probability is not None:
        click.echo(f"  largest change of a probability  {check.probability:.1e}")
    if check.map is not None:
        click.echo(f"  largest change in a disease map  {check.map:.1e}")
    for name, point in check.points.items():
        click.echo(f"  same yes or no at '{name}'  {point.same} of {point.decisions}")
    label = check.furthest_auroc
    if label is not None:
        click.echo(f"  largest change of an AUROC       {check.auroc[label]:+.4f} ({label}; of {len(check.auroc)} labels)")
    else:
        click.echo("  change of the AUROC              not known: no label with enough images of known truth")
