"""`cxr deliver`: studies in, their reports and maps back as DICOM, to a folder or a PACS."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cxr.cli.group import cli
from cxr.cli.model_option import MEANINGS, find_model
from cxr.cli.terminal import Terminal, console, short
from cxr.extra import require

if TYPE_CHECKING:
    from cxr.deliver.deliver import Delivery
    from cxr.deliver.study import Given, Stray

_INCOMPLETE = 1
_PATH = click.Path(path_type=Path)


@cli.command()
@click.argument("inputs", nargs=-1, metavar="INPUT...")
@click.option("--model", required=True, help=f"the calibrated model: {MEANINGS}")
@click.option("--workspace", type=_PATH, help="whose MLflow store knows the run or the name  [default: runs]")
@click.option("--out", type=_PATH, help="folder for the results")
@click.option("--to", help="PACS for the results: https://HOST/dicom-web, or dicom://TITLE@HOST:PORT")
@click.option("--maps", help="labels, separated by commas, whose maps go with the report; positive: of what is a yes")
@click.option("--query", multiple=True, metavar="KEY=VALUE", help="filter on the studies of a DICOMweb service")
@click.option("--credentials", metavar="VARIABLE", help="environment variable with user:password or a token for DICOMweb")
@click.option("--title", default="CXR", show_default=True, help="own title, as the PACS of dicom:// knows it")
@click.option("--record", type=_PATH, help="a table (.csv) of which study and which file is which; confidential")
def deliver(inputs: tuple[str, ...], record: Path | None, **given: Any) -> int:
    """Score studies and give the results back as DICOM: a structured report of each, and disease maps.

    INPUT is a folder, a DICOM file, a zip file, a DICOMDIR, or the address of a DICOMweb service. Patient and study are
    taken from the files; nothing that is sent twice is there twice.

    Ends with exit code 0 if every study has its report, 1 if one has not or a file cannot be read, 2 if something is wrong.
    """
    require("dicom", "highdicom", "pynetdicom")
    from cxr.deliver.deliver import Deliverer
    from cxr.deliver.inputs import destination, sources
    from cxr.deliver.record import check_record
    from cxr.deliver.study import find_studies
    from cxr.device import choose_device

    target = destination(given["out"], given["to"], given["credentials"], given["title"])
    files = sources(inputs, given["query"], given["credentials"])
    if record is not None:
        check_record(record, files)
    maps = tuple(filter(None, map(str.strip, (given["maps"] or "").split(","))))
    deliverer = Deliverer(find_model(given["model"], given["workspace"]), choose_device("auto"), maps)
    with Terminal() as terminal:
        found = find_studies(files, terminal.open())
    done: list[Delivery] = []
    try:
        with Terminal() as terminal:
            terminal.open()
            for delivery in deliverer.deliver(found.studies, target):
                done.append(delivery)
                terminal(len(done), len(found.studies), "studies")
    finally:  # what was delivered is there, whatever happened then
        _print(found, done)
        if record is not None:
            _record(record, found, done)
    complete = not found.broken and not any(delivery.problem or delivery.faulty for delivery in done)
    if not complete and record is None:
        console().print("which study or file that is: the same command with --record FILE.csv says it", highlight=False)
    return 0 if complete else _INCOMPLETE


def _print(given: Given, done: list[Delivery]) -> None:
    """A row per study, by number: its UID names a patient's study, the report's does not."""
    from rich.markup import escape
    from rich.table import Table

    from cxr.evaluate.wording import count_text

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
    faulty = sum(each.faulty for each in whole)
    if faulty:
        told = f"{count_text(faulty, 'image')} of these not scored, since something is wrong there; the report says what"
        console().print(f"[yellow]{told}[/]", highlight=False)
    if len(whole) < len(done):
        console().print(f"{len(done) - len(whole)} without radiographs are left out", highlight=False)
    if len(done) < len(given.studies):
        console().print(f"[yellow]{len(given.studies) - len(done)} studies were not come to[/]", highlight=False)
    for (faulty, text), count in _counted(given.strays).items():
        told = "[yellow]{} of no study:[/] {}" if faulty else "{} out of scope: {}"
        console().print(told.format(count_text(count, "file"), escape(text)), highlight=False)


def _record(path: Path, given: Given, done: list[Delivery]) -> None:
    from cxr.deliver.record import write_record

    write_record(path, given, done)
    console().print(f"which is which: {short(path)} (it names patients' studies)", highlight=False, markup=False)


def _counted(strays: tuple[Stray, ...]) -> dict[tuple[bool, str], int]:
    """Files of no study, by whether something is wrong with them, and by reason."""
    from collections import Counter

    from cxr.ingest.outcome import CODES

    return dict(Counter((each.faulty, CODES[each.code][1]) for each in strays))
