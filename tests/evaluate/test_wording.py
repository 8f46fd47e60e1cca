from __future__ import annotations

from cxr.evaluate.bootstrap import BootstrapInterval
from cxr.evaluate.interval import Interval
from cxr.evaluate.metrics import Evaluation, Macro
from cxr.evaluate.undefined import Undefined
from cxr.evaluate.wording import headline


def evaluation_of(auroc, interval, defined, undefined):
    return Evaluation((), Macro(auroc, BootstrapInterval(interval, 0), defined, undefined), 1160, 80, 100, 0.9, 0, {})


def test_headline_says_how_many_labels_it_averages():
    text = headline(evaluation_of(0.9123, Interval(0.8901, 0.9299), ("A", "B"), ("C",)), "test")
    assert text == "mean AUROC 0.912 (90 % interval 0.890 to 0.930) over 2 of 3 labels, 1,160 test images of 80 patients"


def test_headline_says_why_there_is_no_mean_or_no_interval():
    nothing = Undefined("no label has an AUROC")
    assert "undefined (no label has an AUROC) over 0 of 1 label," in headline(
        evaluation_of(nothing, nothing, (), ("A",)), "test"
    )
    text = headline(evaluation_of(0.9, Undefined("60 of 100 resamples failed"), ("A",), ()), "test")
    assert "0.900 (90 % interval undefined: 60 of 100 resamples failed) over 1 of 1 label," in text
