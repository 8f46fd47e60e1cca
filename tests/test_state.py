"""Whether a stage has to run, by what its folder holds."""

from __future__ import annotations

import pytest

from cxr.record import ATTEMPT, NAME, Attempt, Fingerprint, StageRecord, describe_outputs, environment, write_json
from cxr.state import state_of

NOW = Fingerprint(config={"size": 32}, inputs={"source.root": "a" * 64}, code={"cxr.x": "b" * 64})


def record(folder, fingerprint: Fingerprint = NOW) -> None:
    (folder / "out.csv").write_text("1\n")
    write_json(
        folder / NAME,
        StageRecord(
            stage="ingest", fingerprint=fingerprint, environment=environment(), outputs=describe_outputs(folder), run_id="r",
            parent_run_id="", started="", finished="", counts={}, headline="h", metrics={}, table=[], warnings=[],
        ),
    )  # fmt: skip


def test_empty_folder_is_due(tmp_path):
    state = state_of("ingest", NOW, tmp_path)
    assert (state.state, state.reason, state.record, state.fingerprint) == ("due", "it has not run yet", None, NOW)


def test_folder_with_a_record_of_the_same_fingerprint_is_done(tmp_path):
    record(tmp_path)
    state = state_of("ingest", NOW, tmp_path)
    assert state.state == "done"
    assert state.record is not None


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"config": {"size": 64}}, "size"),
        ({"inputs": {"source.root": "c" * 64}}, "source.root"),
        ({"code": {"cxr.x": "d" * 64}}, "code"),
    ],
)
def test_any_difference_makes_it_due_and_is_named(tmp_path, change, word):
    record(tmp_path)
    state = state_of("ingest", NOW.model_copy(update=change), tmp_path)
    assert (state.state, state.record) == ("due", None)
    assert word in state.reason


def test_damaged_output_makes_it_due(tmp_path):
    record(tmp_path)
    (tmp_path / "out.csv").unlink()
    state = state_of("ingest", NOW, tmp_path)
    assert state.state == "due"
    assert "out.csv" in state.reason


def test_attempt_of_the_same_fingerprint_is_gone_on_with(tmp_path):
    write_json(tmp_path / ATTEMPT, Attempt(digest=NOW.digest, run_id=""))
    state = state_of("ingest", NOW, tmp_path)
    assert (state.state, state.reason) == ("interrupted", "it was begun and not finished; it goes on")


@pytest.mark.parametrize("run_id", ["r", ""])  # tracked, and not
def test_attempt_of_another_fingerprint_is_replaced(tmp_path, run_id):
    other = NOW.model_copy(update={"config": {"size": 64}})
    write_json(tmp_path / ATTEMPT, Attempt(digest=other.digest, run_id=run_id))
    state = state_of("ingest", NOW, tmp_path)
    assert (state.state, state.reason) == ("due", "it was begun otherwise and not finished; what of that still serves is kept")


def test_cleared_folder_has_not_run_yet(tmp_path):
    write_json(tmp_path / ATTEMPT, Attempt(digest="cleared", run_id=""))
    assert state_of("ingest", NOW, tmp_path).reason == "it has not run yet"
