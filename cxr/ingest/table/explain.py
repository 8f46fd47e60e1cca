"""The layout of a label table in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cxr.errors import ConfigError
from cxr.ingest.table.layout import FindingsAsClasses, FindingsInColumns, FindingsInOneColumn, TableFormat, read_format
from cxr.labels.concepts import read_concepts
from cxr.labels.explain import Explanation, explain_label_set
from cxr.labels.label_set import read_label_set
from cxr.labels.shipped import SHIPPED, find_format
from cxr.yamlfile import read_mapping


def explain_file(reference: str, base: Path) -> list[Explanation]:
    """What a file means: a label set, the layout of a table, or a shipped name, which may stand for one of each.

    Args:
        reference: a shipped name, or the path of a YAML file.
        base: the folder that a relative path starts from.

    Raises:
        ConfigError: there is no such file, or it is neither of them.
    """
    folder = SHIPPED / reference
    shipped = [path for path in (folder / "labels.yaml", folder / "table.yaml") if path.is_file()]
    if not shipped and not (base / reference).is_file():
        shipped = [find_format(reference, base)]
    return [_explain(path, reference) for path in shipped or [base / reference]]


def _explain(path: Path, name: str) -> Explanation:
    keys = read_mapping(path)
    if "labels" in keys:
        return explain_label_set(read_label_set(path), read_concepts())
    if "findings" in keys:
        return explain_layout(name, read_format(path))
    raise ConfigError(f"{path}: neither a label set, which has a key 'labels', nor the layout of a table, which has 'findings'")


_KEYS = {
    "file": "with the name of the image file, without folder and suffix",
    "path": "with the end of the image file's path, without suffix",
    "SOPInstanceUID": "with the SOPInstanceUID of the DICOM file",
    "StudyInstanceUID": "with the StudyInstanceUID of the DICOM file; all images of the study get the labels",
    "AccessionNumber": "with the AccessionNumber of the DICOM file; all images of the study get the labels",
}
_AGREEMENT = {
    "majority": "positive where more than half of them say yes, negative where more than half say no, else uncertain",
    "unanimous": "positive where all say yes, negative where all say no, else uncertain",
    "any": "positive where one of them says yes, negative where all say no, else uncertain",
}


def explain_layout(name: str, layout: TableFormat) -> Explanation:
    """What a table layout means."""
    rows = [("what", "column"), ("the image", layout.key)]
    rows += [(what, text) for what, text in _context(layout) if text]
    return Explanation(f"{name}: layout of a label table", tuple(rows), tuple(_sentences(layout)))


def _context(layout: TableFormat) -> Iterator[tuple[str, str]]:
    yield "the patient", layout.patient or ""
    yield "the study", layout.study or ""
    yield "the view", ", ".join(layout.view_columns)
    yield "the sex", layout.sex or ""
    yield "the age", layout.age or (f"{layout.date} less {layout.birth}, in years" if layout.birth else "")
    yield "the reader", layout.reader or ""


def _sentences(layout: TableFormat) -> Iterator[str]:
    yield f"{layout.key} is compared {_KEYS[layout.key_is]}."
    if layout.key_is == "path" and layout.key_parts > 1:
        yield f"Of the path the last {layout.key_parts} parts are compared."
    if layout.images_on:
        columns = " and ".join(layout.images_on)
        yield f"The columns above are those of a second table, of the images; {columns} brings the two together."
    if layout.age_missing:
        yield f"An age of {', '.join(layout.age_missing)} stands for none."
    yield from _findings(layout)
    if layout.several_rows == "boxes":
        yield "An image may have several rows, one per box: what one of them says is said of the image."
    if layout.reader:
        yield f"Several readers have read an image, a row each: a finding is {_AGREEMENT[layout.agreement]}."
    if layout.several_rows == "refuse" and not layout.reader:
        yield "A row that names the same image as another one is refused."


def _findings(layout: TableFormat) -> Iterator[str]:
    match layout.findings:
        case FindingsInColumns() as columns:
            yield "Each label has a column of its name, or of another name of it, in any order."
            for text in ("positive", "negative", "uncertain", "blank"):
                if cells := getattr(columns, text):
                    told = _quoted(cells)
                    yield f"{told[0].upper()}{told[1:]} in a cell: {text}."
            yield "Any other cell is refused, with its row."
        case FindingsInOneColumn() as listed:
            yield from _list_findings(listed)
        case FindingsAsClasses() as classes:
            for cell, means in classes.classes.items():
                said = ", ".join(f"{name} {value}" for name, value in means.items()) or "nothing"
                yield f"{classes.column} '{cell}' says: {said}."
            yield "Any other cell is refused, with its row."


def _list_findings(listed: FindingsInOneColumn) -> Iterator[str]:
    how = "written like ['first', 'second']" if listed.quoted else f"with '{listed.separator}' between them"
    yield f"{listed.column} lists the findings, {how}; an entry is compared whole. A label that is not listed is blank."
    if listed.none:
        yield f"{_quoted(listed.none)} says that there is none of them."
        beside = {"refuse": "the row is refused", "findings": "the finding counts, and that there is none is uncertain"}
        yield f"Where it stands beside a finding, {beside[listed.none_beside]}."
    if listed.unsaid:
        yield f"Beside {_quoted(listed.unsaid)} a label that is not listed is unknown."
    if listed.specific:
        yield "What a listed finding is a kind of is there, too."
    if listed.silent:
        yield f"Such a table never speaks of {', '.join(listed.silent)}: unknown in every image."
    if listed.passed_over == "all":
        yield "An entry that is no label is left out, and counted."
    else:
        known = f"; {len(listed.passed_over)} known ones are left out, and counted" if listed.passed_over else ""
        yield f"An entry that is no label is refused, with its row{known}."


def _quoted(cells: tuple[str, ...]) -> str:
    return " or ".join("nothing" if cell == "" else f"'{cell}'" for cell in cells)
