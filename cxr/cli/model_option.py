"""The model file that the words behind `--model` mean: a file, a pipeline's folder, a run in MLflow, a name in its registry."""

from __future__ import annotations

from pathlib import Path

from cxr.errors import ConfigError

MEANINGS = "a file, a pipeline's folder, a run's id, or models:/NAME@ALIAS"
"""What the words may be, for the help of an option."""
_FILES = (".safetensors", ".onnx", ".pt2")
_RUNS = Path("runs")


def find_model(text: str, workspace: Path | None) -> Path:
    """The model file that a text means; of a file nothing is asked that takes time to import.

    Args:
        text: see `MEANINGS`.
        workspace: whose MLflow store knows the run or the name; None for `runs`.

    Raises:
        ConfigError: nothing is meant by it, or there is no model.
        CxrError: MLflow does not know it.
    """
    path = Path(text)
    if path.is_file():
        return path
    if path.suffix in _FILES:
        raise ConfigError(f"--model: {text}: no such file")
    from cxr.retrain.find import find_older

    try:
        return find_older(text, (workspace or _RUNS).resolve()).model
    except ConfigError as error:
        raise ConfigError(f"--model: {error}") from error
