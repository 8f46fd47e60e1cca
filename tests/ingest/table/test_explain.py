"""Whoever signs the layout of a table reads what each of its keys does, in the words of the table."""

from __future__ import annotations

import pytest
import yaml

from cxr.errors import ConfigError
from cxr.ingest.table.explain import explain_file, explain_layout
from cxr.ingest.table.layout import TableFormat
from cxr.labels.shipped import SHIPPED, shipped_formats

COLUMNS = {"layout": "columns"}
LIST = {"layout": "list", "column": "Found"}


def explain(findings=COLUMNS, key="Image", **keys):
    return explain_layout("mine", TableFormat.model_validate({"key": key, "findings": findings, **keys}))


def sentences(findings=COLUMNS, **keys):
    return "\n".join(explain(findings, **keys).sentences)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"key_is": "file"}, "Image is compared with the name of the image file, without folder and suffix."),
        ({"key_is": "path", "key_parts": 4}, "Of the path the last 4 parts are compared."),
        ({"key_is": "SOPInstanceUID"}, "with the SOPInstanceUID of the DICOM file."),
        ({"key_is": "StudyInstanceUID"}, "all images of the study get the labels"),
        ({"key_is": "AccessionNumber"}, "all images of the study get the labels"),
        ({"age_missing": ["0", "999"]}, "An age of 0, 999 stands for none."),
        ({"images_on": ["subject", "study"]}, "a second table, of the images; subject and study brings the two together"),
        ({"several_rows": "boxes"}, "several rows, one per box"),
        ({}, "A row that names the same image as another one is refused."),
        ({"reader": "rad"}, "more than half of them say yes, negative where more than half say no, else uncertain"),
        ({"reader": "rad", "agreement": "unanimous"}, "positive where all say yes, negative where all say no, else uncertain"),
        ({"reader": "rad", "agreement": "any"}, "where one of them says yes, negative where all say no, else uncertain"),
    ],
)
def test_each_key_is_told_by_what_it_does(keys, told):
    assert told in sentences(**keys)


@pytest.mark.parametrize("keys", [{"reader": "rad"}, {"several_rows": "boxes"}])
def test_several_rows_are_not_said_to_be_refused_where_they_are_not(keys):
    assert "names the same image as another one is refused" not in sentences(**keys)


def test_the_columns_of_the_context_are_rows_and_none_is_invented():
    assert explain().rows == (("what", "column"), ("the image", "Image"))
    told = explain(
        patient="P", study="S", view=["V1", "V2"], sex="X", birth="B", date="D", reader="R", several_rows="boxes"
    ).rows[2:]
    assert told == (
        ("the patient", "P"),
        ("the study", "S"),
        ("the view", "V1, V2"),
        ("the sex", "X"),
        ("the age", "D less B, in years"),
        ("the reader", "R"),
    )
    assert explain(age="A").rows[2:] == (("the age", "A"),)


def test_each_cell_of_a_finding_is_told_as_it_is_written():
    told = sentences({"layout": "columns", "positive": ["YES", "y"], "negative": ["No"], "uncertain": [], "blank": ["", "N/A"]})
    assert "'YES' or 'y' in a cell: positive." in told
    assert "'No' in a cell: negative." in told
    assert "Nothing or 'N/A' in a cell: blank." in told
    assert "uncertain" not in told
    assert "Any other cell is refused, with its row." in told


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (
            {},
            "Found lists the findings, with '|' between them; an entry is compared whole. A label that is not listed is blank.",
        ),
        ({"separator": ";"}, "with ';' between them"),
        ({"quoted": True}, "written like ['first', 'second']"),
        ({"none": ["Normal"]}, "'Normal' says that there is none of them."),
        ({"unsaid": ["unchanged", ""]}, "Beside 'unchanged' or nothing a label that is not listed is unknown."),
        ({"specific": True}, "What a listed finding is a kind of is there, too."),
        ({"silent": ["COPD", "Edema"]}, "never speaks of COPD, Edema: unknown in every image."),
        ({}, "An entry that is no label is refused, with its row."),
        ({"passed_over": ["Lung", "Heart"]}, "is refused, with its row; 2 known ones are left out, and counted."),
        ({"passed_over": "all"}, "An entry that is no label is left out, and counted."),
    ],
)
def test_each_key_of_a_list_is_told_by_what_it_does(keys, told):
    assert told in sentences(LIST | keys)


def test_each_class_is_told_with_what_it_says():
    classes = {"1": {"Pneumonia": "positive", "Abnormal": "positive"}, "0": {"Pneumonia": "negative"}, "?": {}}
    told = sentences({"layout": "classes", "column": "Target", "classes": classes})
    assert "Target '1' says: Pneumonia positive, Abnormal positive." in told
    assert "Target '0' says: Pneumonia negative." in told
    assert "Target '?' says: nothing." in told
    assert "Any other cell is refused, with its row." in told


@pytest.mark.parametrize("name", sorted({*shipped_formats(), *(path.parent.name for path in SHIPPED.glob("*/labels.yaml"))}))
def test_every_shipped_name_is_explained(name, tmp_path):
    found = explain_file(name, tmp_path)
    assert len(found) == sum((SHIPPED / name / file).is_file() for file in ("labels.yaml", "table.yaml")) or "/" in name
    for explanation in found:
        assert explanation.title.startswith(name)
        assert len(explanation.rows) > 1
        assert all(sentence.endswith(".") and "\n" not in sentence for sentence in explanation.sentences)


def test_a_shipped_name_that_stands_for_both_has_both():
    labels, layout = explain_file("nih14", SHIPPED)
    assert labels.title.startswith("nih14: 14 findings")
    assert layout.title == "nih14: layout of a label table"


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*/*.yaml")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_shipped_file_is_explained_by_its_path(path):
    (explanation,) = explain_file(str(path), SHIPPED)
    assert explanation.sentences


def write(path, content):
    path.write_text(yaml.safe_dump(content))
    return path


def test_a_file_of_ones_own_is_told_by_what_is_in_it_and_not_by_its_name(tmp_path):
    write(tmp_path / "table.yaml", {"name": "ward", "labels": [{"name": "Mass"}]})
    write(tmp_path / "labels.yaml", {"key": "Image", "findings": LIST})
    assert explain_file("table.yaml", tmp_path)[0].title == "ward: 1 finding"
    assert explain_file("labels.yaml", tmp_path)[0].title == "labels.yaml: layout of a label table"


@pytest.mark.parametrize("content", [{"name": "x"}, {"concepts": []}, {"source": {"kind": "images"}, "train": {}}])
def test_a_file_that_is_neither_is_refused_with_what_it_should_have(tmp_path, content):
    write(tmp_path / "mine.yaml", content)
    with pytest.raises(ConfigError, match=r"mine\.yaml: neither a label set, .* 'labels', nor the layout .* 'findings'"):
        explain_file("mine.yaml", tmp_path)


@pytest.mark.parametrize("content", [b"", b"- a\n", b"\xff\xfe\x00", b"labels: [\n", b"findings: 3\n", b"labels: 3\n"])
def test_a_file_that_cannot_be_read_is_refused_in_words(tmp_path, content):
    (tmp_path / "mine.yaml").write_bytes(content)
    with pytest.raises(ConfigError, match=r"mine\.yaml"):
        explain_file("mine.yaml", tmp_path)


@pytest.mark.parametrize("name", ["nih41", "none.yaml", "nih14/labels", ""])
def test_a_file_that_is_not_there_is_told_with_what_is_shipped(tmp_path, name):
    with pytest.raises(ConfigError, match=r"no such file: .*nih14"):
        explain_file(name, tmp_path)
