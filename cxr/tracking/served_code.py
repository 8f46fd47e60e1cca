"""The code of a served model: MLflow copies this file beside the model file, and runs it to load the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow.models
import pandas as pd
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from cxr.device import choose_device
from cxr.predict.files import FileScorer
from cxr.serve.request import as_answer, files_of


class ServedModel(PythonModel):
    """A calibrated model file as MLflow serves it."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the model file."""
        self._scorer = FileScorer(Path(context.artifacts["model"]), choose_device("auto"))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Score the files of a request; see `cxr.serve.request` and `cxr.predict.files`."""
        return as_answer(self._scorer.score(files_of(model_input)))


mlflow.models.set_model(ServedModel())
