"""The scoreboard: a saved view of an experiment, with a row per pipeline run and a column per label, the best run first.

MLflow's pages keep such a view in a tag of the experiment and take a link to it, both undocumented: so a server that does not
take the tag costs the view and nothing else.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable

SHARE_KEY = "cxr-scoreboard"
TAG = f"mlflow.sharedViewState.{SHARE_KEY}"
PIPELINE = {"cxr.kind": "pipeline"}
"""Tag of a run of a pipeline as a whole."""
ONLY_PIPELINES = "tags.`cxr.kind` = 'pipeline'"
_NAME = "Scoreboard"
_LONGEST = 20_000  # characters of an experiment's tag
_FIGURES = ("test/auroc_macro", "test/auroc_macro_low", "test/auroc_macro_high")
_ALWAYS = ("0", "attributes.`Run Name`", "runDateAndNestInfo")
"""Columns that MLflow always shows: the box to choose a run, its name, its date."""
_WIDTH = 160
_HEADER = b"deflate;"


def link(experiment_id: str) -> str:
    """Where the scoreboard of an experiment is, behind the address of the server."""
    return f"{plain_link(experiment_id)}&viewStateShareKey={SHARE_KEY}"


def plain_link(experiment_id: str) -> str:
    """Where the runs of an experiment are, in the pages for training, behind the address of the server."""
    return f"/#/experiments/{experiment_id}/runs?workflowType=machine_learning"


def scoreboard(labels: Iterable[str], made: int) -> str:
    """The tag that is the scoreboard.

    Args:
        labels: the labels' keys, a column each; without those at the end where MLflow would refuse the length.
        made: milliseconds since 1970.
    """
    columns = [f"test/auroc/{key}" for key in labels]
    while len(text := _tag(columns, made)) > _LONGEST:
        columns = columns[: len(columns) * 9 // 10]
    return text


def _tag(metrics: list[str], made: int) -> str:
    figures, labels = ([f"metrics.`{name}`" for name in names] for names in (_FIGURES, metrics))
    behind = ["tags.`cxr.promotion`", "attributes.`Models`", "attributes.`Dataset`"]
    state = {
        "searchFilter": ONLY_PIPELINES,
        "orderByKey": figures[0],
        "orderByAsc": False,
        "selectedColumns": [*figures, *labels, *behind],
        "columnOrder": [*_ALWAYS, *figures, *behind[:1], *labels, *behind[1:]],
        "columnWidths": {_ALWAYS[1]: 2 * _WIDTH} | dict.fromkeys([*figures, *behind[:1], *labels], _WIDTH),
    }
    packed = _HEADER + base64.b64encode(zlib.compress(json.dumps(state).encode()))
    return json.dumps({"name": _NAME, "createdAt": made, "updatedAt": made, "state": packed.decode()})
