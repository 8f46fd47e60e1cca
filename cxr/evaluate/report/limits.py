"""What the figures do not say, in sentences: those that this evaluation gives reason for, and those that hold for any."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cxr.evaluate import trust
from cxr.evaluate.metrics import Evaluation
from cxr.evaluate.report.subgroups import group_sizes
from cxr.evaluate.strata import NO_GROUP
from cxr.evaluate.undefined import Undefined
from cxr.evaluate.wording import count_text, list_text, plural
from cxr.labels.label_set import LabelSet
from cxr.predictions import NOT_TOLD

_NAMES = {"age_band": "age"}
_CHILDREN = "0-17"

GENERAL = (
    "Intervals cover which patients happened to be evaluated. They do not cover wrong labels, the choice of these patients, or "
    "what another training run would give.",
    "Each figure has an interval of its own; with many figures, some intervals miss the true value by chance.",
    "AUROC says how well scores rank, and nothing of whether a score is a probability or of any threshold.",
    "Predictive values hold where the finding is as common as stated beside them, and nowhere else.",
    "This is research software. It is not a medical device, and nothing here shows fitness for diagnosis.",
)
"""Hold for any evaluation."""


def column_text(column: str) -> str:
    """A column of the table as it is called in sentences."""
    return _NAMES.get(column, column.replace("_", " "))


def limits(evaluation: Evaluation, labels: LabelSet) -> tuple[str, ...]:
    """What these data, and this evaluation of them, cannot show; a sentence or two each."""
    return (
        *evaluation.remarks,
        *_few(evaluation),
        *_cells(evaluation),
        *_origin_of_labels(labels),
        *_context(evaluation),
        *_intervals(evaluation),
        *_calibration(evaluation),
    )


def not_measured(evaluation: Evaluation) -> tuple[str, ...]:
    """What an evaluation could have shown and this one does not, a phrase each."""
    sizes = group_sizes(evaluation)
    found = [f"{row.label}: {row.auroc.reason}" for row in evaluation.rows if isinstance(row.auroc, Undefined)]
    if evaluation.calibration is None:
        found.append("thresholds, and probabilities after calibration: nothing was fitted")
    if evaluation.subgroups_absent:
        found.append(
            f"differences by {list_text([column_text(name) for name in evaluation.subgroups_absent])}: not in the table"
        )
    found += [f"differences by {column_text(name)}: one group only" for name, groups in sizes.items() if len(groups) == 1]
    if "age_band" in sizes and _CHILDREN not in sizes["age_band"]:
        found.append("children: no image is known to be of one")
    return (*found, "other hospitals, devices and years than those of these data", "what readers or patients gain by it")


def _few(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.patients < trust.SMALL_TEST_SET:
        yield (
            f"The figures rest on {count_text(evaluation.patients, 'patient')}, fewer than {trust.SMALL_TEST_SET}: "
            "expect other figures on other patients."
        )
    rare = [row.label for row in evaluation.rows if 0 < row.counts.patients_positive < trust.FEWEST_PATIENTS]
    if rare:
        yield f"Fewer than {trust.FEWEST_PATIENTS} patients have {list_text(rare)}: these figures hang on a few people."
    undefined = evaluation.macro.labels_undefined
    if undefined:
        yield f"{list_text(undefined)} cannot be measured here, and the means leave them out."


def _cells(evaluation: Evaluation) -> Iterator[str]:
    unit, units = evaluation.config.unit, evaluation.units
    unknown = {row.label: row.counts.unknown for row in evaluation.rows if row.counts.unknown}
    if unknown:
        most = max(unknown, key=lambda label: unknown[label])
        share = sum(unknown.values()) / (units * len(evaluation.rows))
        yield (
            f"{share_text(share)} of the labels' cells are unknown and left out; most for {most}, "
            f"{count_text(unknown[most], unit)} of {units:,}. If the {plural(unit)} left out differ from the others, the "
            "figures are off, and no interval shows it."
        )
    used = {row.label: row.uncertain_used for row in evaluation.rows if row.uncertain_used}
    if used:
        counts = list_text([f"{label} {count:,}" for label, count in used.items()])
        yield f"Cells read as uncertain were counted as positive or negative, as the label set says: {counts}."


def _origin_of_labels(labels: LabelSet) -> Iterator[str]:
    if labels.reference:
        yield f"Of the labels the label set says: {labels.reference}."
    if "report" in labels.reference.casefold():
        yield (
            "Labels taken from reports say what a report mentions, which is not always what the image shows. Some are wrong, "
            "and a figure can be no better than the labels it was measured with."
        )


def _context(evaluation: Evaluation) -> Iterator[str]:
    unit, units = evaluation.config.unit, evaluation.units
    for column, groups in group_sizes(evaluation).items():
        name, proper = column_text(column), [group for group in groups if group not in NO_GROUP]
        untold = groups.get(NOT_TOLD, 0)
        if not proper:
            yield f"No {unit} has a known {name}, so nothing is known of differences by it."
        elif untold:
            yield f"The {name} of {untold:,} of {count_text(units, unit)} is not known."
        if len(proper) == 1:
            yield f"All {plural(unit)} whose {name} is known are of one group ({proper[0]}). Others may give other figures."
    if evaluation.subgroups_absent:
        names = list_text([column_text(column) for column in evaluation.subgroups_absent])
        yield f"The table does not tell {names}, so nothing is known of differences by it."


def _intervals(evaluation: Evaluation) -> Iterator[str]:
    config = evaluation.config
    if config.intervals == "delong" and evaluation.units > evaluation.patients:
        yield (
            f"The AUROC intervals of single labels are DeLong's, which take the {plural(config.unit)} of one patient for "
            "independent: they are too narrow."
        )
    if evaluation.patients == evaluation.images > 1:
        yield "As far as the table tells, each image is of another patient. If that is not so, all intervals are too narrow."
    failed = [row.label for row in evaluation.rows if row.ranking.bootstrap.failed and not isinstance(row.auroc, Undefined)]
    if failed:
        yield (
            f"Some resamples held no positive or no negative of {list_text(failed)}; these are left out of the intervals, and "
            "counted beside the figures."
        )


def _calibration(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.calibration is None:
        yield "No calibration was fitted: a score must not be read as a probability, and no threshold says yes or no."


def share_text(share: float) -> str:
    """A share, 0 to 1, like "4.3 %"; what is not zero is not written as zero, nor what is not all as all."""
    if 0 < share < 0.001:
        return "less than 0.1 %"
    return "more than 99.9 %" if 0.999 < share < 1 else f"{100 * share:.3g} %"


def leading(names: Sequence[str], most: int) -> str:
    """The first names, and how many others there are."""
    rest = len(names) - most
    return list_text([*names[:most], f"{rest} more"] if rest > 0 else names)
