"""The notebooks run from top to bottom on finished runs, and are committed without outputs."""

from __future__ import annotations

import os
import re
from contextlib import chdir
from pathlib import Path

import matplotlib as mpl
import nbformat
import pytest
import yaml
from matplotlib import pyplot as plt
from nbclient import NotebookClient

FOLDER = Path(__file__).parent.parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
READ, COMPARE = "01_read_a_run.ipynb", "02_compare_runs.ipynb"


@pytest.fixture
def finished(small_pipeline, command, monkeypatch) -> Path:
    """A pipeline that has run once."""
    assert command("run", small_pipeline).code == 0
    monkeypatch.setenv("CXR_PIPELINE", str(small_pipeline))
    return small_pipeline


def executed(name: str, folder: Path) -> tuple[int, str]:
    """How many pictures a notebook shows, and what it prints, run by a kernel as a person runs it."""
    notebook = nbformat.read(FOLDER / name, as_version=4)
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute(cwd=folder)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = sum("image/png" in output.get("data", {}) for output in outputs)
    return pictures, "".join(output["text"] for output in outputs if output.get("name") == "stdout")


def told(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What a notebook prints, its cells run in this process, which is quicker."""
    mpl.use("agg")
    namespace: dict[str, object] = {}
    with chdir(folder):
        for cell in nbformat.read(FOLDER / name, as_version=4).cells:
            if cell.cell_type == "code":
                exec(cell.source, namespace)
    plt.close("all")
    return capsys.readouterr().out


def test_runs_are_read_to_the_maps_of_their_worst_mistakes_and_compared_on_the_same_patients(finished, command, capsys):
    pictures, text = executed(READ, finished.parent)
    assert pictures == 4
    assert "its own branch has a weight of 0." in text
    assert "There is one run. For a second one" in told(COMPARE, finished.parent, capsys)
    assert command("run", finished, "train.epochs=2").code == 0
    pictures, text = executed(COMPARE, finished.parent)
    assert pictures == 2
    assert re.search(r"A is .* small, B is .* small", text)
    for label in ("Mass", "Effusion"):
        assert f"{label}: " in text


def test_a_head_without_maps_and_pipelines_of_different_splits_are_told_in_words(finished, command, capsys, monkeypatch):
    definition = yaml.safe_load(finished.read_text()) | {"name": "other", "seed": 4}
    del definition["source"]["official"]
    definition["model"]["head"]["kind"] = "aggregated"
    other = finished.with_name("other.yaml")
    other.write_text(yaml.safe_dump(definition))
    assert command("run", other).code == 0
    monkeypatch.setenv("CXR_PIPELINE", str(other))
    assert "no disease maps: the head is aggregated" in told(READ, finished.parent, capsys)
    monkeypatch.setenv("CXR_PIPELINE", os.pathsep.join(map(str, (finished, other))))
    assert "These two cannot be compared: the tables were made with different splits" in told(COMPARE, finished.parent, capsys)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_committed_without_outputs(path):
    for cell in nbformat.read(path, as_version=4).cells:
        assert not cell.get("outputs")
        assert not cell.get("execution_count")


def test_the_notebook_that_shows_images_warns_of_patients():
    assert "clear the outputs" in nbformat.read(FOLDER / READ, as_version=4).cells[0].source
