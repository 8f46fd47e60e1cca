from __future__ import annotations

import copy
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import cxr.bundle.bundle
import cxr.extra
from cxr.bundle.bundle import bundle
from cxr.bundle.torchscript import ScriptEngine
from cxr.errors import CxrError, DataError
from cxr.export.record import Tolerance
from cxr.model.card import weights_digest
from cxr.monai_gate import monai
from cxr.predict.predictor import Predictor
from tests.bundle.conftest import quiet
from tests.serve.models import NAMES, SIZE, write_model

FILES = {
    *("LICENSE", "docs/README.md", "models/model.ts", "models/model.pt"),
    *("configs/metadata.json", "configs/inference.json", "configs/logging.conf"),
}


def files_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_bundle_has_monais_layout_and_nothing_else_appears(bundled: Path) -> None:
    assert files_of(bundled) == FILES
    assert not any(path.name.startswith(".") for path in bundled.parent.iterdir())


def test_no_file_tells_a_path_of_the_machine(bundled: Path, model: Path) -> None:
    for path in bundled.rglob("*.*"):
        content = path.read_bytes()
        for word in (str(model.parent), str(bundled.parent), "site-packages"):
            assert word.encode() not in content, (path.name, word)


def test_the_same_model_gives_the_same_texts_and_weights(model: Path, bundled: Path, tmp_path: Path) -> None:
    bundle(model, tmp_path / "again", None, None, quiet)
    for name in FILES - {"models/model.ts"}:  # torch numbers the classes of a process through
        assert (tmp_path / "again" / name).read_bytes() == (bundled / name).read_bytes(), name


def test_the_state_fits_the_network_as_monai_label_joins_them(bundled: Path) -> None:
    parser = monai.bundle.ConfigParser()
    parser.read_config(str(bundled / "configs" / "inference.json"))
    parser.config.update({"bundle_root": str(bundled), "device": "cpu"})
    network = copy.deepcopy(parser.get_parsed_content("network_def"))
    network.load_state_dict(torch.load(bundled / "models" / "model.pt"), strict=True)
    images = torch.randint(0, 256, (2, 1, SIZE, SIZE)).float()
    assert torch.equal(network(images), torch.jit.load(bundled / "models" / "model.ts")(images))


def test_monai_finds_the_configuration_inside_the_torchscript_file(bundled: Path) -> None:
    from monai.bundle import load_bundle_config

    parser = load_bundle_config(str(bundled / "models" / "model.ts"), "inference.json")
    assert parser["_meta_"]["run_id"] == "train-run"
    assert parser["labels"] == list(NAMES)


def test_monai_verifies_shape_and_type_of_input_and_output(bundled: Path) -> None:
    from monai.bundle import verify_net_in_out

    verify_net_in_out(
        "network_def",
        meta_file=str(bundled / "configs" / "metadata.json"),
        config_file=str(bundled / "configs" / "inference.json"),
        device="cpu",
        bundle_root=str(bundled),
    )


def test_of_a_stacked_model_the_wanted_network_is_bundled(tmp_path: Path) -> None:
    model = write_model(tmp_path / "m.safetensors", heads=(1, 2, 4), network="2 of 4 attention heads")
    images = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE), dtype=np.uint8)
    for heads, calibrated in ((None, True), (1, False)):
        out = tmp_path / f"bundle{heads}"
        made = bundle(model, out, heads, None, quiet)
        expected = Predictor(model, torch.device("cpu"), heads or 2).probabilities(images)
        engine = ScriptEngine(out / "models" / "model.ts")
        assert engine.run(images)[0] == pytest.approx(expected, abs=1e-6)
        assert made.heads == (heads or 2)
        assert (made.card.calibration is not None) == calibrated
        assert np.array_equal(engine.probabilities(images), engine.run(images)[0]) != calibrated


def test_an_older_bundle_is_replaced_and_any_other_folder_is_left_alone(model: Path, bundled: Path, tmp_path: Path) -> None:
    other = write_model(tmp_path / "other.safetensors", names=("Edema",))
    out = tmp_path / "out"
    out.mkdir()
    bundle(other, out, None, None, quiet)
    bundle(model, out, None, None, quiet)
    assert files_of(out) == FILES
    assert weights_digest(model) in (out / "configs" / "metadata.json").read_text()
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "scan.dcm").touch()
    for place in (tmp_path / "precious", other):
        with pytest.raises(CxrError, match="no bundle that could be replaced"):
            bundle(model, place, None, None, quiet)
    assert {path.name for path in tmp_path.iterdir()} == {"other.safetensors", "out", "precious"}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("data/a/scan.dcm", "data"),
        ("eval/answer.csv", "eval"),
        ("docs/mine.md", "docs/mine.md"),
        ("LICENSE", "another LICENSE"),
    ],
)
def test_a_bundle_that_has_something_of_its_users_in_it_is_left_alone(
    model: Path, bundled: Path, tmp_path: Path, name: str, told: str
) -> None:
    out = tmp_path / "out"
    shutil.copytree(bundled, out)
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    (out / name).write_text("mine", encoding="utf-8")
    with pytest.raises(CxrError, match=f"is a bundle with {told} in it"):
        bundle(model, out, None, None, quiet)
    assert (out / name).read_text(encoding="utf-8") == "mine"
    assert files_of(out) == FILES | {name}


def test_what_is_put_into_the_place_meanwhile_is_left_alone(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def meet(done: int, total: int, text: str = "") -> None:
        out.mkdir(exist_ok=True)
        (out / "scan.dcm").touch()

    with pytest.raises(CxrError, match="no bundle that could be replaced"):
        bundle(model, out, None, None, meet)
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "scan.dcm"]


def test_a_place_that_cannot_be_written_to_is_told(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    with pytest.raises(CxrError, match="out: cannot be written: Permission denied"):
        bundle(model, tmp_path / "out", None, None, quiet)


def test_a_bundle_that_is_too_far_from_its_model_does_not_appear(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ScriptEngine.probabilities
    monkeypatch.setattr(ScriptEngine, "probabilities", lambda self, images: real(self, images) + 2e-4)
    with pytest.raises(CxrError, match=r"not written: on 16 phantom images a value changed by 0\.0002"):
        bundle(model, tmp_path / "out", None, None, quiet)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(cxr.bundle.bundle, "DEFAULTS", {"float32": Tolerance(probability=1e-3, auroc=1e-3)})
    assert bundle(model, tmp_path / "out", None, None, quiet).check.probability == pytest.approx(2e-4, rel=0.01)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"unit": "study"}, "calibrated for studies, and"),
        ({"unit": "patient"}, "calibrated for patients, and"),
        ({"calibrated": False}, "has no calibration"),
        ({"names": ("Mass", "reason")}, "rename the label"),
        ({"names": ("Mass", "$1")}, "which MONAI evaluates"),
    ],
)
def test_a_model_that_a_bundle_cannot_stand_for_is_refused(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    model = write_model(tmp_path / "m.safetensors", **changes)
    with pytest.raises(DataError, match=problem.replace("$", r"\$")):
        bundle(model, tmp_path / "out", None, None, quiet)
    assert [path.name for path in tmp_path.iterdir()] == ["m.safetensors"]


def test_a_missing_package_is_named_with_how_to_install_it(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cxr.extra.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CxrError, match=r"monai and fire not installed; run: pip install 'cxr\[monai\]'"):
        bundle(model, tmp_path / "out", None, None, quiet)
