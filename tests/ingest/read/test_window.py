from __future__ import annotations

import numpy as np
import pytest

from cxr.ingest.read.window import usable, window


# The cases that PS3.3 C.11.2.1.2.1 (LINEAR) and C.11.2.1.3.2 (LINEAR_EXACT) work out in their notes, for y from 0 to 1.
@pytest.mark.parametrize(
    ("function", "center", "width", "value", "expected"),
    [
        ("LINEAR", 2048, 4096, -1, 0),
        ("LINEAR", 2048, 4096, 0, 0),
        ("LINEAR", 2048, 4096, 4095, 1),
        ("LINEAR", 2048, 4096, 4096, 1),
        ("LINEAR", 2048, 4096, 1000, (1000 - 2047.5) / 4095 + 0.5),
        ("LINEAR", 2048, 1, 2047.5, 0),
        ("LINEAR", 2048, 1, 2047.6, 1),
        ("LINEAR", 0, 100, -50, 0),
        ("LINEAR", 0, 100, 49, 1),
        ("LINEAR", 0, 100, 48, 0.98989899),
        ("LINEAR", 0, 100, 0, (0 + 0.5) / 99 + 0.5),
        ("LINEAR", 0, 1, -0.5, 0),
        ("LINEAR", 0, 1, 0, 1),
        ("LINEAR_EXACT", 2048, 4096, 0, 0),
        ("LINEAR_EXACT", 2048, 4096, 4095, 0.999755859375),
        ("LINEAR_EXACT", 2048, 4096, 4097, 1),
        ("LINEAR_EXACT", 2048, 1, 2047.5, 0),
        ("LINEAR_EXACT", 2048, 1, 2048, 0.5),
        ("LINEAR_EXACT", 0, 100, -50, 0),
        ("LINEAR_EXACT", 0, 100, 25, 0.75),
        ("LINEAR_EXACT", 0, 0.5, 0.125, 0.75),
        ("SIGMOID", 2048, 4096, 2048, 0.5),
        ("SIGMOID", 2048, 4096, 4096, 0.88079708),
        ("SIGMOID", 2048, 4096, 0, 0.11920292),
        ("SIGMOID", 0, 1, 65535, 1),
        ("SIGMOID", 0, 1, -65535, 0),
    ],
)
def test_window_is_the_standards(function, center, width, value, expected):
    assert window(np.array([float(value)]), center, width, function)[0] == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_a_window_of_next_to_no_width_is_a_step(function):
    width = 1 if function == "LINEAR" else 1e-300
    shown = window(np.array([-4.0, 4.0]), 0, width, function)
    assert shown.tolist() == pytest.approx([0, 1])


@pytest.mark.parametrize(
    ("center", "width", "function", "expected"),
    [
        (0, 1, "LINEAR", True),
        (0, 0.9, "LINEAR", False),
        (0, 0.9, "LINEAR_EXACT", True),
        (0, 0, "LINEAR_EXACT", False),
        (0, -1, "SIGMOID", False),
        (0, 9, "of another kind", False),
        (float("nan"), 9, "LINEAR", False),
        (0, float("inf"), "LINEAR", False),
    ],
)
def test_a_window_needs_a_width_numbers_and_a_known_function(center, width, function, expected):
    assert usable(center, width, function) == expected
