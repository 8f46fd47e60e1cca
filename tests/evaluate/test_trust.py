from __future__ import annotations

import dataclasses

import pytest

from cxr.evaluate.bootstrap import BootstrapInterval
from cxr.evaluate.estimate import Estimate
from cxr.evaluate.interval import Interval
from cxr.evaluate.label_rows import LabelCounts, LabelRow
from cxr.evaluate.metrics import Macro, evaluate
from cxr.evaluate.trust import Verdict, judge, warnings
from cxr.evaluate.undefined import Undefined

COUNTS = LabelCounts(30, 90, 5, 2, 80, patients_positive=20, patients_negative=60)
FIRM = Estimate(0.8, BootstrapInterval(Interval(0.75, 0.85), 0))
ROW = LabelRow(FIRM, FIRM, "Edema", COUNTS, uncertain_used=0)


def with_interval(interval):
    return dataclasses.replace(ROW, ranking=Estimate(0.8, BootstrapInterval(interval, 0)))


def test_supported_where_nothing_speaks_against_it():
    assert judge(ROW) == Verdict("supported", ())


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (dataclasses.replace(ROW, counts=dataclasses.replace(COUNTS, patients_positive=19)), "19 patients with the"),
        (dataclasses.replace(ROW, counts=dataclasses.replace(COUNTS, patients_negative=1)), "1 patient without the"),
        (with_interval(Interval(0.65, 0.86)), "wide interval"),
        (with_interval(Interval(0.5, 0.6)), "guessing"),
        (with_interval(Undefined("all positives are of one patient")), "no interval (all positives"),
    ],
)
def test_each_part_of_the_rule_alone_asks_for_caution(row, reason):
    verdict = judge(row)
    assert verdict.grade == "caution"
    assert len(verdict.reasons) == 1
    assert reason in verdict.reasons[0]


def test_no_figure_is_undefined_and_no_caution():
    nothing = Undefined("no positives")
    row = dataclasses.replace(ROW, ranking=Estimate(nothing, BootstrapInterval(nothing, 100)))
    assert judge(row) == Verdict("undefined", ("no positives",))


@pytest.mark.parametrize(("grade", "reasons"), [("supported", ("wide",)), ("caution", ())])
def test_a_verdict_and_its_reasons_agree(grade, reasons):
    with pytest.raises(ValueError, match="verdict"):
        Verdict(grade, reasons)


def test_warnings_name_small_test_sets_and_labels_left_out(cohort, make_labels, quick):
    nothing = Undefined("no positives")
    missing = dataclasses.replace(ROW, label="Hernia", ranking=Estimate(nothing, BootstrapInterval(nothing, 100)))
    whole = dataclasses.replace(
        evaluate(cohort, make_labels("ABC"), quick, 0), rows=(ROW,), macro=Macro(FIRM, FIRM, ("Edema",), ())
    )
    assert whole.patients == 120
    assert warnings(whole) == ()
    few = whole.cells.where(whole.cells.patients < 99)
    evaluation = dataclasses.replace(whole, rows=(ROW, missing), macro=Macro(FIRM, FIRM, ("Edema",), ("Hernia",)), cells=few)
    small, partial, undefined = warnings(evaluation)
    assert "99 patients" in small
    assert partial == "The mean AUROC covers 1 of 2 labels, without Hernia."
    assert undefined == "Hernia: the AUROC is undefined, no positives."
