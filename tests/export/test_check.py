from __future__ import annotations

import math
from typing import Any

import pytest

from cxr.errors import CxrError
from cxr.export.check import refuse
from cxr.export.record import Check, PointChange, Tolerance

LIMIT = Tolerance(probability=0.02, auroc=0.01)


def _check(**changes: Any) -> Check:
    found: dict[str, Any] = {
        "images": 9,
        "of": "test images",
        "batches": (1, 2),
        "score": 0.001,
        "probability": 0.001,
        "map": None,
        "points": {"youden": PointChange(same=8, decisions=9)},
        "auroc": {"Mass": 0.001, "Hernia": -0.002},
    }
    return Check(**found | changes)


def test_a_file_within_the_tolerance_is_taken() -> None:
    refuse(_check(), LIMIT, "do this")
    refuse(_check(score=0.02, probability=None, auroc={}), LIMIT, "do this")


@pytest.mark.parametrize("changed", ["score", "probability", "map"])
@pytest.mark.parametrize("by", [0.03, math.nan, math.inf])
def test_any_value_that_is_too_far_away_or_no_number_is_refused(changed: str, by: float) -> None:
    with pytest.raises(CxrError, match=r"on 9 test images a value changed by .*, more than 0\.02"):
        refuse(_check(**{changed: by}), LIMIT, "do this")


@pytest.mark.parametrize("by", [0.03, -0.03])
def test_an_auroc_that_changed_too_much_in_either_direction_is_refused_by_its_label(by: float) -> None:
    with pytest.raises(CxrError, match=r"the AUROC of 'Hernia' changed by [+-]0\.03, more than 0\.01; do this"):
        refuse(_check(auroc={"Mass": 0.001, "Hernia": by}), LIMIT, "do this")
