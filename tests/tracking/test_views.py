"""The scoreboard: what the tag that MLflow's pages read says, and that MLflow takes it however many labels there are."""

from __future__ import annotations

import base64
import json
import zlib

from mlflow.utils.validation import _validate_experiment_tag

from cxr.tracking import views


def unpack(tag: str) -> tuple[dict, dict]:
    envelope = json.loads(tag)
    return envelope, json.loads(zlib.decompress(base64.b64decode(envelope["state"].removeprefix("deflate;"))))


def test_scoreboard_shows_whole_runs_the_best_first_with_a_column_per_label():
    envelope, state = unpack(views.scoreboard(["Mass", "Nodule Mass"], made=5))
    assert (envelope["name"], envelope["createdAt"], envelope["updatedAt"]) == ("Scoreboard", 5, 5)
    assert state["searchFilter"] == "tags.`cxr.kind` = 'pipeline'"
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`test/auroc_macro`", False)
    columns = state["selectedColumns"]
    assert columns[:3] == [f"metrics.`test/auroc_macro{bound}`" for bound in ("", "_low", "_high")]
    assert {"metrics.`test/auroc/Mass`", "metrics.`test/auroc/Nodule Mass`", "tags.`cxr.promotion`"} < set(columns)
    assert set(columns) < set(state["columnOrder"])


def test_scoreboard_of_many_labels_is_not_too_long_for_mlflow():
    tag = views.scoreboard([f"label {index * 7919 % 100003:x} of many" for index in range(5000)], made=0)
    _validate_experiment_tag(views.TAG, tag)
    _, state = unpack(tag)
    assert len(state["selectedColumns"]) > 500


def test_links_open_the_pages_for_training():
    assert views.link("7") == "/#/experiments/7/runs?workflowType=machine_learning&viewStateShareKey=cxr-scoreboard"
    assert views.link("7").startswith(views.plain_link("7"))
