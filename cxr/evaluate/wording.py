"""How figures are written for people, in the terminal and in the report alike."""

from __future__ import annotations

from cxr.evaluate.interval import Interval
from cxr.evaluate.metrics import Evaluation
from cxr.evaluate.undefined import Undefined


def figure_text(figure: float | Undefined) -> str:
    """Three decimals, or "undefined"."""
    return "undefined" if isinstance(figure, Undefined) else f"{figure:.3f}"


def interval_text(interval: Interval | Undefined) -> str:
    """Like "0.891 to 0.934", or "undefined"."""
    return "undefined" if isinstance(interval, Undefined) else f"{interval.low:.3f} to {interval.high:.3f}"


def confidence_text(evaluation: Evaluation) -> str:
    """Like "95 % interval"."""
    return f"{100 * evaluation.confidence:g} % interval"


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


def count_text(count: int, thing: str) -> str:
    """Like "1 label" or "2,500 labels"."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def headline(evaluation: Evaluation, split: str) -> str:
    """The evaluation in one line."""
    images = count_text(evaluation.images, f"{split} image")
    patients = count_text(evaluation.patients, "patient")
    return f"mean AUROC {mean_text(evaluation)} over {labels_text(evaluation)}, {images} of {patients}"
