from __future__ import annotations

from dataclasses import replace

import pytest

from cxr.config_evaluate import EvaluateConfig
from cxr.evaluate.bootstrap import BootstrapInterval
from cxr.evaluate.estimate import Estimate
from cxr.evaluate.interval import Interval
from cxr.evaluate.metrics import Macro, evaluate
from cxr.evaluate.undefined import Undefined
from cxr.evaluate.wording import count_text, extent_text, headline, list_text, place_text


@pytest.fixture
def evaluation_of(cohort, make_labels):
    def make(auroc, interval, defined, undefined, unit="image"):
        config = EvaluateConfig(resamples=100, confidence=0.9, unit=unit, subgroups=())
        estimate = Estimate(auroc, BootstrapInterval(interval, 0))
        return replace(
            evaluate(cohort, make_labels("ABC"), config, 0), macro=Macro(estimate, estimate, defined, undefined), images=1160
        )

    return make


def test_headline_says_how_many_labels_it_averages(evaluation_of):
    evaluation = evaluation_of(0.9123, Interval(0.8901, 0.9299), ("A", "B"), ("C",))
    told = "mean AUROC 0.912 (90 % interval 0.890 to 0.930) over 2 of 3 labels, 240"
    assert headline(evaluation, "test") == f"{told} test images of 120 patients"
    assert headline(evaluation, "scores.csv") == f"{told} images of 120 patients"


def test_headline_says_why_there_is_no_mean_or_no_interval(evaluation_of):
    nothing = Undefined("no label has an AUROC")
    assert "undefined (no label has an AUROC) over 0 of 1 label," in headline(
        evaluation_of(nothing, nothing, (), ("A",)), "test"
    )
    text = headline(evaluation_of(0.9, Undefined("60 of 100 resamples failed"), ("A",), ()), "test")
    assert "0.900 (90 % interval undefined: 60 of 100 resamples failed) over 1 of 1 label," in text


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        ("image", "240 test images of 120 patients"),
        ("study", "240 test studies (1,160 images) of 120 patients"),
        ("patient", "120 test patients (1,160 images)"),
    ],
)
def test_what_is_counted_is_called_by_its_name(evaluation_of, unit, text):
    assert extent_text(evaluation_of(0.9, Interval(0.8, 1), ("A",), (), unit), "test") == text


def test_counts_and_lists_are_plain_words():
    assert [count_text(count, "study") for count in (1, 2500)] == ["1 study", "2,500 studies"]
    assert [list_text(names) for names in ([], ["A"], ["A", "B"], ["A", "B", "C"])] == ["", "A", "A and B", "A, B and C"]
    assert [place_text(side) for side in ("test", "table", "x.csv")] == ["the test split", "the table", "x.csv"]
