"""Commands on label sets and label tables: what a file means, what a table holds, what one set says of another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cxr.cli.group import cli
from cxr.cli.terminal import Terminal, console, short
from cxr.errors import ConfigError

if TYPE_CHECKING:
    from cxr.labels.explain import Explanation


@cli.group()
def labels() -> None:
    """Label sets and label tables."""


@labels.command()
@click.argument("file")
def check(file: str) -> None:
    """Explain in plain words what FILE means: a label set, or the layout of a label table.

    FILE is a YAML file, or a shipped name such as chexpert or vindr/boxes.
    """
    from cxr.ingest.table.explain import explain_file

    for explanation in explain_file(file, Path.cwd()):
        print_explanation(explanation)


@labels.command("map")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--mapping", type=click.Path(path_type=Path), help="a file with rules that go before those of the concepts")
def map_labels(source: str, target: str, mapping: Path | None) -> None:
    """Show what the labels of one label set, FROM, say of those of another one, TO."""
    from cxr.labels.concepts import read_concepts
    from cxr.labels.explain import explain_mapping
    from cxr.labels.label_set import find_label_set, read_label_set
    from cxr.labels.mapping import derive_mapping, read_mapping

    ours, theirs = (read_label_set(find_label_set(name, Path.cwd())) for name in (source, target))
    vocabulary = read_concepts()
    found = read_mapping(mapping, ours, theirs, vocabulary) if mapping else derive_mapping(ours, theirs, vocabulary)
    print_explanation(explain_mapping(found))


@labels.command("import")
@click.argument("table")
@click.option("--format", required=True, help="how the table is laid out: a shipped name or a YAML file")
@click.option("--labels", "label_set", required=True, help="the label set: a shipped name or a YAML file")
@click.option("--image-table", help="the second table, of the images, where the format asks for one")
@click.option("--name", help="short name of the data set; it starts every pseudonym  [default: the format's]")
@click.option("--published", is_flag=True, help="the table is of a public, de-identified data set: its names are kept")
@click.option("--key", "key_file", help="the key of the pseudonyms; for a table of your own")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="folder for the result")
def import_table(out: Path, **given: str | bool | None) -> None:
    """Read a label TABLE without its images: a manifest of what it lists, and the audit of its labels."""
    from cxr.alone import run_alone
    from cxr.definition import define_import

    keys = {"label_set": "labels"}  # a function's argument cannot have the name of the group
    stage = define_import({keys.get(key, key): value for key, value in given.items() if value is not None})
    folder = out.absolute()
    for path in (stage.table, stage.image_table, stage.key_file, stage.labels, stage.format):
        if path is not None and path.is_relative_to(folder.resolve()):
            raise ConfigError(f"'{path.name}' lies in --out, which is for the result alone; choose another folder")
    with Terminal() as terminal:
        run_alone("cxr.ingest.table.stage", "labels", stage, folder, terminal)
    for name, text in (("labels.html", "audit"), ("manifest.parquet", "manifest"), ("labels", "tables")):
        click.echo(f"{text:10} {short(folder / name)}")


def print_explanation(explanation: Explanation) -> None:
    """Show what a file or a plan means."""
    from rich.markup import escape
    from rich.table import Table

    console().print(explanation.title, style="bold", markup=False, highlight=False)
    table = Table(*map(escape, explanation.rows[0]), box=None, pad_edge=False, header_style="bold")
    for row in explanation.rows[1:]:
        table.add_row(*map(escape, row))
    console().print("", table, "", highlight=False)
    for sentence in explanation.sentences:
        console().print(sentence, markup=False, highlight=False)
    for remark in explanation.remarks:
        console().print(f"[yellow]to mind:[/] {escape(remark)}", highlight=False)
    console().print("")
