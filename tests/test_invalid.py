"""What `cxr labels check` says of a file that is not as it should be."""

from __future__ import annotations

import pytest

from cxr.errors import ConfigError
from cxr.ingest.table.layout import read_format
from cxr.labels.label_set import read_label_set


@pytest.mark.parametrize(
    ("label", "told"),
    [
        ("{name: A, uncertian: ignore}", "uncertian of A: unknown key; did you mean uncertain?"),
        ("{name: A, uncertain: maybe}", "uncertain of A is 'maybe'; it must be 'ignore', 'negative' or 'positive', or"),
        ("{name: A, uncertain: 1.5}", "uncertain of A is 1.5; it must be .* or a number from 0 to 1$"),
        ("{name: A, uncertain: no}", "uncertain of A is False; it must be"),
        ("{name: A, blank: none}", "blank of A is 'none'; it must be 'unknown' or 'negative'$"),
        ("{name: No}", "name of labels 1 must be a text; in quotes"),
        ("{name: A, excludes: Bee}", r"excludes of A must be a list: \[one, two\]"),
        ("{name: A, parent: Bx}", "parent 'Bx' of A is not a label of this set"),
        ("{name: A, synonyms: [bee]}", "'bee' stands for both A and Bee"),
        ("{nam: A}", "name of labels 1 is missing"),
    ],
)
def test_a_label_set_is_refused_by_the_name_of_the_finding_and_the_key_that_was_meant(tmp_path, label, told):
    (tmp_path / "set.yaml").write_text(f"name: x\nlabels:\n  - {label}\n  - {{name: Bee}}\n")
    with pytest.raises(ConfigError, match=rf"set\.yaml: {told}"):
        read_label_set(tmp_path / "set.yaml")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("key: a\nfindings: {layout: colums}", "findings is 'colums'; it must be 'list', 'columns', 'classes'"),
        ("key: a\nfindings: {layout: columns, postive: ['1']}", "postive: unknown key; did you mean positive"),
        ("key: a\nfindings: {layout: columns, positive: '1'}", r"positive of findings must be a list: \[one, two\]"),
        ("findings: {layout: columns}", "key is missing"),
        ("key: a\nkey_is: UID\nfindings: {layout: columns}", "key_is is 'UID'; it must be 'file', 'path'"),
    ],
)
def test_a_layout_is_refused_by_its_key(tmp_path, text, told):
    (tmp_path / "layout.yaml").write_text(text)
    with pytest.raises(ConfigError, match=rf"layout\.yaml: .*{told}"):
        read_format(tmp_path / "layout.yaml")
