from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from cxr.evaluate.plots import label_svg

SCORES = np.array([0.1, 0.9, 0.3, 0.4])


@pytest.mark.parametrize(
    ("truth", "text"),
    [([0, 1, 0, 1], None), ([0, 0, 0, np.nan], "no positives:"), ([1, 1, np.nan, 1], "no negatives:")],
)
def test_picture_is_drawn_and_says_what_is_missing(truth, text):
    picture = label_svg(np.array(truth, np.float32), SCORES)
    ElementTree.fromstring(picture)
    assert text is None or text in picture


def test_scores_of_zero_can_be_drawn():
    assert "<svg" in label_svg(np.array([0, 1, 0, 1], np.float32), np.zeros(4))


def test_same_figures_same_bytes():
    truth = np.array([0, 1, 0, 1], np.float32)
    assert label_svg(truth, SCORES) == label_svg(truth, SCORES)
