"""`cxr deliver`: studies in, their reports and maps back as DICOM, to a folder or a PACS."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cxr.cli.group import cli
from cxr.cli.terminal import Terminal, console
from cxr.extra import require

if TYPE_CHECKING:
    from cxr.deliver.deliver import Delivery
    from cxr.deliver.study import Given, Stray

_INCOMPLETE = 1


@cli.command()
@click.argument("inputs", nargs=-1, metavar="INPUT...")
@click.option("--model", type=click.Path(path_type=Path), required=True, help="the calibrated model file")
@click.option("--out", type=click.Path(path_type=Path), help="folder for the results")
@click.option("--to", help="PACS for the results: https://HOST/dicom-web, or dicom://TITLE@HOST:PORT")
@click.option("--maps", help="labels, separated by commas, whose maps go with the report; positive: of what is a yes")
@click.option("--query", multiple=True, metavar="KEY=VALUE", help="filter on the studies of a DICOMweb service")
@click.option("--credentials", metavar="VARIABLE", help="environment variable with user:password or a token for DICOMweb")
@click.option("--title", default="CXR", show_default=True, help="own title, as the PACS of dicom:// knows it")
def deliver(
    inputs: tuple[str, ...],
    model: Path,
    out: Path | None,
    to: str | None,
    maps: str | None,
    query: tuple[str, ...],
    credentials: str | None,
    title: str,
) -> int:
    """Score studies and give the results back as DICOM: a structured report of each, and disease maps.

    INPUT is a folder, a DICOM file, a zip file, a DICOMDIR, or the address of a DICOMweb service. Patient and study are
    taken from the files; nothing that is sent twice is there twice.

    Ends with exit code 0 if every study has its report, 1 if one has not or a file cannot be read, 2 if something is wrong.
    """
    require("dicom", "highdicom", "pynetdicom")
    from cxr.deliver.deliver import Deliverer
    from cxr.deliver.inputs import destination, sources
    from cxr.deliver.study import find_studies
    from cxr.device import choose_device

    target = destination(out, to, credentials, title)
    files = sources(inputs, query, credentials)
    deliverer = Deliverer(model, choose_device("auto"), tuple(filter(None, map(str.strip, (maps or "").split(",")))))
    with Terminal() as terminal:
        given = find_studies(files, terminal.open())
    done: list[Delivery] = []
    try:
        with Terminal() as terminal:
            terminal.open()
            for delivery in deliverer.deliver(given.studies, target):
                done.append(delivery)
                terminal(len(done), len(given.studies), "studies")
    finally:  # what was delivered is there, whatever happened then
        _print(given, done)
    return _INCOMPLETE if given.broken or any(delivery.problem for delivery in done) else 0


def _print(given: Given, done: list[Delivery]) -> None:
    """A row per study, by number: its UID names a patient's study, the report's does not."""
    from rich.markup import escape
    from rich.table import Table

    table = Table("study", "scored", "left out", "yes", "maps", "report", box=None, pad_edge=False, header_style="bold")
    for number, each in enumerate(done, start=1):
        if each.radiographs:
            told = each.problem or each.report
            row = (str(number), str(each.scored), str(each.left_out), ", ".join(each.yes) or "-", str(each.maps), told)
            table.add_row(*map(escape, row), style="yellow" if each.problem else None)
    console().print(table, highlight=False)
    whole = [each for each in done if each.radiographs]
    reported = sum(not each.problem for each in whole)
    console().print(f"{reported} of {len(whole)} studies with radiographs delivered", highlight=False)
    if len(whole) < len(done):
        console().print(f"{len(done) - len(whole)} without radiographs are left out", highlight=False)
    if len(done) < len(given.studies):
        console().print(f"[yellow]{len(given.studies) - len(done)} studies were not come to[/]", highlight=False)
    for text, count in _counted(given.strays).items():
        console().print(f"[yellow]{count} files belong to no study:[/] {escape(text)}", highlight=False)


def _counted(strays: tuple[Stray, ...]) -> dict[str, int]:
    """Files that could not be read, by reason."""
    from collections import Counter

    from cxr.ingest.outcome import CODES

    return dict(Counter(CODES[each.code][1] for each in strays))
