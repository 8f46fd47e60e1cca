"""What a judgement of the maps leaves: a row per label, a row per image and finding, and the whole with how it was made."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cxr.errors import CxrError
from cxr.evaluate.interval import bounds
from cxr.evaluate.undefined import Undefined
from cxr.localise.check import CheckFigures
from cxr.localise.figures import Difference, LabelFigures
from cxr.localise.judge import FIGURES, REFERENCES
from cxr.localise.side import Side
from cxr.localise.verdict import verdict

WRITTEN = ("localisation.csv", "pairs.csv", "localisation.json")
PICTURES = "*st-[0-9][0-9]-*.png"
"""The names that `cxr.localise.pictures` gives, as a pattern: best and worst, with their rank."""
_IDS = ("image_id", "patient_id", "study_id")


def label_table(rows: Sequence[LabelFigures], checks: Sequence[CheckFigures]) -> pd.DataFrame:
    """A row per label: counts, figures with bounds, beside each reference what is gained over it, the check, and a note."""
    by_label = {check.label: check for check in checks}
    records = []
    for row in rows:
        record: dict[str, object] = {"label": row.label, "pairs": row.pairs, "images": row.images, "patients": row.patients}
        record |= _figure_columns(row)
        record |= by_label[row.label].columns() if row.label in by_label else {}
        records.append({**record, "verdict": verdict(row), "note": row.note})
    return pd.DataFrame(records)


def _figure_columns(row: LabelFigures) -> dict[str, float]:
    columns: dict[str, float] = {}
    for name in FIGURES:
        figure = None if isinstance(row.figures, Undefined) else row.figures[name]
        low, high = (math.nan, math.nan) if figure is None else bounds(figure.interval)
        columns |= {name: math.nan if figure is None else figure.value, f"{name}_low": low, f"{name}_high": high}
        for other in REFERENCES:
            columns |= _difference_columns(None if figure is None else figure.over[other], f"{name}_{other}")
    return columns


def _difference_columns(found: Difference | Undefined | None, name: str) -> dict[str, float]:
    values = (math.nan,) * 4
    if isinstance(found, Difference):
        values = (found.reference, found.value, *bounds(found.span))
    return dict(zip((name, f"{name}_gain", f"{name}_gain_low", f"{name}_gain_high"), values, strict=True))


def pair_table(side: Side, judged: pd.DataFrame, occluded: pd.DataFrame | None) -> pd.DataFrame:
    """A row per image and finding, by the pseudonyms of the manifest.

    Args:
        side: the images.
        judged: as `cxr.localise.judge.Judged` has it.
        occluded: as `cxr.localise.occlusion.Occlusion` has it.
    """
    if occluded is not None:
        judged = judged.merge(occluded.drop(columns="patient"), on=["row", "label"], how="left")
    ids = side.frame.loc[judged["row"], list(_IDS)].reset_index(drop=True)
    names = [side.labels.names[label] for label in judged["label"]]
    figures = judged.drop(columns=["row", "label", "patient"]).reset_index(drop=True)
    return pd.concat([ids.assign(label=names), figures], axis=1)


def write_outputs(folder: Path, labels: pd.DataFrame, pairs: pd.DataFrame, about: dict[str, object]) -> None:
    """Write `WRITTEN` into a folder, which is made where it is missing.

    Raises:
        CxrError: a file cannot be written.
    """
    rows = [{name: _plain(value) for name, value in row.items()} for row in labels.to_dict("records")]
    text = json.dumps({**about, "labels": rows}, indent=2, allow_nan=False, ensure_ascii=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        labels.to_csv(folder / WRITTEN[0], index=False)
        pairs.to_csv(folder / WRITTEN[1], index=False)
        (folder / WRITTEN[2]).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise CxrError(f"{folder}: {error.strerror}") from error


def _plain(value: object) -> object:
    return None if isinstance(value, float) and math.isnan(value) else value
