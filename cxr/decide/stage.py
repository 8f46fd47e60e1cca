"""The decide stage: the older model against the new one on the test patients, and whether the rule for promotion holds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from cxr.config import DecideStage
from cxr.config_retrain import PromoteConfig
from cxr.decide.against import Against, compare_older, name_model
from cxr.decide.decision import NAME, Check, Decision
from cxr.decide.evaluated import EvaluatedGaps, EvaluatedLabel, read_gaps, read_labels
from cxr.decide.outputs import TABLE, figures, terminal_table, write_table
from cxr.decide.page import Basis, render_page
from cxr.decide.rule import check_calibration, check_disowned, check_gap, check_kept, check_nothing_kept
from cxr.decide.verdicts import give_verdicts
from cxr.decide.wording import answers, headline
from cxr.errors import DataError
from cxr.labels.label_set import LabelSet, read_label_set
from cxr.manifest import Manifest, read_manifest
from cxr.model.card import read_card
from cxr.predictions import Predictions, read_predictions
from cxr.profile import log_dataset
from cxr.retrain.fits import refuse_other_size, refuse_other_split
from cxr.retrain.plan import plan_labels
from cxr.stage import StageContext, StageResult

SPLIT = "test"
"""The only side that is looked at."""
PAGE = "decision.html"


def run(config: DecideStage, context: StageContext) -> StageResult:
    """Write `decision.json`, `decision.csv` and `decision.html`, and with an older model its scores, `older.parquet`.

    Raises:
        ConfigError: the label set cannot be read, or which older label a new one comes from cannot be told.
        DataError: the older model cannot be read or cannot score these images, or an input breaks its schema.
    """
    context.progress(0, 1, "reading")
    labels = read_label_set(config.labels)
    new, manifest = _test_rows(context.inputs["predictions"]), read_manifest(context.inputs["test"])
    against = None
    if config.retrain is not None:
        against = compare_older(config, config.retrain, labels, new, manifest, context)
    found, gaps = _in_order(read_labels(context.inputs["metrics"]), labels), read_gaps(context.inputs["gaps"])
    decision = _decide(config, context, against, found, gaps)
    basis = Basis(len(new.frame), new.frame["patient_id"].nunique(), gaps.too_small)
    remarks = tuple(_remarks(decision, against))
    _write(decision, against, context.folder, render_page(decision, against, found, basis, config.evaluate, remarks))
    _log(decision, against, manifest, context)
    context.progress(1, 1, "done")
    return StageResult(
        counts=_counts(decision, basis),
        headline=decision.headline,
        metrics=figures(decision, against),
        table=terminal_table(decision, against),
        warnings=remarks,
        highlights=(NAME, PAGE),
        answers=answers(decision, against, basis.patients),
    )


def check(config: DecideStage) -> None:
    """Refuse before any stage has run what the older model's file and the label sets show to be wrong.

    Raises:
        ConfigError: which older label a new one comes from cannot be told, or the images are made in another way than those
            that the older model can score.
        DataError: the older model cannot be read.
    """
    labels = read_label_set(config.labels)
    if config.retrain is not None:
        card = read_card(config.retrain.model)
        refuse_other_size(card, config.size, config.fit)
        if config.retrain.split is not None:
            refuse_other_split(card, config.retrain.split)
        plan_labels(card.labels, labels, config.retrain.labels)


def _test_rows(path: Path) -> Predictions:
    predictions = read_predictions(path).where(SPLIT)
    if predictions.frame.empty:
        raise DataError(f"{path}: no row has the split '{SPLIT}', so there is nothing to decide by")
    return predictions


def _in_order(found: Mapping[str, EvaluatedLabel], labels: LabelSet) -> dict[str, EvaluatedLabel]:
    missing = next((name for name in labels.names if name not in found), None)
    if missing is not None:
        raise DataError(f"the evaluation has no figures of label '{missing}'; run the stage evaluate again")
    return {name: found[name] for name in labels.names}


def _decide(
    config: DecideStage,
    context: StageContext,
    against: Against | None,
    found: Mapping[str, EvaluatedLabel],
    gaps: EvaluatedGaps,
) -> Decision:
    verdicts = give_verdicts(found, against, f"{100 * config.evaluate.confidence:g} % interval")
    checks = tuple(_checks(config, against, found, gaps))
    with context.inputs["test"].open("rb") as file:
        test_digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Decision(
        registry=config.registry,
        model=name_model(context.inputs["model"]),
        older=None if against is None else against.older,
        test_data_sha256=test_digest,
        rule=config.promote,
        labels=verdicts,
        dropped=() if against is None else against.plan.dropped,
        checks=checks,
        headline=headline(checks, verdicts, against),
    )


def _checks(
    config: DecideStage, against: Against | None, found: Mapping[str, EvaluatedLabel], gaps: EvaluatedGaps
) -> Iterator[Check]:
    if against is not None:
        yield from _checks_of_kept(against, config.promote)
    yield from (check_calibration(label, config.promote) for label in found.values())
    yield from (check_gap(gap, config.promote) for gap in gaps.gaps)


def _checks_of_kept(against: Against, rule: PromoteConfig) -> Iterator[Check]:
    if against.paired is not None:
        yield from (check_kept(kept, rule) for kept in against.paired.kept())
    elif not against.plan.disowned:
        yield check_nothing_kept(rule)
    yield from (check_disowned(*pair, rule) for pair in against.plan.disowned.items())


def _remarks(decision: Decision, against: Against | None) -> Iterator[str]:
    """What the reader must know, a sentence each."""
    if against is not None:
        yield from against.remarks
        if against.older.weights_sha256 == decision.model.weights_sha256:
            yield "The new model has the weights of the older one: it is the same network, compared with itself."


def _write(decision: Decision, against: Against | None, folder: Path, page: str) -> None:
    decision.write(folder)
    write_table(decision, folder)
    (folder / PAGE).write_text(page, encoding="utf-8")


def _log(decision: Decision, against: Against | None, manifest: Manifest, context: StageContext) -> None:
    log_dataset(context.run, "manifest-test", "decision", manifest)
    older = {} if against is None else {"older_model_run": against.older.run_id, "older_weights": against.older.weights_sha256}
    context.run.params({**decision.rule.model_dump(mode="json", exclude={"model"}), "registry": decision.registry, **older})
    context.run.metrics(figures(decision, against))
    for name in (NAME, TABLE, PAGE):
        context.run.artifact(context.folder / name)


def _counts(decision: Decision, basis: Basis) -> dict[str, int]:
    return {
        "images": basis.images,
        "patients": basis.patients,
        "labels": len(decision.labels),
        "labels_kept": sum(bool(verdict.older_label) for verdict in decision.labels),
        "checks": len(decision.checks),
        "checks_failed": len(decision.failed),
    }
