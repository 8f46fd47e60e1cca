"""Against a real server; see orthanc_scenario.py for what runs there."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

SCENARIO = Path(__file__).with_name("orthanc_scenario.py")
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
LONGEST_S = 120


def namespace() -> list[str] | None:
    """The command that runs another one in a network of its own, or None where that is not permitted."""
    for command in (["unshare", "-n"], ["unshare", "-r", "-n"]):
        try:
            if subprocess.run([*command, "ip", "link", "set", "lo", "up"], capture_output=True, timeout=20).returncode == 0:
                return command
        except OSError:
            return None
    return None


def play(mode: str, folder: Path) -> dict[str, Any]:
    """What the scenario finds. No process of it outlives this call."""
    if not (shutil.which("Orthanc") or Path("/usr/sbin/Orthanc").exists()) or not PLUGIN.exists():
        pytest.skip("Orthanc is not installed: apt-get install --no-install-recommends orthanc orthanc-dicomweb")
    unshare = namespace()
    if unshare is None:
        pytest.skip("a network namespace is not permitted, and this Orthanc would listen on all addresses")
    command = [*unshare, "sh", "-c", 'ip link set lo up && exec "$@"', "sh", sys.executable, str(SCENARIO), mode, str(folder)]
    environment = {**os.environ, "NO_PROXY": "127.0.0.1"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )
    try:
        shown, errors = process.communicate(timeout=LONGEST_S)
    finally:
        with contextlib.suppress(ProcessLookupError):  # all of them have ended
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert process.returncode == 0, errors[-3000:]
    found: dict[str, Any] = json.loads(shown)
    return found


def running(number: int) -> bool:
    """Whether a process of that id does anything still; one that ended may lie about until its parent asks for it."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_two_hundred_studies_survive_two_restarts_of_the_server_without_a_loss_or_a_double(tmp_path: Path) -> None:
    found = play("restart", tmp_path)
    assert {key: found[key] for key in ("listed", "doubles", "skipped", "equal", "restarts")} == {
        "listed": 203,
        "doubles": 0,
        "skipped": 3,
        "equal": 200,
        "restarts": 2,
    }
    assert found["longest_fetch"] > 2  # one fetch waited until the server was back


def test_an_ingest_from_a_server_that_restarts_half_way_has_each_study_once_and_reads_none_twice(tmp_path: Path) -> None:
    assert play("ingest", tmp_path) == {
        "half_way": True,
        "code": 0,
        "outcomes": {"accepted": 200, "skipped": 3},
        "images": 200,
        "equal": 200,
        "studies": 200,
        "read_again": False,
    }


def test_no_server_outlives_a_scenario_that_dies(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        play("die", tmp_path)
    number = int((tmp_path / "orthanc.pid").read_text())
    deadline = time.monotonic() + 10
    while running(number) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not running(number)
