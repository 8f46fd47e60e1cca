"""Small calibrated model files, and phantom studies to score with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from cxr.calibrate.calibration import Calibration, LabelCalibration
from cxr.calibrate.scaling import Platt, Unchanged
from cxr.calibrate.thresholds import Confusion, OperatingPoint
from cxr.config_evaluate import CalibrateConfig, Combine, OperatingRule, Unit
from cxr.config_model import HeadConfig, ModelConfig, StackedConfig
from cxr.config_sources import PhantomSource
from cxr.evaluate.undefined import Undefined
from cxr.ingest.read import canonical, normalise
from cxr.labels.label_set import Label, LabelSet
from cxr.model.build import build_classifier
from cxr.model.card import ModelCard, Preprocessing
from cxr.model.file import save_model
from cxr.phantom.dicom import build_dicom
from cxr.phantom.encoding import ENCODINGS
from cxr.phantom.plan import plan_cohort
from cxr.phantom.render import render

NAMES = ("Mass", "Lung Opacity (any)", "Hernia")
SIZE = 32
_POINTS = (OperatingRule(rule="youden"), OperatingRule(rule="sensitivity", target=0.9))


def write_model(
    path: Path,
    *,
    names: Sequence[str] = NAMES,
    unit: Unit = "image",
    combine: Combine = "mean",
    network: str = "",
    heads: Sequence[int] = (),
    head: Mapping[str, Any] | None = None,
    model: Mapping[str, Any] | None = None,
    calibrated: bool = True,
    unscaled: str = "",
    normaliser: int = normalise.VERSION,
) -> Path:
    """A model with random weights, its labels calibrated each in a way of its own; the last one has no Youden point, and
    the score of `unscaled` is left as it is.
    """
    torch.manual_seed(0)
    options = {"embed_dim": 64, "num_heads": heads[-1] if heads else 2, "depth": 2, "patch_size": 8}
    config = ModelConfig(
        **{"options": options, **(model or {})},
        head=HeadConfig.model_validate({"hidden": 8, **(head or {})}),
        stacked=StackedConfig(heads=tuple(heads)) if heads else None,
    )
    classifier = build_classifier(config, SIZE, len(names))
    for module in (classifier.head.linear, classifier.head.pool):
        for parameter in module.parameters() if module is not None else ():
            torch.nn.init.normal_(parameter, std=0.5)
    card = ModelCard(
        cxr_version="0",
        labels=LabelSet(name="some", labels=tuple(Label(name=name) for name in names)),
        model=config,
        preprocessing=Preprocessing(size=SIZE, fit="pad", normaliser=normaliser, canonical=canonical.VERSION),
        run_id="train-run",
        data_sha256="d",
        epoch=1,
        calibration=_calibration(names, unit, combine, network, unscaled) if calibrated else None,
    )
    save_model(path, classifier.state_dict(), card)
    return path


def _calibration(names: Sequence[str], unit: Unit, combine: Combine, network: str, unscaled: str) -> Calibration:
    table = Confusion(true_positives=3, false_positives=2, false_negatives=1, true_negatives=4)
    labels = {}
    for place, name in enumerate(names):
        point = OperatingPoint(threshold=0.3, validation=table)
        youden = Undefined("no threshold is better than chance") if place == len(names) - 1 else point
        line = Platt(method="platt", slope=0.5 + 0.25 * place, intercept=-0.2 * place)
        scaling = Unchanged(reason="only 3 patients") if name == unscaled else line
        labels[name] = LabelCalibration(scaling=scaling, points={"youden": youden, "sensitivity 0.9": point})
    return Calibration(
        schema_version=1,
        config=CalibrateConfig(points=_POINTS),
        unit=unit,
        combine=combine,
        network=network,
        images=10,
        patients=9,
        labels=labels,
    )


@cache
def chest(patient: int = 0, **attributes: str) -> bytes:
    """A phantom's radiograph as a DICOM file, with attributes of the header set.

    Args:
        patient: 0 to 9.
        attributes: by keyword.
    """
    source = PhantomSource(kind="phantom", patients=10, images_per_patient=1, matrix=96)
    planned = plan_cohort(source, 5).good[patient]
    drawn = render(planned.anatomy, planned.pose, planned.severities, planned.shape, planned.seed)
    dataset = build_dicom(drawn.picture, planned.examination, ENCODINGS[patient])
    for name, value in attributes.items():
        setattr(dataset, name, value)
    if attributes:  # what the codes say of the view and the body part would contradict them
        dataset.pop("ViewCodeSequence", None)
        dataset.pop("AnatomicRegionSequence", None)
    content = BytesIO()
    dataset.save_as(content, enforce_file_format=True)
    return content.getvalue()
