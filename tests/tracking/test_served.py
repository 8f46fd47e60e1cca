"""The model as MLflow keeps it: loaded by a process that has nothing of cxr but what lies beside the model file."""

from __future__ import annotations

import base64
import importlib.metadata
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from cxr.errors import DataError
from cxr.predict.files import FileScorer
from cxr.serve.requirements import requirements
from cxr.tracking.served import write_served
from tests.serve.models import NAMES, chest, write_model

PATIENCE = 90  # seconds until a server must answer
STRANGER = """
import ast, base64, json, sys
from pathlib import Path
import mlflow.pyfunc, pandas as pd
folder, place = sys.argv[1:]
model = mlflow.pyfunc.load_model(folder)
contents = [path.read_bytes() for path in sorted(Path(place).glob("*.dcm"))]
texts = [base64.b64encode(content).decode() for content in contents]
paths = [str(path) for path in sorted(Path(place).glob("*.dcm"))]
mixed = pd.DataFrame({"dicom": [contents[0], None, texts[2], None], "path": [None, paths[1], None, paths[3]]})
requests = {"bytes": pd.DataFrame({"dicom": contents}), "text": pd.DataFrame({"dicom": texts}),
            "path": pd.DataFrame({"path": paths}), "mixed": mixed, "example": model.input_example}
answers = {name: model.predict(request).to_dict(orient="records") for name, request in requests.items()}
import cxr
own = [Path(m.__file__) for n, m in sys.modules.items() if n.partition(".")[0] == "cxr" and getattr(m, "__file__", None)]
tops = set()
for path in own:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            tops |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            tops.add(node.module.partition(".")[0])
found = {"answers": answers, "own": [str(path) for path in own], "tops": sorted(tops - {"cxr", *sys.stdlib_module_names})}
print(json.dumps(found, allow_nan=False))
"""


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "model.safetensors")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, model_file: Path) -> Path:
    folder = tmp_path_factory.mktemp("served") / "model"
    write_served(folder, model_file)
    return folder


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two radiographs to score, one to refuse and a letter."""
    folder = tmp_path_factory.mktemp("studies")
    for number, content in enumerate((chest(0), chest(1, ViewPosition="LL"), chest(2), b"a letter")):
        (folder / f"{number}.dcm").write_bytes(content)
    return folder


def elsewhere() -> dict[str, str]:
    """The environment of a process that does not know of this checkout."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MLFLOW_TRACKING_URI")}
    return kept | {"OMP_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}


@pytest.fixture(scope="module")
def stranger(served: Path, studies: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What a process of its own, in another folder, makes of the studies."""
    command = [sys.executable, "-P", "-c", STRANGER, str(served), str(studies)]
    place = tmp_path_factory.mktemp("elsewhere")
    run = subprocess.run(command, cwd=place, env=elsewhere(), capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(run.stdout.splitlines()[-1])


def test_a_process_without_the_checkout_runs_the_code_beside_the_model(stranger: dict, served: Path) -> None:
    assert stranger["own"]
    assert all(path.startswith(str(served / "code" / "cxr")) for path in stranger["own"])


def test_its_numbers_are_the_scorers_whatever_way_the_files_come(stranger: dict, model_file: Path, studies: Path) -> None:
    table = FileScorer(model_file, torch.device("cpu")).score(sorted(studies.glob("*.dcm")))
    for way in ("bytes", "text", "path", "mixed"):
        answer = pd.DataFrame(stranger["answers"][way])
        assert answer.columns.tolist() == table.columns.tolist()
        np.testing.assert_allclose(answer[list(NAMES)].to_numpy(float), table[list(NAMES)].to_numpy(float), atol=1e-6)
        assert answer["codes"].tolist() == ["", "lateral", "inverted", "unreadable"]
        assert answer["reason"].tolist() == table["reason"].tolist()
        decided = table[[f"yes/{name}" for name in NAMES]].astype(object).where(lambda cells: cells.notna(), None)
        assert answer[[f"yes/{name}" for name in NAMES]].to_numpy().tolist() == decided.to_numpy().tolist()


def test_its_input_example_is_taken(stranger: dict) -> None:
    (row,) = stranger["answers"]["example"]
    assert row["outcome"] == "accepted"
    assert 0 < row["Mass"] < 1


def test_everything_that_scoring_imports_is_required(stranger: dict) -> None:
    def plain(name: str) -> str:
        return re.sub(r"[-_.]+", "-", name).lower()

    owners = importlib.metadata.packages_distributions()
    required = {plain(re.split(r"[^\w.-]", line, maxsplit=1)[0]) for line in requirements()}
    assert not [top for top in stranger["tops"] if not {plain(name) for name in owners[top]} & required]


def test_the_folder_tells_what_the_model_is_and_nothing_of_this_machine(served: Path, model_file: Path) -> None:
    description = yaml.safe_load((served / "MLmodel").read_text())
    assert description["metadata"]["labels"] == list(NAMES)
    assert description["metadata"]["train_run"] == "train-run"
    assert (description["metadata"]["operating_point"], description["metadata"]["calibrated_on"]) == ("youden", "image")
    assert [column["name"] for column in json.loads(description["signature"]["inputs"])] == ["dicom", "path"]
    assert (served / "artifacts" / "model.safetensors").read_bytes() == model_file.read_bytes()
    texts = "".join(path.read_text() for path in served.iterdir() if path.is_file())
    assert str(Path.home()) not in texts
    for place in (model_file.parent, served, Path(__file__).parents[2]):
        assert str(place) not in texts
    assert "cloudpickle" not in (served / "requirements.txt").read_text()
    assert not [path for path in served.rglob("*") if path.suffix in (".pkl", ".pyc")]


@pytest.mark.parametrize(
    ("options", "problem"), [({"calibrated": False}, "no calibration"), ({"network": "cascade of"}, "cascade")]
)
def test_a_model_that_cannot_score_files_is_not_written(tmp_path: Path, options: dict, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        write_served(tmp_path / "served", write_model(tmp_path / "model.safetensors", **options))
    assert not (tmp_path / "served").exists()


@pytest.fixture
def server(served: Path, tmp_path: Path) -> Iterator[str]:
    """The address of `mlflow models serve` with the model."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-P", "-m", "mlflow", "models", "serve", "--model-uri", str(served), "--env-manager", "local"]
    environment = elsewhere() | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"],
            cwd=tmp_path, env=environment, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        address = f"http://127.0.0.1:{port}"
        if not answers(f"{address}/ping", process):
            pytest.skip(f"mlflow models serve does not answer here: {(tmp_path / 'log').read_text()[-400:]}")
        yield address
    finally:
        os.killpg(process.pid, 15)
        process.wait()


def answers(address: str, process: subprocess.Popen[bytes]) -> bool:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            return bool(urllib.request.urlopen(address, timeout=5).status == 200)
        except OSError:
            time.sleep(0.25)
    return False


def test_a_served_model_answers_a_request(server: str, model_file: Path, studies: Path) -> None:
    paths = sorted(studies.glob("*.dcm"))
    rows = [{"dicom": base64.b64encode(path.read_bytes()).decode()} for path in paths[:2]] + [{"path": str(paths[2])}]
    body = json.dumps({"dataframe_records": rows}).encode()
    request = urllib.request.Request(f"{server}/invocations", body, {"Content-Type": "application/json"})
    answer = pd.DataFrame(json.loads(urllib.request.urlopen(request, timeout=60).read())["predictions"])
    table = FileScorer(model_file, torch.device("cpu")).score(paths[:3])
    np.testing.assert_allclose(answer[list(NAMES)].to_numpy(float), table[list(NAMES)].to_numpy(float), atol=1e-6)
    assert answer["codes"].tolist() == ["", "lateral", "inverted"]
