from __future__ import annotations

from pathlib import Path

import pytest

from cxr.bundle.inference import inference_config, thresholds
from cxr.errors import DataError
from cxr.export.network import Chosen
from cxr.labels.label_set import Label, LabelSet
from cxr.monai_gate import monai
from tests.serve.models import NAMES


def test_the_bundle_has_all_that_monai_asks_of_an_inference_bundle(bundled: Path) -> None:
    from monai.bundle import ConfigWorkflow

    (bundled.parent / "some").mkdir(exist_ok=True)
    (bundled.parent / "some" / "a.dcm").touch()
    workflow = ConfigWorkflow(
        str(bundled / "configs" / "inference.json"),
        workflow_type="infer",
        bundle_root=str(bundled),
        dataset_dir=str(bundled.parent / "some"),
        device="cpu",
    )
    workflow.initialize()
    assert workflow.check_properties() == []
    assert workflow.spatial_shape == [32, 32]
    assert list(workflow.channel_def.values()) == list(NAMES)


def test_thresholds_are_those_of_the_first_operating_point_in_the_order_of_the_labels(chosen: Chosen) -> None:
    found = thresholds(chosen.card.calibration, NAMES)
    assert list(found.items()) == [(NAMES[0], 0.3), (NAMES[1], 0.3), (NAMES[2], None)]


def test_transforms_and_inferer_refer_to_nothing_outside_their_file(chosen: Chosen) -> None:
    config = inference_config(chosen.card)
    alone = {name: config[name] for name in ("preprocessing", "postprocessing", "inferer")}
    assert "@" not in str(alone)
    parser = monai.bundle.ConfigParser(alone)
    assert [type(parser.get_parsed_content(name)).__name__ for name in alone] == ["Compose", "Compose", "SimpleInferer"]


def test_a_network_without_calibration_says_neither_yes_nor_no(chosen: Chosen) -> None:
    config = inference_config(chosen.card.model_copy(update={"calibration": None}))
    assert "DecideFindingsd" not in str(config)
    assert config["evaluator"]["calibrated"] is False


@pytest.mark.parametrize("name", ["$__import__('os').getcwd()", "@device", "%other.json"])
def test_a_label_that_monai_would_evaluate_is_refused(chosen: Chosen, name: str) -> None:
    plain = Label(name="Mass")
    for labels in (LabelSet(name="some", labels=(plain, Label(name=name))), LabelSet(name=name, labels=(plain,))):
        with pytest.raises(DataError, match="which MONAI evaluates as an expression"):
            inference_config(chosen.card.model_copy(update={"labels": labels}))
