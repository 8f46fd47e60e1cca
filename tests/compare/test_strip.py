from __future__ import annotations

import base64
import re

import pytest

from cxr.compare.strip import draw_strip, scale_limit
from cxr.evaluate.interval import Span
from cxr.evaluate.paired import Difference
from cxr.evaluate.undefined import Undefined

NONE = Undefined("no positives")


def gap(low, high):
    return Difference(0.8, 0.8, (low + high) / 2, Span(low, high), 0, 0.5)


@pytest.mark.parametrize(
    ("gaps", "margin", "limit"),
    [
        ([gap(-0.03, 0.01)], 0, 0.05),
        ([gap(-0.03, 0.01), gap(0.1, 0.3)], 0, 0.5),
        ([gap(-0.03, 0.01)], 0.06, 0.1),
        ([Difference(NONE, NONE, NONE, NONE, 0, NONE)], 0, 0.01),
        ([], 0.2, 0.2),
    ],
)
def test_the_scale_holds_every_interval_and_the_margin(gaps, margin, limit):
    assert scale_limit(gaps, margin) == limit


def test_a_margin_is_one_more_line():
    plain, marked = (draw_strip(gap(-0.03, 0.01), "worse", 0.1, margin) for margin in (0, 0.05))
    pictures = [base64.b64decode(picture.partition(",")[2]).decode() for picture in (plain, marked)]
    assert [picture.count("stroke-dasharray") for picture in pictures] == [0, 1]
    zero, margin = (float(place) for place in re.findall(r'd="M ([\d.]+) [\d.]+ \nL \1 0', pictures[1]))
    assert margin < zero
