"""Shipped label sets and layouts: found by name, and the ones that belong together fit each other."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from cxr.errors import ConfigError
from cxr.ingest.table.layout import FindingsAsClasses, FindingsInOneColumn, read_format
from cxr.labels.label_set import LabelSet, read_label_set
from cxr.labels.shipped import SHIPPED, find_format, shipped_formats, shipped_names

LAYOUTS = [
    "chexpert", "chexpert/test", "mimic", "mimic/test", "nih14", "openi", "padchest", "phantom", "plain", "rsna",
    "rsna/classes", "study", "vindr", "vindr/boxes", "vindr/boxes_test", "vindr/kaggle", "vindr/test",
]  # fmt: skip
LABEL_SET_OF = {"mimic": "chexpert"}


def label_set_of(layout: str) -> LabelSet | None:
    """The label set that a layout is for; none of a table of one's own."""
    folder = layout.partition("/")[0]
    path = SHIPPED / LABEL_SET_OF.get(folder, folder) / "labels.yaml"
    return read_label_set(path) if path.is_file() else None


def test_shipped_layouts_are_listed():
    assert shipped_formats() == LAYOUTS


@pytest.mark.parametrize("name", LAYOUTS)
def test_layout_is_found_by_its_name_from_anywhere(name, tmp_path):
    path = find_format(name, tmp_path)
    assert path.is_absolute()
    assert path.is_relative_to(SHIPPED.resolve())
    assert read_format(path).key


def test_layout_of_ones_own_is_found_by_its_path(tmp_path):
    (tmp_path / "ward").mkdir()
    path = tmp_path / "ward" / "mine.yaml"
    path.write_text("key: a\n")
    assert find_format("ward/mine.yaml", tmp_path) == path.resolve()
    assert find_format(str(path), Path("/nowhere")) == path.resolve()


@pytest.mark.parametrize("name", ["nih41", "nih14/none", "vindr/labels", "labels", "", "/"])
def test_unknown_layout_is_refused_with_those_that_there_are(name, tmp_path):
    with pytest.raises(ConfigError, match=r"no such file: .*; (did you mean|the shipped layouts are chexpert, .*vindr/boxes)"):
        find_format(name, tmp_path)


def test_label_set_is_no_layout(tmp_path):
    """It would be read as one, and refused for its keys."""
    (tmp_path / "labels.yaml").write_text("key: a\n")
    with pytest.raises(ConfigError, match="no such file"):
        find_format("labels.yaml", tmp_path)


def test_names_of_a_file_are_those_of_the_folders_that_have_it():
    names = shipped_names("labels.yaml").split(", ")
    assert {"chexpert", "nih14", "openi", "padchest", "phantom", "rsna", "vindr"} <= set(names)
    assert "mimic" not in names
    assert names == sorted(names)
    assert shipped_names("none.yaml") == ""


@pytest.mark.parametrize("name", LAYOUTS)
def test_layout_names_only_labels_of_its_set_and_no_entry_twice(name):
    findings, labels = read_format(find_format(name, Path())).findings, label_set_of(name)
    if labels is None:
        assert name in ("plain", "study")
        return
    if isinstance(findings, FindingsAsClasses):
        named = [text for means in findings.classes.values() for text in means]
        assert all(labels.find(text) for text in named)
    if isinstance(findings, FindingsInOneColumn):
        assert all(labels.find(text) for text in findings.silent)
        passed = () if findings.passed_over == "all" else findings.passed_over
        assert not any(labels.find(text) for text in (*findings.unsaid, *passed))
        entries = [text.casefold() for text in (*findings.none, *findings.unsaid, *passed)]
        assert len(entries) == len(set(entries))


def test_no_word_of_a_list_holds_its_separator():
    """Else the word could never be found: 'Aorta, Thoracic' needs a table that is not separated by commas."""
    for name in LAYOUTS:
        findings = read_format(find_format(name, Path())).findings
        labels = label_set_of(name)
        if isinstance(findings, FindingsInOneColumn) and not findings.quoted and labels:
            texts = [text for label in labels.labels for text in (label.name, *label.synonyms)]
            passed = () if findings.passed_over == "all" else findings.passed_over
            assert not any(findings.separator in text for text in (*texts, *findings.none, *findings.unsaid, *passed))


def test_p9_labels_that_hold_one_another_are_told_apart():
    """P9: the shipped sets have such names, so a search would be wrong; each is found as itself only."""
    pairs = 0
    for path in SHIPPED.glob("*/labels.yaml"):
        labels = read_label_set(path)
        texts = [(text, label.name) for label in labels.labels for text in (label.name, *label.synonyms)]
        for text, name in texts:
            found = labels.find(text)
            assert found is not None
            assert found.name == name
            pairs += sum(text.casefold() in other.casefold() and name != of for other, of in texts)
    assert pairs > 20


def test_every_yaml_of_a_data_set_is_a_label_set_or_a_layout():
    layouts = {find_format(name, Path()) for name in shipped_formats()}
    sets = {path.resolve() for path in SHIPPED.glob("*/labels.yaml")}
    assert {path.resolve() for path in SHIPPED.glob("*/*.yaml")} == layouts | sets


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position", "nih14"),
        ("uid,filename,projection", "openi"),
        ("image,patient_id,view,sex,age", "plain"),
    ],
)
def test_columns_that_a_layout_names_are_spelt_as_published(header, name):
    layout = read_format(find_format(name, Path()))
    columns = next(csv.reader([header]))
    assert {layout.key, *layout.context_columns} <= set(columns)
