"""What the cells of a label table say of each finding: compared whole, four values and blank kept apart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cxr.errors import ConfigError, DataError
from cxr.ingest.table.csvfile import CsvFile
from cxr.ingest.table.findings import FindingsReader, findings_reader
from cxr.ingest.table.layout import FindingsInOneColumn, TableFormat, read_format
from cxr.labels.label_set import Label, LabelSet, read_label_set
from cxr.labels.shipped import SHIPPED, find_format
from cxr.labels.values import BLANK, NEGATIVE, POSITIVE, UNCERTAIN, UNKNOWN

NIH = read_label_set(SHIPPED / "nih14" / "labels.yaml")
PADCHEST = read_label_set(SHIPPED / "padchest" / "labels.yaml")
SMALL = LabelSet(
    name="small",
    labels=(
        Label(name="Mass"),
        Label(name="Massive Effusion", blank="negative", parent="Effusion"),
        Label(name="Effusion", synonyms=("Pleural Effusion", "Erguss")),
        Label(name="Healthy"),
    ),
)
COLUMNS = {"layout": "columns"}
LIST = {"layout": "list", "column": "found", "none": ["None"]}
QUOTED = {**LIST, "quoted": True, "unsaid": ["unchanged", ""]}
CLASSES = {"layout": "classes", "column": "found", "classes": {"Sick": {"Mass": "positive", "Erguss": "uncertain"}, "Well": {}}}
B, N, P, U, K = BLANK, NEGATIVE, POSITIVE, UNCERTAIN, UNKNOWN


@pytest.fixture
def read(tmp_path):
    """Reads the findings of a text: the codes, and the reader."""

    def call(
        text: str, findings: Mapping[str, Any], labels: LabelSet = SMALL, published: bool = True
    ) -> tuple[list[list[int]], FindingsReader]:
        path = tmp_path / "table.csv"
        path.write_text(text, encoding="utf-8")
        table = CsvFile(path)
        layout = TableFormat.model_validate({"key": "image", "findings": findings})
        reader = findings_reader(table, labels, layout.findings, published=published)
        codes = np.concatenate([reader.codes(batch) for batch in table.batches(reader.columns)])
        assert codes.dtype == np.int8
        return codes.tolist(), reader

    return call


@pytest.fixture
def cell(read):
    """Reads one cell of findings in one column."""
    return lambda text, findings, labels=SMALL: read('image,found\n1,"{}"\n'.format(text.replace('"', '""')), findings, labels)[
        0
    ][0]


def test_columns_keep_four_values_and_blank_apart(read):
    text = "image,Mass,Massive Effusion,Effusion,Healthy\na,1,0,-1,\nb,,,,\nc,1.0,-1.0,0.0, 1 \n"
    assert read(text, COLUMNS)[0] == [[P, N, U, B], [B, B, B, B], [P, U, N, P]]  # whatever the label set makes of blank


def test_values_of_a_layout_of_ones_own(read):
    own = COLUMNS | {"positive": ["yes"], "negative": ["no"], "uncertain": ["maybe"], "blank": ["", "n/a"]}
    assert read("Mass,Massive Effusion,Effusion,Healthy\nyes,no,maybe,\nn/a,no,,yes\n", own)[0] == [[P, N, U, B], [B, N, B, P]]


@pytest.mark.parametrize("text", ["2", "yes", "0.5", "NaN", "NA", "nan", "-2", "1 1", "unknown", "Doe^John", "None", "01"])
def test_fifth_value_is_refused_with_row_and_column(read, text):
    shown = f"'{text}'" if text in ("2", "-2") else rf"\(a text of {len(text)} characters\)"
    with pytest.raises(DataError, match=rf"table\.csv: row 3: Effusion {shown} is none of '', '-1', '-1.0', '0', '0.0', '1'"):
        read(f"Mass,Massive Effusion,Effusion,Healthy\n1,0,1,0\n1,0,{text},0\n", COLUMNS)


def test_first_of_several_wrong_cells_is_named(read):
    with pytest.raises(DataError, match="row 3: Effusion '7'"):
        read("Effusion,Mass,Massive Effusion,Healthy\n1,1,1,1\n7,1,1,1\n8,1,1,1\n", COLUMNS)


def test_blank_is_refused_where_the_layout_knows_none(read):
    with pytest.raises(DataError, match=r"row 2: Mass '' is none of '-1', "):
        read("Mass,Massive Effusion,Effusion,Healthy\n,0,1,0\n", COLUMNS | {"blank": []})


@pytest.mark.parametrize("name", ["Erguss", "pleural effusion", "EFFUSION", " Effusion "])
def test_column_may_have_a_synonym_for_its_name(read, name):
    assert read(f"Mass,Massive Effusion,{name},Healthy\n1,0,-1,0\n", COLUMNS)[0] == [[P, N, U, N]]


def test_p7_columns_are_joined_by_name_whatever_their_order(read):
    """P7: a table joined by position gives each label another one's values."""
    straight = read("Mass,Massive Effusion,Effusion,Healthy\n1,0,-1,\n0,1,1,-1\n", COLUMNS)[0]
    assert read("Healthy,Effusion,note,Mass,Massive Effusion\n,-1,x,1,0\n-1,1,y,0,1\n", COLUMNS)[0] == straight


def test_p9_column_whose_name_holds_another_label_is_not_that_label(read):
    """P9: Massive Effusion is no Effusion, and a column of neither is left alone."""
    text = "Effusion,Massive Effusion,Massive,Mass,Effusion side,Healthy\n0,1,7,0,left,0\n"
    codes, reader = read(text, COLUMNS)
    assert codes == [[N, P, N, N]]
    assert reader.columns == ("Mass", "Massive Effusion", "Effusion", "Healthy")


def test_column_of_another_label_is_no_hint(read):
    """P9: the nearest name of a missing 'Effusion' would be 'Massive Effusion', which is there for itself."""
    with pytest.raises(DataError, match=r"label 'Effusion' has no column$"):
        read("Mass,Massive Effusion,Healthy\n1,0,1\n", COLUMNS)


def test_two_columns_for_one_label_are_refused(read):
    with pytest.raises(DataError, match="label 'Effusion' has 2 columns: Effusion, Erguss"):
        read("Mass,Massive Effusion,Effusion,Erguss,Healthy\n1,0,1,0,1\n", COLUMNS)


@pytest.mark.parametrize(("name", "hint"), [("Efusion", r"; did you mean Efusion\?"), ("Remark", "$")])
def test_label_without_column_is_refused_with_the_nearest_name(read, name, hint):
    with pytest.raises(DataError, match=rf"table\.csv: label 'Effusion' has no column{hint}"):
        read(f"Mass,Massive,{name},Healthy,Massive Effusion\n1,0,1,1,0\n", COLUMNS)


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("Mass", [P, B, B, B]), ("Mass|Effusion", [P, B, P, B]), (" mass | ERGUSS ", [P, B, P, B]), ("Mass|Mass", [P, B, B, B]),
        ("|Mass||", [P, B, B, B]), ("None", [N, N, N, N]), ("none|None", [N, N, N, N]), ("", [B, B, B, B]), ("|", [B, B, B, B]),
    ],
)  # fmt: skip
def test_list_is_split_at_its_separators_and_compared_whole(cell, text, codes):
    assert cell(text, LIST) == codes


def test_p9_name_inside_another_name_is_not_found_in_a_list(cell):
    """P9: a search for 'Effusion' would find it in 'Massive Effusion', and 'Mass' in 'Massive'."""
    assert cell("Massive Effusion", LIST) == [B, P, B, B]
    assert cell("Pleural Effusion", LIST) == [B, B, P, B]
    for text in ("Massive", "Hydropneumothorax", "Mas", "Effusion Mass", "Mass;Effusion", "Mass,Effusion"):
        with pytest.raises(DataError, match="no label of small"):
            cell(text, LIST)


def test_p9_hydropneumothorax_of_padchest_is_its_own_finding(cell):
    """P9: nor is 'loculated pleural effusion' found as 'pleural effusion' by its letters."""
    quoted = {"layout": "list", "column": "found", "quoted": True}
    for text, name in (
        ("['hydropneumothorax']", "hydropneumothorax"),
        ("['loculated pleural effusion']", "loculated pleural effusion"),
    ):
        codes = cell(text, quoted, PADCHEST)
        assert [PADCHEST.names[place] for place in np.flatnonzero(np.array(codes) == P)] == [name]


def test_word_for_no_finding_that_is_a_label_too_is_that_label(cell):
    assert cell("Healthy", LIST | {"none": ["Healthy"]}) == [N, N, N, P]


def test_no_finding_beside_a_finding_is_refused(read):
    with pytest.raises(DataError, match=r"row 3: found .* holds 'None' beside another entry"):
        read("found\nMass\nMass|None\n", LIST)


def test_no_finding_beside_a_finding_may_be_taken_for_a_contradiction_of_that_cell(cell):
    """The finding counts, that there is none is uncertain, and what is not listed is blank."""
    layout = LIST | {"none": ["Healthy"], "none_beside": "findings"}
    assert cell("Healthy|Mass", layout) == [P, B, B, U]
    assert cell("Healthy", layout) == [N, N, N, P]


def test_unknown_finding_is_refused_with_its_row_and_the_nearest_name(read):
    with pytest.raises(
        DataError, match=r"row 4: found \(a text of 12 characters\) holds 'Efusion', .* did you mean Effusion\?"
    ):
        read("found\nMass\nEffusion\nMass|Efusion\nMaas\n", LIST)


def test_unknown_finding_may_resemble_a_synonym(read):
    with pytest.raises(DataError, match=r"holds 'Ergus', which is no label of small; did you mean Erguss\?"):
        read("found\nErgus\n", LIST)


@pytest.mark.parametrize("findings", [LIST, QUOTED, CLASSES])
@pytest.mark.parametrize("text", ["Doe^John", "['Doe', 'John']", "[Doe", "None|Doe"])
def test_confidential_table_quotes_no_text(read, findings, text):
    with pytest.raises(DataError, match="row 2: found") as error:
        read(f'found\n"{text}"\n', findings, published=False)
    assert "Doe" not in str(error.value)
    assert "John" not in str(error.value)


def test_entries_that_are_passed_over_are_counted_once_a_cell(read):
    listed = LIST | {"passed_over": ["Side", "Lung"]}
    codes, reader = read("found\nMass|side\nside|Lung|side\nMass\nMass|side\n", listed)
    assert codes == [[P, B, B, B], [B, B, B, B], [P, B, B, B], [P, B, B, B]]
    assert dict(reader.others) == {"side": 3, "Lung": 1}
    with pytest.raises(DataError, match=r"row 3: found .* holds 'Heart', which is no label"):
        read("found\nside\nside|Heart\n", listed)


def test_all_entries_may_be_passed_over(read):
    codes, reader = read("found\nMass|Heart\nEfusion\n", LIST | {"passed_over": "all"})
    assert codes == [[P, B, B, B], [B, B, B, B]]
    assert dict(reader.others) == {"Heart": 1, "Efusion": 1}


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("['Mass']", [P, B, B, B]), ("['Mass', ' Effusion']", [P, B, P, B]), ('["Mass", \'Erguss\']', [P, B, P, B]),
        ("['Mass', '', 'Mass ']", [P, B, B, B]), ("['None']", [N, N, N, N]), ("['Massive  Effusion']", [B, P, B, B]),
        ("['Mass', 'unchanged']", [P, K, K, K]), ("['Unchanged']", [K, K, K, K]), ("['None', 'unchanged']", [K, K, K, K]),
        ("", [K, K, K, K]), ("[]", [K, K, K, K]), ("['', ' ']", [K, K, K, K]),
    ],
)  # fmt: skip
def test_quoted_list_is_read_as_written(cell, text, codes):
    assert cell(text, QUOTED) == codes


@pytest.mark.parametrize(
    "text", ["Mass", "['Mass'", "['Mass' 'Edema'", "('Mass',)", "{'Mass'}", "['Mass', 1]", "[['Mass']]", "nan", "1"]
)
def test_cell_that_is_no_quoted_list_is_refused(read, text):
    with pytest.raises(DataError, match=r"row 2: found .* is not written like \['first', 'second'\]"):
        read(f'found\n"{text}"\n', QUOTED)


def test_quoted_cell_is_read_and_never_run(read):
    with pytest.raises(DataError, match="is not written like"):
        read("found\n\"[__import__('os').getcwd()]\"\n", QUOTED)


def test_two_quoted_names_without_a_comma_are_no_label(read):
    """Python joins them; the whole is no name, so that nothing is lost in silence."""
    with pytest.raises(DataError, match="holds 'MassEffusion', which is no label"):
        read("found\n\"['Mass' 'Effusion']\"\n", QUOTED)


def test_specific_finding_implies_those_above_it_only_where_the_layout_says_so(cell):
    assert cell("['Massive Effusion']", QUOTED) == [B, P, B, B]
    assert cell("['Massive Effusion']", QUOTED | {"specific": True}) == [B, P, P, B]
    assert cell("['Massive Effusion', 'unchanged']", QUOTED | {"specific": True}) == [K, P, P, K]


def test_what_a_report_does_not_repeat_is_not_negative_beside_a_word_for_no_finding(cell):
    """['normal', 'unchanged'] of PadChest: normal it is, and of everything else the report before this one speaks."""
    said = QUOTED | {"none": ["Healthy"]}
    assert cell("['Healthy', 'unchanged']", said) == [K, K, K, P]
    assert cell("['unchanged', 'healthy']", said) == [K, K, K, P]
    assert cell("['Healthy']", said) == [N, N, N, P]


def test_unsaid_counts_beside_a_contradiction_too(cell):
    assert cell("['Healthy', 'Mass', 'unchanged']", QUOTED | {"none": ["Healthy"], "none_beside": "findings"}) == [P, K, K, U]


@pytest.mark.parametrize("name", ["nih14", "vindr/boxes", "vindr/boxes_test", "vindr/kaggle"])
@pytest.mark.parametrize("text", ["", " ", "|"])
def test_p4_empty_cell_of_a_shipped_layout_says_nothing_whatever_blank_means(read, name, text):
    layout = read_format(find_format(name, Path()))
    labels = read_label_set(SHIPPED / name.partition("/")[0] / "labels.yaml")
    assert isinstance(layout.findings, FindingsInOneColumn)
    codes, _ = read(f"image,{layout.findings.column}\na,{text}\n", layout.findings.model_dump(), labels)
    assert set(codes[0]) == {K}


def test_silent_label_is_unknown_in_every_row(read):
    codes, _ = read("image,found\na,Mass\nb,None\nc,\n", LIST | {"silent": ["Healthy", "Pleural Effusion"]})
    assert codes == [[P, B, K, K], [N, N, K, K], [B, B, K, K]]


def test_class_says_what_the_layout_says(read):
    codes, reader = read("found\nSick\nWell\nSick\n", CLASSES)
    assert codes == [[P, B, U, B], [B, B, B, B], [P, B, U, B]]
    assert reader.columns == ("found",)


@pytest.mark.parametrize("text", ["sick", "Sick|Well", "Sickness", ""])
def test_class_that_the_layout_does_not_name_is_refused(read, text):
    with pytest.raises(DataError, match=r"row 3: found .* is none of the classes 'Sick', 'Well'"):
        read(f"image,found\n1,Sick\n2,{text}\n3,Well\n", CLASSES)


@pytest.mark.parametrize("findings", [LIST | {"silent": ["Nodule"]}, CLASSES | {"classes": {"Sick": {"Nodule": "positive"}}}])
def test_layout_that_names_what_the_set_lacks_is_refused(read, findings):
    with pytest.raises(ConfigError, match="the layout names 'Nodule', which is no label of small"):
        read("found\nMass\n", findings)


@pytest.mark.parametrize("findings", [LIST, QUOTED, CLASSES])
def test_missing_column_of_findings_is_refused_with_the_nearest_name(read, findings):
    with pytest.raises(DataError, match=r"column 'found' is missing; did you mean Found\?"):
        read("Found\nMass\n", findings)


@pytest.mark.parametrize("text", ["Masses", "Mas", "Mass;Nodule", "Hydropneumothorax", "Mass|?"])
def test_unknown_finding_of_the_nih_names_row_and_column(read, text):
    nih = {"layout": "list", "column": "Finding Labels", "none": ["No Finding"]}
    with pytest.raises(DataError, match=r"table\.csv: row 3: Finding Labels .*which is no label of nih14"):
        read(f"Finding Labels\nMass\n{text}\nMass\n", nih, NIH)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(), st.sampled_from([LIST, QUOTED, CLASSES, LIST | {"passed_over": "all"}]))
def test_any_cell_is_read_or_refused_in_words(cell, text, findings):
    try:
        codes = cell("".join(text.split("\0")), findings)
    except DataError:
        return
    assert set(codes) <= {N, P, U, K, B}
