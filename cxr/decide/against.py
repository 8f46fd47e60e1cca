"""The older model beside the new one on the same test images, for the labels that mean the same in both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cxr.compare.align import Pair, pair
from cxr.compare.wording import level_text
from cxr.config import DecideStage
from cxr.config_retrain import RetrainConfig
from cxr.decide.decision import ModelName
from cxr.decide.older import score_older
from cxr.decide.rule import KeptLabel
from cxr.evaluate.paired import Comparison, compare, fewest_resamples
from cxr.labels.label_set import LabelSet
from cxr.manifest import Manifest
from cxr.model.card import read_card, weights_digest
from cxr.predictions import Predictions
from cxr.retrain.plan import LabelPlan, plan_labels
from cxr.stage import StageContext

OLDER = "older.parquet"


@dataclass(frozen=True, eq=False)
class Paired:
    """Both models on the same test patients.

    Args:
        found: the comparison; A is the new model.
        sides: what was compared.
    """

    found: Comparison
    sides: Pair

    def kept(self) -> Iterator[KeptLabel]:
        """What the rule looks at, label by label."""
        cells = self.sides.cells
        for row in self.found.rows:
            truth = cells.truth[:, cells.label_names.index(row.label)]
            with_finding, without = (cells.patients_where(truth == value) for value in (1, 0))
            yield KeptLabel(row.label, row.auroc, level_text(self.found), with_finding, without)


@dataclass(frozen=True, eq=False)
class Against:
    """The older model beside the new one.

    Args:
        older: which model it is.
        plan: what became of its labels.
        paired: both on the same patients; None where no label means the same in both.
        remarks: what the reader must know of the comparison, a sentence each.
    """

    older: ModelName
    plan: LabelPlan
    paired: Paired | None
    remarks: tuple[str, ...]


def name_model(path: Path) -> ModelName:
    """Which model a model file holds.

    Raises:
        DataError: no model file.
    """
    card = read_card(path)
    return ModelName(weights_sha256=weights_digest(path), run_id=card.run_id, labels=card.labels.name)


def compare_older(
    config: DecideStage, retrain: RetrainConfig, labels: LabelSet, new: Predictions, test: Manifest, context: StageContext
) -> Against:
    """Compare the new model with the older one; writes `OLDER`, its scores, where there is a label to compare.

    Args:
        config: of the stage.
        retrain: names the older model.
        labels: of the new model.
        new: scores of the new model on the test images.
        test: these images.
        context: of the stage.

    Raises:
        ConfigError: see `cxr.retrain.plan.plan_labels`.
        DataError: see `score_older`.
    """
    card = read_card(retrain.model)
    plan = plan_labels(card.labels, labels, retrain.labels)
    paired, remarks = None, list(_remarks(retrain, plan))
    if plan.compared:
        older = score_older(config, retrain, plan.compared, test, context)
        older.write(context.folder / OLDER)
        context.progress(0, 1, f"resampling {len(test)} images")
        paired = _pair(config, labels, new, older)
        remarks += _paired_remarks(config, paired, new, older)
    return Against(name_model(retrain.model), plan, paired, tuple(remarks))


def _pair(config: DecideStage, labels: LabelSet, new: Predictions, older: Predictions) -> Paired:
    settings = config.evaluate
    sides = pair(new, older, labels.only(older.label_names), settings)
    resamples = max(settings.resamples, fewest_resamples(len(older.label_names), settings.confidence))
    found = compare(sides.cells, sides.other, resamples, settings.confidence, config.seed)
    return Paired(found, sides)


def _remarks(retrain: RetrainConfig, plan: LabelPlan) -> Iterator[str]:
    if not plan.compared:
        yield "No label of the older model means the same as one of the new model, so the two are not compared."
    if plan.dropped:
        yield f"The new model does not have these labels of the older one: {', '.join(plan.dropped)}."
    if retrain.other_patients:
        yield (
            "That the older model was made without any of these test patients is what retrain.other_patients says; had it "
            "seen them, it would look too good here."
        )


def _paired_remarks(config: DecideStage, paired: Paired, new: Predictions, older: Predictions) -> Iterator[str]:
    for name, table in (("new", new), ("older", older)):
        if network := table.about.get("network"):
            yield f"The {name} model has networks of several widths, and is scored by this one: {network}."
    if paired.found.resamples > config.evaluate.resamples:
        yield (f"{paired.found.resamples:,} resamples were drawn: with fewer, none of so many labels could be told to differ.")
