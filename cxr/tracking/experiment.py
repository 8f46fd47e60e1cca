"""The page of an experiment: what its reader is told to look at, and the view to look at it with."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any

from cxr.tracking import views

NOTE = "mlflow.note.content"
KIND, TRAINING = "mlflow.experimentKind", "custom_model_development"
"""Tag of an experiment, and the value with which MLflow shows its pages for training, not those for language models."""
_OURS = "cxr.note_sha256"
_VIEW_OF = "cxr.scoreboard_sha256"
_log = logging.getLogger(__name__)


def describe(client: Any, experiment_id: str, description: str, labels: Iterable[str]) -> None:
    """Describe an experiment and give it its scoreboard, where either has changed; a text that a user wrote there stays.

    Args:
        client: of MLflow.
        experiment_id: of the experiment.
        description: of the pipeline.
        labels: keys of its labels.
    """
    from mlflow.exceptions import MlflowException

    tags = client.get_experiment(experiment_id).tags
    keys = tuple(labels)
    try:
        scoreboard = _scoreboard_tags(tags, keys)
        for name, value in scoreboard.items():
            client.set_experiment_tag(experiment_id, name, value)
    except MlflowException as error:
        _log.warning(
            "MLflow did not take the view of the experiment, which is shown without it: %s", str(error).splitlines()[0]
        )
    for name, value in _note_tags(tags, _note(experiment_id, description)).items():
        client.set_experiment_tag(experiment_id, name, value)


def _scoreboard_tags(tags: Mapping[str, str], labels: tuple[str, ...]) -> dict[str, str]:
    wanted = views.scoreboard(labels, made=int(time.time() * 1000))
    digest = _digest(views.scoreboard(labels, made=0))
    return {} if tags.get(_VIEW_OF) == digest and views.TAG in tags else {views.TAG: wanted, _VIEW_OF: digest}


def _note_tags(tags: Mapping[str, str], text: str) -> dict[str, str]:
    present = tags.get(NOTE, "")
    if present == text or (present and _digest(present) != tags.get(_OURS)):
        return {}
    return {NOTE: text, _OURS: _digest(text)}


def _note(experiment_id: str, description: str) -> str:
    view = views.link(experiment_id).removeprefix("/")
    points = (
        f"**Which run is best?** The view [Scoreboard]({view}) (also under *Views*) has a row per run of the pipeline, best "
        "first: `test/auroc_macro` is the mean AUROC on the test patients, `_low` and `_high` bound its interval, "
        "`test/auroc/...` is each label.",
        "**Is a run to be trusted?** Its page begins with what data, what labels, how good, how sure, against what, what next. "
        "The whole answer is `report.html` under *Artifacts*.",
        "**What is inside a run?** A run per stage: *Child runs* on its page. The curves over the epochs are on `train` "
        "under *Model metrics*; how busy the machine was, under *System metrics*.",
        "**Where is the model?** Under *Models*, made by the stage `calibrate`; the one in use has the alias `champion` in the "
        "*Model registry*.",
    )
    bullets = "\n".join(f"* {point}" for point in points)  # a line each: the page breaks where the text does
    return f"{description}\n\n{bullets}".strip()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
