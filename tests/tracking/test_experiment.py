"""The page of an experiment: described and with its scoreboard, brought up to date, a user's own words left alone."""

from __future__ import annotations

import logging

import pytest
from mlflow.exceptions import MlflowException

from cxr.tracking import views
from cxr.tracking.experiment import NOTE, describe
from cxr.tracking.store import Tracking


@pytest.fixture
def described(workspace):
    """Describes the experiment as a pipeline with that description and those labels does, and gives its tags."""

    def describe_it(description: str = "Two findings.", labels: tuple[str, ...] = ("Mass",)) -> dict[str, str]:
        tracking = Tracking(workspace, "small", description, labels)
        tracking.describe()
        return tracking.client.get_experiment(tracking.experiment_id).tags

    return describe_it


def test_page_begins_with_the_pipelines_words_and_says_what_to_look_at(described):
    note = described()[NOTE]
    assert note.startswith("Two findings.\n\n* **Which run is best?**")
    assert "viewStateShareKey=cxr-scoreboard" in note
    assert all(word in note for word in ("report.html", "Child runs", "train", "champion"))


def test_page_opens_among_those_for_training(described):
    assert described()["mlflow.experimentKind"] == "custom_model_development"


def test_what_changed_is_brought_up_to_date_and_nothing_else_is_written(described):
    first = described()
    assert described() == first, "not even the time of the view"
    second = described("Three findings.", ("Mass", "Effusion"))
    assert second[NOTE].startswith("Three findings.")
    assert second[views.TAG] != first[views.TAG]


def test_words_of_a_user_stay(described, workspace):
    described()
    tracking = Tracking(workspace, "small")
    tracking.client.set_experiment_tag(tracking.experiment_id, NOTE, "Our own words.")
    assert described("Three findings.")[NOTE] == "Our own words."


class WithoutViews:
    """A client of a server that does not take the tag of the view."""

    def __init__(self, client) -> None:
        self._client = client

    def get_experiment(self, experiment_id):
        return self._client.get_experiment(experiment_id)

    def set_experiment_tag(self, experiment_id, name, value):
        if name == views.TAG:
            raise MlflowException("not allowed\nfor ever")
        self._client.set_experiment_tag(experiment_id, name, value)


def test_server_without_views_costs_the_view_and_a_warning_only(workspace, caplog):
    tracking = Tracking(workspace, "small")
    with caplog.at_level(logging.WARNING):
        describe(WithoutViews(tracking.client), tracking.experiment_id, "Two findings.", ["Mass"])
    assert "shown without it: not allowed" in caplog.text
    assert tracking.client.get_experiment(tracking.experiment_id).tags[NOTE].startswith("Two findings.")
    assert (
        tracking.overview("http://x") == f"http://x/#/experiments/{tracking.experiment_id}/runs?workflowType=machine_learning"
    )
    tracking.describe()
    assert tracking.overview("http://x").endswith("viewStateShareKey=cxr-scoreboard")
