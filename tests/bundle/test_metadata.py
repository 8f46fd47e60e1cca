from __future__ import annotations

import json
from pathlib import Path

from cxr.bundle.words import readme
from cxr.export.network import choose
from cxr.export.record import Check
from cxr.model.card import read_card, weights_digest
from tests.serve.models import NAMES, SIZE, write_model

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


def test_the_readme_tells_a_label_whose_scores_are_left_as_they_are(tmp_path: Path) -> None:
    chosen = choose(write_model(tmp_path / "m.safetensors", unscaled="Mass"), None)
    check = Check(images=1, of="images", batches=(1,), score=0.0, probability=0.0, map=None, points={}, auroc={})
    lines = readme(chosen.card, check).splitlines()
    assert "| 0 | Mass (score, not calibrated: only 3 patients) | 0.3000 |" in lines
    assert "| 2 | Hernia | no threshold |" in lines


def test_deploy_is_not_led_to_name_the_first_finding_for_every_number(bundled: Path) -> None:
    found = json.loads((bundled / "configs" / "metadata.json").read_text())
    assert found["network_data_format"]["outputs"]["pred"]["type"] != "probabilities"
