"""The files that a comparison leaves for machines: a row per label, and the whole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cxr.compare.align import Pair
from cxr.compare.wording import caution, label_sentence, macro_sentence
from cxr.config_evaluate import Unit
from cxr.evaluate.paired import Comparison, Difference, PairedRow
from cxr.evaluate.undefined import Undefined, as_float

TABLES = ("comparison.csv", "comparison.json")


def write_tables(
    found: Comparison, sides: Pair, names: tuple[str, str], unit: Unit, folder: Path, remarks: Sequence[str] = ()
) -> None:
    """Write `TABLES`.

    Args:
        found: the comparison.
        sides: what was compared.
        names: of A and B.
        unit: what was counted.
        folder: where to.
        remarks: what was left out or was odd when the tables were read.
    """
    records = [_record(row, sides, label) for label, row in enumerate(found.rows)]
    pd.DataFrame(records).to_csv(folder / "comparison.csv", index=False)
    summary = {**_summary(found, sides, names, unit), "remarks": list(remarks)}
    text = json.dumps(summary, indent=2, allow_nan=False, ensure_ascii=False)
    (folder / "comparison.json").write_text(text + "\n", encoding="utf-8")


def counts(sides: Pair, label: int) -> dict[str, int]:
    """What the row of a label rests on: positives, negatives, and the patients that these are of."""
    truth = sides.cells.truth[:, label]
    known = sides.cells.patients_where(~np.isnan(truth))
    return {"positives": int((truth == 1).sum()), "negatives": int((truth == 0).sum()), "patients": known}


def _record(row: PairedRow, sides: Pair, label: int) -> dict[str, object]:
    return {
        "label": row.label,
        **counts(sides, label),
        **_gap_record(row.auroc),
        "p_holm": as_float(row.p_holm),
        "delong_p": as_float(row.delong_p),
        "verdict": "undefined" if isinstance(row.verdict, Undefined) else row.verdict,
        "failed_resamples": row.auroc.failed,
        "caution": caution(row, sides),
        "sentence": label_sentence(row, caution(row, sides)),
    }


def _gap_record(gap: Difference) -> dict[str, float]:
    interval = gap.interval
    low, high = (float("nan"),) * 2 if isinstance(interval, Undefined) else (interval.low, interval.high)
    figures = {"auroc_a": gap.a, "auroc_b": gap.b, "difference": gap.difference}
    return {**{name: as_float(value) for name, value in figures.items()}, "low": low, "high": high, "p": as_float(gap.p)}


def _summary(found: Comparison, sides: Pair, names: tuple[str, str], unit: Unit) -> dict[str, object]:
    macro = found.macro
    return {
        "a": names[0],
        "b": names[1],
        "macro": {name: None if np.isnan(value) else value for name, value in _gap_record(macro.auroc).items()},
        "macro_verdict": "undefined" if isinstance(macro.verdict, Undefined) else macro.verdict,
        "macro_sentence": macro_sentence(found),
        "labels_averaged": list(macro.labels),
        "left_out": list(sides.left_out),
        "unit": unit,
        "images": sides.images,
        "patients": sides.cells.patient_count,
        "only_a": sides.only_a,
        "only_b": sides.only_b,
        "resamples": found.resamples,
        "confidence": found.confidence,
        "seed": found.seed,
    }
