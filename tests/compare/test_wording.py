from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cxr.compare.align import Pair
from cxr.compare.wording import caution, headline, label_sentence, macro_sentence, names_of, warnings
from cxr.evaluate.cells import Cells
from cxr.evaluate.interval import Span
from cxr.evaluate.paired import Comparison, Difference, PairedMacro, PairedRow
from cxr.evaluate.undefined import Undefined

GAP = Difference(0.821, 0.8, 0.021, Span(0.008, 0.034), 0, 0.002)
NONE = Undefined("no positives")
CELLS = Cells(("A",), np.ones((2, 1), np.float32), np.ones((2, 1)), np.zeros((2, 1), bool), np.arange(2))


def sentence(gap, verdict):
    return label_sentence(PairedRow("Mass", gap, gap.p, gap.p, verdict))


def sides(**given):
    usual = {"images": 1200, "only_a": 0, "only_b": 0, "left_out": (), "way": ""}
    return Pair(cells=CELLS, other=CELLS.scores, **{**usual, **given})


def test_each_verdict_has_its_plain_sentence():
    assert sentence(GAP, "better") == "Mass: A is better than B, by 0.021 (+0.008 to +0.034)"
    worse = replace(GAP, difference=-0.021, interval=Span(-0.034, -0.008))
    assert sentence(worse, "worse") == "Mass: A is worse than B, by 0.021 (-0.034 to -0.008)"
    none = replace(GAP, difference=0.004, interval=Span(-0.01, 0.018))
    assert sentence(none, "no difference shown") == "Mass: no difference is shown, A less B is +0.004 (-0.010 to +0.018)"


def test_the_two_can_be_called_by_other_names():
    row = PairedRow("Mass", GAP, 0.01, 0.01, "better")
    told = label_sentence(row, names=("the new model", "the older one"), level="95 % interval")
    assert told == "Mass: the new model is better than the older one, by 0.021 (95 % interval +0.008 to +0.034)"


def test_an_interval_without_0_that_does_not_hold_among_all_labels_is_explained():
    assert sentence(GAP, "no difference shown").endswith(
        "its own interval leaves 0 out, but among so many labels that can be chance"
    )


def test_what_is_undefined_says_why():
    assert sentence(Difference(NONE, NONE, NONE, NONE, 300, NONE), NONE) == "Mass: cannot be compared, no positives"
    one = Undefined("all positives are of one patient")
    told = sentence(replace(GAP, interval=one, p=one), one)
    assert told == "Mass: no verdict, all positives are of one patient; A less B is +0.021"


def test_the_headline_has_the_mean_and_counts_the_labels():
    rows = tuple(PairedRow(str(number), GAP, 0.01, 0.01, verdict) for number, verdict in enumerate(["better", "worse", NONE]))
    found = Comparison(rows, PairedMacro(GAP, ("0",), "better"), 1000, 0.95, 0)
    mean = "mean AUROC over 1 label: A is better than B, by 0.021 (95 % interval of A less B +0.008 to +0.034)"
    assert macro_sentence(found) == mean
    assert headline(found) == f"{mean}; of 3 labels A is better for 1, worse for 1"


def test_a_verdict_on_few_patients_is_to_be_read_with_caution():
    """Resamples of three patients with a finding all agree on a difference that a fourth could turn."""
    truth = np.repeat(np.array([[1], [0]], np.float32), 50, axis=0)
    patients = np.concatenate([np.repeat(np.arange(3), [20, 20, 10]), np.arange(3, 53)])
    few = replace(sides(), cells=Cells(("Mass",), truth, truth.astype(float), truth > 2, patients))
    row = PairedRow("Mass", GAP, 0.01, 0.01, "better")
    assert caution(row, few) == "caution: only 3 patients with the finding"
    assert label_sentence(row, caution(row, few)).endswith("(+0.008 to +0.034); caution: only 3 patients with the finding")
    assert caution(replace(row, verdict=NONE), few) == ""
    enough = replace(few.cells, patients=np.arange(100))
    assert caution(row, replace(few, cells=enough)) == ""


def test_what_was_not_compared_is_said():
    assert warnings(sides()) == ()
    told = warnings(sides(only_a=1, only_b=2, left_out=("B", "C"), way="as paths"))
    assert "1 image in A alone and 2 images in B alone; only the 1,200 of both" in told[0]
    assert "B, C" in told[1]
    assert "as paths" in told[2]


@pytest.mark.parametrize(
    ("a", "b", "names"),
    [
        ("/x/a.csv", "/y/b.csv", ("a.csv", "b.csv")),
        ("/x/a.csv", "/y/a.csv", ("x/a.csv", "y/a.csv")),
        ("/r/one/predict/predictions.parquet", "/r/two/predict/predictions.parquet", ("one", "two")),
        ("/r/one/predict/predictions.parquet", "/r/b.csv", ("one", "b.csv")),
        ("/x/a.csv", "/x/a.csv", ("a.csv", "a.csv")),
    ],
)
def test_tables_are_called_by_what_tells_them_apart(a, b, names):
    assert names_of(Path(a), Path(b)) == names
