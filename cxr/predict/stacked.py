"""Scoring by a stacked model: every width looked at on the validation images, then the images scored by the chosen ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from cxr.config import CascadeConfig, PredictConfig
from cxr.evaluate.auroc import mean_auroc
from cxr.evaluate.undefined import as_float
from cxr.manifest import Manifest
from cxr.model.cost import costs
from cxr.predict import widths
from cxr.predict.batches import Batches, Rows, score_by_cascade
from cxr.predict.cascade import FittedCascade, fit_cascade, goes_on, mixed
from cxr.predict.predictor import Predictor
from cxr.stage import StageContext

_TABLE, _CASCADE = "widths.csv", "cascade.json"
Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scored:
    """The scores of a manifest's images, and by what they were scored.

    Args:
        scores: float64 [images, labels] in [0, 1].
        network: the chosen widths, in words; empty where the model has but one.
        metrics: figures of the choice.
        warnings: what to know before using the scores, a sentence each.
        files: written into the stage's folder, beside the scores.
    """

    scores: Scores
    network: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    @property
    def about(self) -> dict[str, str]:
        """What the prediction table says of the network."""
        return {"network": self.network} if self.network else {}


@dataclass(frozen=True)
class _Task:
    """All that the steps below need: the model, the rows of the two sides, int64 [images] each, the study of every row, and
    the truth of the validation images.
    """

    predictor: Predictor
    batches: Batches
    context: StageContext
    val: Rows
    test: Rows
    studies: npt.NDArray[np.str_]
    truth: npt.NDArray[np.float32]

    def joined(self, of_val: Scores, of_test: Scores) -> Scores:
        """The scores of all rows, in their order."""
        scores = np.empty((len(self.studies), of_val.shape[1]))
        scores[self.val], scores[self.test] = of_val, of_test
        return scores


def score_stacked(
    config: PredictConfig, predictor: Predictor, batches: Batches, manifest: Manifest, context: StageContext
) -> Scored:
    """Score images as configured; writes `widths.csv`, and of a cascade `cascade.json`, from the validation images alone.

    Args:
        config: which widths.
        predictor: of a stacked model.
        batches: how images are read, by their rows in the manifest.
        manifest: validation and test images, with the label columns in the model's order.
        context: of the stage.

    Raises:
        DataError: a cascade cannot be fitted, since no label has both positive and negative validation images.
    """
    val, test = (np.flatnonzero(manifest.frame["split"] == side) for side in ("val", "test"))
    truth = predictor.labels.truth(manifest.label_codes()[val])
    task = _Task(predictor, batches, context, val, test, manifest.frame["study_id"].to_numpy(str), truth)
    named = config.named_heads or (predictor.heads[-1],)
    table, of_val = _look_at_widths(task, named)
    if config.cascade is not None:
        return _by_cascade(task, config.cascade, table, of_val)
    (heads,) = named
    of_test = batches.score(predictor.at(heads), test, f"test images scored by {heads} heads")
    network = f"{heads} of {predictor.heads[-1]} attention heads"
    return Scored(task.joined(of_val[heads], of_test), network, files=(_TABLE,))


def _look_at_widths(task: _Task, named: tuple[int, ...]) -> tuple[list[widths.Width], dict[int, Scores]]:
    """The table of widths, written and tracked; and the validation scores of the named ones, so that no more are kept."""
    table, kept = [], {}
    card = task.predictor.card
    for cost in costs(card.model, card.preprocessing.size, len(card.labels.names)):
        assert cost.heads is not None  # the model is stacked
        network = task.predictor.at(cost.heads)
        scores = task.batches.score(network, task.val, f"validation images scored by {cost.heads} heads")
        if cost.heads in named:
            kept[cost.heads] = scores
        area, time = as_float(mean_auroc(task.truth, scores)), widths.milliseconds(network)
        table.append(widths.Width(cost.heads, cost.parameters, cost.gmacs, time, area))
        task.context.run.metrics(table[-1].metrics(), step=cost.heads)
    widths.table(table).to_csv(task.context.folder / _TABLE, index=False)
    task.context.run.artifact(task.context.folder / _TABLE)
    return table, kept


def _by_cascade(task: _Task, config: CascadeConfig, table: list[widths.Width], of_val: dict[int, Scores]) -> Scored:
    narrow, wide = (of_val[heads] for heads in config.heads)
    studies = task.studies[task.val]
    fitted = fit_cascade(narrow, wide, task.truth, studies, config.heads, config.tolerance)
    path = task.context.folder / _CASCADE
    path.write_text(fitted.cascade.model_dump_json(indent=1) + "\n", encoding="utf-8")
    task.context.run.artifact(path)
    of_test = score_by_cascade(task.predictor, fitted.cascade, task.batches, task.test, task.studies[task.test])
    scores = task.joined(mixed(narrow, wide, goes_on(fitted.cascade, narrow, studies)), of_test.scores)
    metrics = _metrics(task, fitted, table, of_test.chosen)
    task.context.run.metrics(metrics)
    return Scored(scores, _in_words(fitted, metrics), metrics, _warnings(fitted), (_TABLE, _CASCADE))


def _metrics(task: _Task, fitted: FittedCascade, table: list[widths.Width], chosen: npt.NDArray[np.bool_]) -> dict[str, float]:
    gmacs = {width.heads: width.gmacs for width in table}
    narrow, wide = fitted.cascade.heads
    studies = task.studies[task.test]
    return {
        "cascade/share_val": fitted.share,
        "cascade/share_test": len(np.unique(studies[chosen])) / max(len(np.unique(studies)), 1),
        "cascade/gmacs": gmacs[narrow] + gmacs[wide] * int(chosen.sum()) / max(len(chosen), 1),
        "cascade/auroc_val_narrow": fitted.auroc_narrow,
        "cascade/auroc_val_wide": fitted.auroc_wide,
        "cascade/auroc_val_mixed": fitted.auroc_mixed,
    }


def _in_words(fitted: FittedCascade, metrics: Mapping[str, float]) -> str:
    narrow, wide = fitted.cascade.heads
    share = f"{100 * metrics['cascade/share_test']:.0f} % of the test studies went on to the wide one"
    return f"cascade of {narrow} and {wide} attention heads: {share} ({fitted.cascade.identity})"


def _warnings(fitted: FittedCascade) -> tuple[str, ...]:
    narrow, wide = fitted.cascade.heads
    if fitted.cascade.limit is not None:
        return ()
    return (f"the cascade saves nothing, since every study goes on from {narrow} to {wide} heads; use predict.heads={wide}",)
