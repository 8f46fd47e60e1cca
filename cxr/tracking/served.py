"""The calibrated model as an MLflow model that anybody can load or serve: its file and the code for it, nothing pickled."""

from __future__ import annotations

import base64
import os
import warnings
from pathlib import Path
from typing import Any

import pandas as pd

import cxr
from cxr.labels.shipped import SHIPPED
from cxr.model.card import ModelCard, read_card
from cxr.predict.files import ABOUT, answer_columns, calibration_of, network_of
from cxr.serve.example import example_dicom
from cxr.serve.request import COLUMNS
from cxr.serve.requirements import requirements
from cxr.tracking.talking import talking

_PACKAGE = Path(cxr.__file__).parent
_CODE = Path(__file__).with_name("served_code.py")


def write_served(folder: Path, model_file: Path) -> None:
    """Write a calibrated model as MLflow keeps models; the file itself becomes `artifacts/model.safetensors` in the folder.

    Args:
        folder: where to; not existing yet.
        model_file: see `cxr.predict.files.FileScorer`.

    Raises:
        DataError: the file is none of a model that can score files by itself.
        CxrError: MLflow refuses it, or the package is not installed.
    """
    card = read_card(model_file)
    network_of(calibration_of(card, model_file))
    needed = requirements()
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # it would draw over ours
    import mlflow.pyfunc

    with talking(str(folder)), warnings.catch_warnings(action="ignore"):  # of how MLflow uses pandas
        mlflow.pyfunc.save_model(
            folder,
            python_model=str(_CODE),
            artifacts={"model": str(model_file)},
            code_paths=[str(path) for path in _code_paths()],
            pip_requirements=needed,
            signature=_signature(card),
            input_example=pd.DataFrame({"dicom": [base64.b64encode(example_dicom()).decode()]}),
            metadata=_metadata(card),
        )
        _forget_this_machine(folder)


def _code_paths() -> tuple[Path, ...]:
    """The package; and the shipped label sets, where they lie beside it and not inside."""
    return (_PACKAGE,) if _PACKAGE in SHIPPED.parents else (_PACKAGE, SHIPPED)


def _forget_this_machine(folder: Path) -> None:
    """Leave of the paths that MLflow has noted their last part: nothing is read from where they led."""
    from mlflow.models import Model

    model = Model.load(folder)
    flavour = model.flavors["python_function"]
    flavour["model_code_path"] = _CODE.name
    for noted in flavour["artifacts"].values():
        noted["uri"] = Path(noted["path"]).name
    model.save(str(folder / "MLmodel"))


def _signature(card: ModelCard) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    names = card.labels.names
    types = (*[DataType.string] * len(ABOUT), *[DataType.double] * len(names), *[DataType.boolean] * len(names))
    # text, so that a cell that is no base64 costs its row, and not the request
    asked: list[Any] = [ColSpec(DataType.string, name, required=False) for name in COLUMNS]
    columns = zip(types, answer_columns(names), strict=True)
    answered: list[Any] = [ColSpec(kind, name, required=name in ABOUT) for kind, name in columns]
    return ModelSignature(Schema(asked), Schema(answered))


def _metadata(card: ModelCard) -> dict[str, Any]:
    calibration = card.calibration
    assert calibration is not None  # `write_served` has looked
    return {
        "labels": list(card.labels.names),
        "train_run": card.run_id,
        "operating_point": calibration.config.points[0].name,
        "calibrated_on": calibration.unit,
        "network": calibration.network,
        "cxr_version": card.cxr_version,
    }
