from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from cxr.bundle.network import BundleNetwork
from cxr.bundle.torchscript import ScriptEngine, script_of, write_script
from cxr.export.network import Chosen
from tests.serve.models import NAMES, SIZE

_ALONE = """
import json, sys, torch
network = torch.jit.load(sys.argv[1])
found = network(torch.zeros(3, 1, int(sys.argv[2]), int(sys.argv[2])))
print(json.dumps([list(found.shape), "cxr" in sys.modules, "timm" in sys.modules]))
"""


@pytest.fixture(scope="module")
def script(chosen: Chosen) -> torch.jit.ScriptModule:
    return script_of(BundleNetwork(chosen))


@pytest.mark.parametrize("count", [1, 2, 7])
def test_a_file_gives_the_models_scores_for_any_number_of_images(script, chosen: Chosen, tmp_path: Path, count: int) -> None:
    write_script(script, tmp_path / "model.ts", {})
    engine = ScriptEngine(tmp_path / "model.ts")
    images = np.random.default_rng(count).integers(0, 256, (count, SIZE, SIZE), dtype=np.uint8)
    expected = chosen.reference.probabilities(images)
    assert engine.run(images)[0] == pytest.approx(expected, abs=1e-6)
    assert engine.probabilities(images) == pytest.approx(chosen.card.calibration.apply(expected, NAMES), abs=1e-6)


def test_a_file_says_nothing_of_where_it_was_written_and_has_the_same_bytes_elsewhere(script, tmp_path: Path) -> None:
    places = [tmp_path / name / "model.ts" for name in ("a", "b")]
    for place in places:
        place.parent.mkdir()
        write_script(script, place, {"metadata.json": "{}"})
    with zipfile.ZipFile(places[0]) as archive:
        content = b"".join(archive.read(name) for name in archive.namelist())
        assert archive.read("model/extra/metadata.json") == b"{}"  # where MONAI looks
        assert not any("debug" in name for name in archive.namelist())
    for word in (str(tmp_path), "site-packages", "network.py", "classifier.py", str(Path.home())):
        assert word.encode() not in content, word
    assert places[0].read_bytes() == places[1].read_bytes()
    assert [path.name for path in places[0].parent.iterdir()] == ["model.ts"]


def test_the_network_runs_where_neither_cxr_nor_timm_is_known(bundled: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-c", _ALONE, str(bundled / "models" / "model.ts"), str(SIZE)]
    told = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert json.loads(told.stdout) == [[3, len(NAMES)], False, False]
