from __future__ import annotations

import json
from pathlib import Path

from cxr.model.card import read_card, weights_digest
from tests.serve.models import NAMES, SIZE

MANDATORY = {
    *("version", "monai_version", "pytorch_version", "numpy_version", "required_packages_version"),
    *("task", "description", "authors", "copyright", "network_data_format"),
}
OF_A_TENSOR = {
    *("type", "format", "modality", "num_channels", "spatial_shape"),
    *("dtype", "value_range", "is_patch_data", "channel_def"),
}
"""Keys that MONAI's bundle specification asks for."""


def test_metadata_has_every_key_of_the_specification(bundled: Path) -> None:
    found = json.loads((bundled / "configs" / "metadata.json").read_text())
    assert set(found) >= MANDATORY
    assert set(found["network_data_format"]["inputs"]["image"]) == OF_A_TENSOR
    assert set(found["network_data_format"]["outputs"]["pred"]) == OF_A_TENSOR
    assert "+" not in found["pytorch_version"]
    assert set(found["required_packages_version"]) == {"cxr", "fire"}


def test_metadata_tells_the_network_its_labels_and_how_it_was_calibrated(bundled: Path, model: Path) -> None:
    found = json.loads((bundled / "configs" / "metadata.json").read_text())
    card = read_card(model)
    assert found["network_data_format"]["outputs"]["pred"]["channel_def"] == dict(zip("012", NAMES, strict=True))
    assert found["network_data_format"]["inputs"]["image"]["spatial_shape"] == [SIZE, SIZE]
    assert found["preprocessing"] == card.preprocessing.model_dump()
    assert found["run_id"] == "train-run"
    assert found["weights_sha256"] == weights_digest(model)
    assert found["calibration"]["thresholds"] == {NAMES[0]: 0.3, NAMES[1]: 0.3, NAMES[2]: None}
    assert found["calibration"]["labels"][NAMES[1]]["scaling"] == {"method": "platt", "slope": 0.75, "intercept": -0.2}
    assert found["check"]["images"] == 16


def test_deploy_is_not_led_to_name_the_first_finding_for_every_number(bundled: Path) -> None:
    found = json.loads((bundled / "configs" / "metadata.json").read_text())
    assert found["network_data_format"]["outputs"]["pred"]["type"] != "probabilities"
