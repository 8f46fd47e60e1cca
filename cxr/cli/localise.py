"""`cxr localise`: how much the disease maps of a pipeline's model are worth, against boxes or masks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from cxr.cli.group import cli
from cxr.cli.terminal import Terminal, console, short

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.table import Table

    from cxr.evaluate.interval import Span
    from cxr.evaluate.undefined import Undefined
    from cxr.localise.check import CheckFigures, Mean
    from cxr.localise.figures import Difference, LabelFigures
    from cxr.localise.localise import Localised

_NO_FIGURE = 1
_FILE = click.Path(path_type=Path)
_TITLES = {"pointing": "highest place in the finding", "energy": "share of the map in the finding"}
_OTHERS = {"even": "over an even map", "elsewhere": "over other patients", "other": "over other labels"}


@cli.command()
@click.argument("folder", type=_FILE)
@click.option("--boxes", type=_FILE, help="BBox_List_2017.csv, or a table: image, label, x, y, width, height")
@click.option("--masks", type=_FILE, help="the folder masks of a synthetic cohort")
@click.option("--out", type=_FILE, required=True, help="folder for the result")
@click.option("--side", type=click.Choice(["test", "validation"]), default="test", show_default=True, help="of the split")
@click.option("--occlusion", type=click.IntRange(0), default=0, metavar="N", help="check N images by covering patches of them")
@click.option("--pictures", type=click.IntRange(0), default=0, metavar="N", help="draw the N best and the N worst maps")
@click.option("--key", type=_FILE, help="key of the pseudonyms, where the truth names images by their own SOPInstanceUID")
def localise(
    folder: Path,
    boxes: Path | None,
    masks: Path | None,
    out: Path,
    side: Literal["test", "validation"],
    occlusion: int,
    pictures: int,
    key: Path | None,
) -> int:
    """Judge the disease maps of the model in the FOLDER of a pipeline: do they show where findings are?

    Every map stands beside three that know less: an even one, the mean map of the same finding in other patients, and the
    maps of findings that the image does not have.

    Ends with exit code 0 if there are figures, 1 if the images are too few for any, 2 if something is wrong.
    """
    from cxr.localise.localise import Asked, localise

    asked = Asked(folder, out, boxes, masks, side, occlusion, pictures, key)
    with Terminal() as terminal:
        found = localise(asked, terminal.open())
    _print(found, side)
    click.echo(f"labels     {short(out / 'localisation.csv')}")
    click.echo(f"pairs      {short(out / 'pairs.csv')}")
    for name in found.pictures:
        click.echo(f"picture    {short(out / name)}")
    return _NO_FIGURE if all(row.note.startswith("too few") for row in found.labels) else 0


def _print(found: Localised, side: str) -> None:
    rows, columns = found.judged.grid
    click.echo(f"{len(found.judged.table)} findings with a known place on the {side} side, maps of {rows} x {columns} cells")
    for reason, count in found.judged.left_out.items():
        click.echo(f"left out   {count}: {reason}")
    for name, title in _TITLES.items():
        _print_figure(found.labels, name, title)
    if found.checks:
        _print_checks(found.checks, found.cost)
    _print_verdicts(found.labels)


def _print_figure(rows: tuple[LabelFigures, ...], name: str, title: str) -> None:
    from cxr.evaluate.undefined import Undefined

    table = _table(title, "findings", "patients", "map", *_OTHERS.values())
    for row in rows:
        if not isinstance(row.figures, Undefined):
            figure = row.figures[name]
            gains = (_gain(figure.over[other]) for other in _OTHERS)
            table.add_row(row.label, str(row.pairs), str(row.patients), f"{figure.value:.3f}", *gains)
    _show(table)


def _gain(found: Difference | Undefined) -> str:
    """Like "0.121: +0.203 (+0.112 to +0.304)": the other map's figure, and what is gained over it."""
    from cxr.evaluate.undefined import Undefined

    if isinstance(found, Undefined):
        return "-"
    return f"{found.reference:.3f}: {found.value:+.3f}{_span(found.span)}"


def _span(span: Span | Undefined) -> str:
    from cxr.evaluate.undefined import Undefined

    return "" if isinstance(span, Undefined) else f" ({span.low:+.3f} to {span.high:+.3f})"


def _print_checks(rows: tuple[CheckFigures, ...], cost: str) -> None:
    from cxr.evaluate.undefined import Undefined

    table = _table("covering patches", "images", "highest place", "over even", "share", "over even", "agrees with the map")
    for row in rows:
        if not isinstance(row.means, Undefined):
            table.add_row(row.label, str(row.images), *_check_cells(row.means))
    _show(table)
    click.echo(cost)


def _check_cells(means: Mapping[str, Mean]) -> list[str]:
    cells = []
    for name in ("occlusion_pointing", "occlusion_energy"):
        cells += [f"{means[name].value:.3f}", _signed(means[f"{name}_gain"])] if name in means else ["-", "-"]
    return [*cells, _signed(means["rank_correlation"]) if "rank_correlation" in means else "-"]


def _signed(mean: Mean) -> str:
    return f"{mean.value:+.3f}{_span(mean.span)}"


def _print_verdicts(rows: tuple[LabelFigures, ...]) -> None:
    from cxr.localise.verdict import verdict

    table = _table("the map", "")
    for row in rows:
        said = verdict(row)
        table.add_row(row.label, said if row.note in ("", said) else f"{said} ({row.note})")
    _show(table)
    click.echo("other map's figure: what is gained over it (95 % interval by patient)")


def _table(*columns: str) -> Table:
    from rich.table import Table

    return Table(*columns, box=None, pad_edge=False, header_style="bold")


def _show(table: Table) -> None:
    """Print a table, unless it has no row."""
    if table.row_count:
        console().print()
        console().print(table, highlight=False)
