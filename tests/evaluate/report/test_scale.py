from __future__ import annotations

import numpy as np

from cxr.evaluate.metrics import evaluate
from cxr.evaluate.report.scale import auroc_scale


def test_axis_of_the_bars_holds_every_figure(make_table, make_labels, quick):
    # a score that ranks the wrong way round: AUROC 0
    evaluation = evaluate(make_table({"A": (np.tile([0, 1], 20), np.tile([0.9, 0.1], 20))}), make_labels("A"), quick, 0)
    scale = auroc_scale(evaluation)
    assert scale.low == 0
    assert float(scale.x(0)) < float(scale.x(1)) <= scale.width
    assert (scale.share(0), scale.share(1)) == (0, 1)


def test_axis_starts_below_guessing_where_all_is_well(cohort, make_labels, quick):
    assert auroc_scale(evaluate(cohort, make_labels("ABC"), quick, 0)).low == 0.4
