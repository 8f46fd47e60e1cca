"""How figures are written for people, in the terminal and in the report alike."""

from __future__ import annotations

from collections.abc import Sequence

from cxr.evaluate.interval import Interval
from cxr.evaluate.metrics import Evaluation
from cxr.evaluate.undefined import Undefined
from cxr.manifest import SPLITS


def figure_text(figure: float | Undefined) -> str:
    """Three decimals, or "undefined"."""
    return "undefined" if isinstance(figure, Undefined) else f"{figure:.3f}"


def interval_text(interval: Interval | Undefined) -> str:
    """Like "0.891 to 0.934", or "undefined"."""
    return "undefined" if isinstance(interval, Undefined) else f"{interval.low:.3f} to {interval.high:.3f}"


def confidence_text(evaluation: Evaluation) -> str:
    """Like "95 % interval"."""
    return f"{100 * evaluation.config.confidence:g} % interval"


def mean_text(evaluation: Evaluation) -> str:
    """Like "0.912 (95 % interval 0.891 to 0.934)"; "undefined" with the reason where there is no mean."""
    macro = evaluation.macro
    if isinstance(macro.auroc, Undefined):
        return f"undefined ({macro.auroc.reason})"
    bounds = interval_text(macro.interval)
    reason = f": {macro.interval.reason}" if isinstance(macro.interval, Undefined) else ""
    return f"{macro.auroc:.3f} ({confidence_text(evaluation)} {bounds}{reason})"


def labels_text(evaluation: Evaluation) -> str:
    """Like "6 of 7 labels"."""
    return f"{len(evaluation.macro.labels_defined)} of {count_text(evaluation.macro.label_count, 'label')}"


def plural(thing: str) -> str:
    """Like "images" or "studies"."""
    return f"{thing[:-1]}ies" if thing.endswith("y") else f"{thing}s"


def count_text(count: int, thing: str) -> str:
    """Like "1 label" or "2,500 studies"."""
    return f"{count:,} {thing if count == 1 else plural(thing)}"


def list_text(names: Sequence[str]) -> str:
    """Like "Edema, Mass and Hernia"."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def extent_text(evaluation: Evaluation, side: str = "") -> str:
    """Like "244 images of 121 patients", "200 test studies (244 images) of 121 patients" or "121 patients (244 images)".

    Args:
        evaluation: what was evaluated.
        side: of the split, where it is to be named.
    """
    unit = evaluation.config.unit
    text = count_text(evaluation.units, f"{side} {unit}".strip())
    if unit != "image":
        text += f" ({count_text(evaluation.images, 'image')})"
    return text if unit == "patient" else f"{text} of {count_text(evaluation.patients, 'patient')}"


def place_text(side: str) -> str:
    """What was evaluated, like "the test split"; a table is called as it is."""
    return f"the {side} split" if side in SPLITS else "the table" if side == "table" else side


def headline(evaluation: Evaluation, side: str) -> str:
    """The evaluation in one line; `side` is a side of the split, or a table."""
    extent = extent_text(evaluation, side if side in SPLITS else "")
    return f"mean AUROC {mean_text(evaluation)} over {labels_text(evaluation)}, {extent}"
