from __future__ import annotations

import re

import pytest

from cxr.errors import ConfigError, CxrError
from cxr.promote.target import find_candidate, find_model
from tests.promote.proposals import BAD, Lab


def found(lab: Lab, text: str) -> str:
    return find_candidate(lab.tracking, text).run.run_id


def test_run_is_found_by_its_id_by_some_digits_of_it_and_by_its_name(lab):
    run = lab.run(1)
    lab.run(2)
    for text in (run, run[:8], run[:20], "small 21 Nov 10:26"):
        assert found(lab, text) == run


@pytest.mark.parametrize("name", ["it's", "100%", "a_b", 'say "so"', "x' OR name LIKE '%", "back\\slash"])
def test_run_is_found_by_any_name_and_by_no_other(lab, name):
    run = lab.run(1, name=name)
    lab.run(2, name=re.sub(r"[\W_]", "x", name))
    assert found(lab, name) == run
    with pytest.raises(ConfigError, match="no run of this id or name"):
        found(lab, "its")


def test_name_of_two_runs_is_refused_with_both_of_them(lab):
    runs = [lab.run(seed, name="the same") for seed in (1, 2)]
    with pytest.raises(ConfigError, match="may mean 2 runs") as error:
        found(lab, "the same")
    assert all(run in str(error.value) for run in runs)


def test_run_of_a_stage_leads_to_its_pipeline(lab):
    run = lab.run(1)
    stage = lab.tracking.open("train", parent=run).run_id
    with pytest.raises(ConfigError, match=f"run of a stage, train; the pipeline's run is {run}"):
        found(lab, stage)


@pytest.mark.parametrize("text", ["0" * 32, "12345678", "1234567", "nothing"])
def test_unknown_run_is_told(lab, text):
    lab.run(1)
    with pytest.raises(ConfigError, match="no run of this id or name"):
        found(lab, text)


def test_deleted_run_is_unknown(lab):
    run = lab.run(1)
    lab.tracking.client.delete_run(run)
    with pytest.raises(ConfigError, match="no run of this id or name"):
        found(lab, run)


def test_name_in_the_registry_can_be_left_out_where_only_one_has_decisions(lab):
    with pytest.raises(CxrError, match="no decision is on record"):
        find_model(lab.registry, None)
    lab.registry.make_model("unrelated")
    lab.promote(lab.run(1, checks=(BAD,)))
    assert find_model(lab.registry, None) == "small"
    lab.promote(lab.run(2, registry="other"))
    with pytest.raises(ConfigError, match="other, small"):
        find_model(lab.registry, None)
    assert find_model(lab.registry, "small") == "small"
