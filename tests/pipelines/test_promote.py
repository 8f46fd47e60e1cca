"""`cxr promote` as users run it: what it prints, how it ends, and two of them at the same time."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cxr.decide.decision import Part
from cxr.record import PIPELINE_RUN, PipelineRun, write_json
from cxr.tracking.store import Tracking
from tests.promote.proposals import BAD, Lab, weights_of

WHY = ("--why", "fewer misses on the ward")


@pytest.fixture
def lab(workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.chdir(tmp_path)  # its folder runs is the workspace
    monkeypatch.setenv("LOGNAME", "anna")
    (tmp_path / "lab").mkdir()
    return Lab(Tracking(workspace, "small"), tmp_path / "lab")


def test_promoted_run_is_told_with_its_version_and_the_record(lab, command):
    outcome = command("promote", lab.run(1)[:8], *WHY)
    assert (outcome.code, outcome.err) == (0, "")
    assert "small: version 1 is the champion now; the first one" in outcome.out
    assert "decision 1" in outcome.out
    again = command("promote", "small 21 Nov 10:26", *WHY)
    assert again.code == 0
    assert "version 1 is the champion already" in again.out


@pytest.mark.parametrize("part", Part.__args__)
def test_each_part_of_the_rule_can_refuse_and_says_so_in_a_line(lab, command, part):
    failed = BAD.model_copy(update={"part": part, "sentence": f"Mass: the {part} are not good enough"})
    outcome = command("promote", lab.run(1, checks=(failed, BAD)), *WHY)
    assert outcome.code == 1
    lines = outcome.out.splitlines()
    assert lines[0] == "small: refused as champion; there is none yet"
    assert lines[1:3] == [f"  * {failed.sentence}", f"  * {BAD.sentence}"]
    assert lab.champion() is None


def test_second_model_is_judged_against_the_new_champion_and_a_rollback_restores(lab, command):
    first, second, rival = lab.run(1), lab.run(2, weights_of(1, lab.folder)), lab.run(3, weights_of(1, lab.folder))
    assert command("promote", first, *WHY).code == 0
    assert "before it was version 1" in command("promote", second, *WHY).out
    refused = command("promote", rival, *WHY)
    assert refused.code == 1
    assert "version 2 stays" in refused.out
    assert f"run {second}" in refused.out
    restored = command("promote", "--rollback", "--why", "complaints")
    assert restored.code == 0
    assert "version 1 is the champion now; before it was version 2" in restored.out
    assert command("promote", rival, *WHY).code == 0, "it was compared with the one that is in use again"


def test_history_shows_every_decision_the_last_one_first(lab, command):
    command("promote", lab.run(1), *WHY)
    command("promote", lab.run(2, weights_of(1, lab.folder), checks=(BAD,)), "--why", "a [try]")
    for name in ((), ("small",)):
        outcome = command("promote", "--history", *name)
        assert outcome.code == 0
        assert outcome.out.index("refused") < outcome.out.index("promoted")
        for part in ("anna", "fewer misses on the ward", "a [try]", "0.120"):
            assert part in outcome.out


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("promote",), "TARGET"),
        (("promote", "12345678", *WHY), "no run of this id or name"),
        (("promote", "--history"), "no decision is on record"),
        (("promote", "--rollback", *WHY), "no decision is on record"),
        (("promote", "--rollback", "small", *WHY), "no decision is on record"),
        (("promote", "--rollback", "--history"), "choose one"),
        (("promote", "--history", *WHY), "decides nothing"),
        (("promote", "12345678", "x=1", *WHY), "only a pipeline has keys"),
        (("promote", "12345678", "--alias", "v1", *WHY), "--alias"),
        (("promote", "12345678", "--alias", "über", *WHY), "--alias"),
        (("promote", "12345678", "--workspace", "nowhere", *WHY), "no runs are kept here"),
        (("promote", "small.yaml", "--workspace", "runs", *WHY), "--workspace is for"),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_code_2(lab, command, arguments, part):
    del lab
    if arguments == ("promote",):
        arguments = (*arguments, *WHY)
    outcome = command(*arguments)
    assert outcome.code == 2
    assert part in outcome.err
    assert len(outcome.err.splitlines()) == 1


@pytest.mark.parametrize("why", [(), ("--why", ""), ("--why", "  ")])
def test_nothing_is_decided_without_a_reason(lab, command, why):
    run = lab.run(1)
    outcome = command("promote", run, *why)
    assert outcome.code == 2
    assert "--why TEXT: missing" in outcome.err
    assert lab.registry.models() == ()


def finished(lab: Lab, run: str, complete: bool = True) -> None:
    """The pipeline's folder as after its last stage."""
    folder = lab.folder.parent / "runs" / "small"
    folder.mkdir(exist_ok=True)
    write_json(folder / PIPELINE_RUN, PipelineRun(digest="", run_id=run, complete=complete))


def test_pipeline_means_its_last_run(small_pipeline, lab, command):
    lab.run(1)
    finished(lab, lab.run(2))
    assert command("promote", small_pipeline, *WHY).code == 0
    assert lab.registry.version("small", 1).tags["cxr.weights_sha256"] == weights_of(2, lab.folder)
    assert "fewer misses" in command("promote", "--history", small_pipeline).out


def test_pipeline_whose_stages_have_not_all_run_is_refused(small_pipeline, lab, command):
    assert "have not all run" in command("promote", small_pipeline, *WHY).err
    finished(lab, lab.run(1), complete=False)
    assert "have not all run" in command("promote", small_pipeline, *WHY).err


def test_rule_that_was_changed_since_the_run_is_refused(small_pipeline, lab, command):
    finished(lab, lab.run(1))
    content = yaml.safe_load(small_pipeline.read_text())
    small_pipeline.write_text(yaml.safe_dump({**content, "promote": {"margin": 0.2}}))
    outcome = command("promote", small_pipeline, *WHY)
    assert outcome.code == 2
    assert "its rule, `promote`, has changed" in outcome.err
    assert command("promote", small_pipeline, "promote.margin=0.05", *WHY).code == 0


def started(lab: Lab, run: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "cxr", "promote", run, *WHY, "--workspace", str(lab.folder.parent / "runs")]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path.cwd())


def test_two_processes_that_promote_at_once_end_in_one_recorded_state(lab, command):
    runs = [lab.run(seed) for seed in (1, 2)]
    processes = [started(lab, run) for run in runs]
    told = [process.communicate(timeout=120) for process in processes]
    assert sorted(process.returncode for process in processes) == [0, 1], told
    assert len(lab.registry.versions("small")) == lab.champion() == 1
    shown = command("promote", "--history").out
    assert shown.index("refused") < shown.index("promoted")


@pytest.fixture
def server(tmp_path: Path, migrated_store: Path) -> Iterator[str]:
    """A tracking server of its own, with artefacts behind it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path / "server"
    folder.mkdir()
    (folder / "mlflow.db").write_bytes(migrated_store.read_bytes())
    store = ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}", "--artifacts-destination", str(folder / "kept")]
    place = ["--serve-artifacts", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [sys.executable, "-m", "mlflow", "server", *store, *place]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        if not _answers(f"http://127.0.0.1:{port}/health", 90):
            pytest.skip(f"no tracking server came up: {(folder / 'log').read_text()[-300:]}")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, 15)
        process.wait(20)


def _answers(address: str, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(address, timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    return False


def test_all_of_it_works_on_a_remote_tracking_server(lab, server, command, monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    remote = Lab(Tracking(tmp_path / "elsewhere", "small"), lab.folder)
    first, second = remote.run(1), remote.run(2, weights_of(1, lab.folder))
    assert command("promote", first, *WHY).code == 0
    assert command("promote", second[:9], *WHY).code == 0
    assert command("promote", first, *WHY).code == 1
    assert command("promote", "--rollback", *WHY).code == 0
    assert remote.champion() == 1
    assert command("promote", "--history").out.count("fewer misses on the ward") == 4
    assert lab.registry.models() == (), "nothing in the workspace's own store"
    model_id = remote.registry.version("small", 1).tags["cxr.model_id"]
    (file,) = remote.runs.fetch_model(remote.runs.logged(model_id), ".safetensors", tmp_path / "served")
    assert file.is_file()


def test_pipeline_that_was_run_is_promoted_and_a_run_that_decides_anew_is_the_same_model(small_pipeline, lab, command):
    loose = ("train.epochs=1", "promote.calibration_error=1", "promote.gap=1")
    assert command("run", small_pipeline, *loose).code == 0
    assert "version 1 is the champion now" in command("promote", small_pipeline, *loose, *WHY).out
    version = lab.registry.version("small", 1)
    for part in ("manifest-test", "images", "mean AUROC", "two, 2 labels", "no older model", "fewer misses"):
        assert part in version.description
    looser = (*loose, "promote.margin=0.2")
    assert command("run", small_pipeline, *looser).code == 0
    assert "version 1 is the champion already" in command("promote", small_pipeline, *looser, *WHY).out
