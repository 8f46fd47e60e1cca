from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from cxr.predict import widths
from cxr.predict.predictor import Predictor
from cxr.predict.widths import Width


def test_the_table_has_a_row_per_width_under_the_names_of_its_figures() -> None:
    rows = [Width(3, 100, 1.5, 2.0, 0.8), Width(6, 400, 5.0, 4.0, float("nan"))]
    table = widths.table(rows)
    assert list(table) == ["heads", "parameters", "gmacs", "milliseconds", "auroc_val_macro"]
    assert table.loc[0].tolist() == [3, 100, 1.5, 2.0, 0.8]
    assert table["auroc_val_macro"].isna().tolist() == [False, True]


def test_the_time_is_the_median_of_single_images_without_the_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    durations = iter([9.0, 9.0, 9.0, 0.001, 0.002, 0.005, 0.003, 0.001, 0.002, 7.0])
    clock, shapes = 0.0, []

    class Slow:
        card: Any = SimpleNamespace(preprocessing=SimpleNamespace(size=32))

        def probabilities(self, images: np.ndarray) -> None:
            nonlocal clock
            clock += next(durations)
            shapes.append((images.shape, images.dtype))

    monkeypatch.setattr(widths, "time", SimpleNamespace(perf_counter=lambda: clock))
    assert widths.milliseconds(Slow()) == pytest.approx(2.0)  # type: ignore[arg-type]
    assert set(shapes) == {((1, 32, 32), np.dtype(np.uint8))}


def test_a_predictor_can_be_timed(stacked_file: Path) -> None:
    assert 0 < widths.milliseconds(Predictor(stacked_file, torch.device("cpu"), 1)) < 10_000
