from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from cxr.config import TrainStage
from cxr.config_training import AugmentConfig
from cxr.data.dataset import RadiographDataset
from cxr.errors import ConfigError, DataError
from cxr.evaluate.auroc import auroc
from cxr.ingest.store import ImageStore
from cxr.manifest import Manifest, label_column, read_manifest
from cxr.model.card import read_card
from cxr.predict.predictor import Predictor
from cxr.stage import StageContext
from cxr.stages import STAGES
from cxr.train import stage

MakeConfig = Callable[..., TrainStage]


def _silent(done: int, total: int, text: str = "") -> None:
    assert 0 < done <= total


def _context(folder: Path, inputs: dict[str, Path], run: Any, progress: Any = _silent) -> StageContext:
    folder.mkdir(exist_ok=True)
    return StageContext(folder, inputs, run, progress)


def _history(folder: Path) -> pd.DataFrame:
    """What was learned, epoch by epoch, without the time that it took."""
    table = pd.read_csv(folder / "history.csv")
    return table[[name for name in table.columns if not name.startswith("time/")]]


def _kill_in_epoch_3(done: int, total: int, text: str = "") -> None:
    if text.startswith("epoch 3/4") and done > 0.6 * total:
        raise KeyboardInterrupt


MOMENTS = ["in an epoch", "in an epoch that is saved", "before the state is saved", "before the epoch is logged"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_interrupted_training_goes_on_as_if_it_never_stopped(
    tmp_path: Path,
    inputs: dict[str, Path],
    stage_config: MakeConfig,
    run: Any,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    config, straight = stage_config(checkpoint_minutes=0 if moment.endswith("is saved") else 10), replace(run, logged=[])
    expected = stage.run(config, _context(tmp_path / "straight", inputs, straight))
    resumed = _context(tmp_path / "resumed", inputs, run)
    killed = replace(resumed, progress=_kill_in_epoch_3) if moment.startswith("in an epoch") else resumed
    with monkeypatch.context() as patch:
        if moment == "before the state is saved":
            patch.setattr(stage, "save_state", _killing_call(stage.save_state, 3))
        if moment == "before the epoch is logged":
            patch.setattr(run, "metrics", _killing_call(run.metrics, 3))
        with pytest.raises(KeyboardInterrupt):
            stage.run(config, killed)
    run.resumed = True
    torch.manual_seed(99)
    result = stage.run(config, resumed)

    assert result.headline == expected.headline
    pd.testing.assert_frame_equal(_history(resumed.folder), _history(tmp_path / "straight"), check_exact=True)
    assert straight.epochs() == run.epochs() == [1, 2, 3, 4]
    weights, others = (load_file(folder / "model.safetensors") for folder in (tmp_path / "straight", resumed.folder))
    assert weights.keys() == others.keys()
    assert all(torch.equal(others[name], value) for name, value in weights.items())
    assert read_card(resumed.folder / "model.safetensors") == read_card(tmp_path / "straight" / "model.safetensors")


def _killing_call(function: Callable[..., None], call: int) -> Callable[..., None]:
    """The function, killed instead of its nth call."""
    calls = iter(range(1, 100))

    def replacement(*arguments: Any, **named: Any) -> None:
        if next(calls) == call:
            raise KeyboardInterrupt
        function(*arguments, **named)

    return replacement


def test_training_repeats_bit_for_bit_and_with_workers_too(
    tmp_path: Path, inputs: dict[str, Path], stage_config: MakeConfig, run: Any
) -> None:
    tables = []
    for name, workers in (("one", 0), ("two", 0), ("three", 2)):
        stage.run(stage_config(epochs=2, workers=workers), _context(tmp_path / name, inputs, run))
        tables.append(_history(tmp_path / name))
    pd.testing.assert_frame_equal(tables[0], tables[1], check_exact=True)
    pd.testing.assert_frame_equal(tables[0], tables[2], check_exact=True)


def test_the_saved_model_reaches_the_best_logged_validation_auroc(
    tmp_path: Path, inputs: dict[str, Path], stage_config: MakeConfig, run: Any
) -> None:
    result = stage.run(stage_config(epochs=6, learning_rate=4e-3), _context(tmp_path / "train", inputs, run))
    predictor = Predictor(tmp_path / "train" / "model.safetensors", torch.device("cpu"))
    validation = read_manifest(inputs["development"]).where("val")
    places = (validation.frame[name].to_numpy() for name in ("shard", "row"))
    scores = predictor.probabilities(ImageStore(inputs["store"]).gather(*places))
    truth = predictor.labels.truth(validation.label_codes())
    logged = [values["val/auroc_macro"] for _, values in run.logged if "val/auroc_macro" in values]
    macro = np.mean([auroc(truth[:, j], scores[:, j]) for j in range(2)])
    assert macro == pytest.approx(max(logged), abs=1e-9)
    assert result.metrics["val/auroc_macro"] == max(logged)
    assert predictor.card.epoch == logged.index(max(logged)) + 1
    assert max(logged) > 0.7


def _macros(monkeypatch: pytest.MonkeyPatch, values: list[float]) -> None:
    left = iter(values)
    monkeypatch.setattr(stage, "validate", lambda *_: {"val/auroc_macro": next(left)})


def test_a_metric_that_is_not_a_number_is_never_the_best(
    tmp_path: Path, inputs: dict[str, Path], stage_config: MakeConfig, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _macros(monkeypatch, [float("nan"), 0.7, float("nan"), 0.6])
    result = stage.run(stage_config(), _context(tmp_path / "train", inputs, run))
    assert result.metrics["val/auroc_macro"] == 0.7
    assert read_card(tmp_path / "train" / "model.safetensors").epoch == 2


def test_a_worse_epoch_after_a_resume_is_not_the_best(
    tmp_path: Path, inputs: dict[str, Path], stage_config: MakeConfig, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _macros(monkeypatch, [0.9, 0.8, 0.7, 0.6])
    context = _context(tmp_path / "train", inputs, run)
    with pytest.raises(KeyboardInterrupt):
        stage.run(stage_config(), replace(context, progress=_kill_in_epoch_3))
    run.resumed = True
    assert stage.run(stage_config(), context).metrics["val/auroc_macro"] == 0.9
    assert read_card(context.folder / "model.safetensors").epoch == 1


def test_a_finished_training_is_not_trained_again(
    tmp_path: Path, inputs: dict[str, Path], stage_config: MakeConfig, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = _context(tmp_path / "train", inputs, run)
    first = stage.run(stage_config(epochs=1), context)
    run.resumed = True
    monkeypatch.setattr(stage, "train_epoch", None)
    assert stage.run(stage_config(epochs=1), context) == first
    assert run.epochs() == [1]


def test_the_run_tells_weights_data_and_files(
    tmp_path: Path, inputs: dict[str, Path], stage_config: MakeConfig, run: Any
) -> None:
    stage.run(stage_config(epochs=1), _context(tmp_path / "train", inputs, run))
    figures = next(values for _, values in run.logged if "val/auroc_macro" in values)
    for label in ("Mass", "Effusion"):
        assert {f"val/auroc/{label}", f"branch_weight/{label}", f"loss_weight/{label}"} <= figures.keys()
    assert figures["branch_weight/Mass"] == pytest.approx(0.5, abs=0.05)
    assert run.datasets == [("manifest-train", "training"), ("manifest-val", "validation")]
    assert run.artifacts == ["history.csv", "model.safetensors"]
    assert run.params_seen["learning_rate"] == 1e-3


def test_no_path_leaves_with_the_model_or_the_parameters(
    tmp_path: Path, inputs: dict[str, Path], stage_config: MakeConfig, run: Any
) -> None:
    config = stage_config(epochs=1)
    stage.run(config, _context(tmp_path / "first", inputs, run))
    start = {
        name.removeprefix("backbone.model."): value
        for name, value in load_file(tmp_path / "first" / "model.safetensors").items()
        if name.startswith("backbone.")
    }
    torch.save(start, tmp_path / "start.pth")
    model = config.model.model_copy(update={"weights": tmp_path / "start.pth"})
    stage.run(config.model_copy(update={"model": model}), _context(tmp_path / "second", inputs, run))
    assert str(tmp_path).encode() not in (tmp_path / "second" / "model.safetensors").read_bytes()
    assert str(tmp_path) not in str(run.params_seen)


def _record_gathered(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rows of the store that are read from now on."""
    gathered: list[int] = []
    gather = ImageStore.gather

    def recording(store: ImageStore, shards: Any, rows: Any) -> Any:
        gathered.extend(rows.tolist())
        return gather(store, shards, rows)

    monkeypatch.setattr(ImageStore, "gather", recording)
    return gathered


def test_each_epoch_has_every_training_image_in_another_order(
    tmp_path: Path, inputs: dict[str, Path], stage_config: MakeConfig, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gathered = _record_gathered(monkeypatch)
    stage.run(stage_config(epochs=3), _context(tmp_path / "train", inputs, run))
    training = np.array([row for row in gathered if row % 3]).reshape(3, 40)
    assert (np.sort(training, axis=1) == sorted(row for row in range(60) if row % 3)).all()
    assert len({tuple(order) for order in training.tolist()}) == 3


def test_training_is_given_no_test_images(
    tmp_path: Path, inputs: dict[str, Path], stage_config: MakeConfig, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = next(each for each in STAGES if each.name == "train")
    assert dict(train.inputs) == {"development": ("split", "development.parquet"), "store": ("ingest", "store")}

    gathered = _record_gathered(monkeypatch)
    manifest = read_manifest(inputs["development"])
    Manifest(manifest.frame.iloc[:40], manifest.label_names).write(inputs["development"])
    stage.run(stage_config(epochs=1), _context(tmp_path / "train", inputs, run))
    assert set(gathered) == set(range(40))  # the store holds 60


def test_a_validation_set_without_a_usable_label_is_refused(
    tmp_path: Path, inputs: dict[str, Path], stage_config: MakeConfig, run: Any
) -> None:
    manifest = read_manifest(inputs["development"])
    in_validation = (manifest.frame["split"] == "val").to_numpy()
    only = {0: 1, 1: 3}  # Mass always positive, Effusion never known
    changed = {
        name: label_column(np.where(in_validation, only[j], manifest.label_codes()[:, j]))
        for j, name in enumerate(manifest.label_names)
    }
    Manifest(manifest.frame.assign(**changed), manifest.label_names).write(inputs["development"])
    with pytest.raises(DataError, match="no label has both positive and negative"):
        stage.run(stage_config(), _context(tmp_path / "train", inputs, run))


@pytest.mark.parametrize(
    ("present", "replaced", "missing"), [((1,), 0, "positive"), ((0,), 1, "known to be negative"), ((0, 1), 3, "known")]
)
def test_a_label_of_which_training_has_no_cell_of_a_kind_is_warned_of(
    tmp_path: Path,
    inputs: dict[str, Path],
    stage_config: MakeConfig,
    run: Any,
    present: tuple[int, ...],
    replaced: int,
    missing: str,
) -> None:
    manifest = read_manifest(inputs["development"])
    cells = manifest.label_codes()[:, 1]
    codes = np.where((manifest.frame["split"] == "train") & np.isin(cells, present), replaced, cells)
    Manifest(manifest.frame.assign(Effusion=label_column(codes)), manifest.label_names).write(inputs["development"])
    result = stage.run(stage_config(epochs=1), _context(tmp_path / "train", inputs, run))
    expected = f"no training image is {missing} for Effusion: its scores mean nothing; find images, or leave it out"
    assert result.warnings == (expected,)


def test_a_wrong_backbone_is_refused_before_anything_runs(stage_config: MakeConfig) -> None:
    config = stage_config()
    with pytest.raises(ConfigError, match="no model 'vit_tinny'"):
        stage.check(config.model_copy(update={"model": config.model.model_copy(update={"backbone": "vit_tinny"})}))


def test_a_flip_of_sided_labels_is_refused_before_anything_runs(stage_config: MakeConfig) -> None:
    config = stage_config(augment=AugmentConfig(horizontal_flip=True))
    config.labels.write_text("{name: one, labels: [{name: Dextrocardia, sided: true}]}")
    with pytest.raises(ConfigError, match="Dextrocardia"):
        stage.check(config)


def test_within_an_epoch_training_goes_on_with_the_step_after_the_last_saved_one(
    tmp_path: Path, inputs: dict[str, Path], stage_config: MakeConfig, run: Any
) -> None:
    context, seen = _context(tmp_path / "train", inputs, run), []
    with pytest.raises(KeyboardInterrupt):
        stage.run(stage_config(checkpoint_minutes=0), replace(context, progress=_kill_in_epoch_3))
    stage.run(
        stage_config(checkpoint_minutes=0), replace(context, progress=lambda done, total, text="": seen.append((done, text)))
    )
    done, text = seen[0]
    assert text.startswith("epoch 3/4")
    assert done / (4 * 40) > 0.6


def test_patience_ends_a_training_that_no_longer_improves(
    tmp_path: Path, inputs: dict[str, Path], stage_config: MakeConfig, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _macros(monkeypatch, [0.7, 0.8, 0.75, 0.8, 0.9, 0.95])
    result = stage.run(stage_config(epochs=6, patience=2), _context(tmp_path / "train", inputs, run))
    assert run.epochs() == [1, 2, 3, 4]
    assert result.headline == "best validation AUROC 0.800 at epoch 2 of 4; stopped early, 2 epochs without a better one"


def test_the_run_tells_where_the_time_of_a_step_goes(
    tmp_path: Path, inputs: dict[str, Path], stage_config: MakeConfig, run: Any
) -> None:
    stage.run(stage_config(epochs=1), _context(tmp_path / "train", inputs, run))
    figures = next(values for _, values in run.logged if "val/auroc_macro" in values)
    parts = [figures[f"time/{part}_ms"] for part in ("input", "forward", "backward", "optimiser")]
    assert all(part > 0 for part in parts)
    step = 1000 * (40 / 5) / figures["time/images_per_second"]  # 40 images in 5 batches
    assert 0.7 * step < sum(parts) <= step
    assert figures["time/input_share"] == pytest.approx(parts[0] / step, rel=0.01)


def test_a_training_that_waits_for_images_says_so(
    tmp_path: Path, inputs: dict[str, Path], stage_config: MakeConfig, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = RadiographDataset.__getitem__

    def wait(dataset: RadiographDataset, places: Any) -> Any:
        time.sleep(0.2)
        return slow(dataset, places)

    monkeypatch.setattr(RadiographDataset, "__getitem__", wait)
    monkeypatch.setattr(stage, "_WAITING_SECONDS", 0.5)
    result = stage.run(stage_config(epochs=1), _context(tmp_path / "train", inputs, run))
    assert "of the training time went by waiting for images: raise train.workers" in result.warnings[0]


def test_rates_of_the_layers_and_positives_of_an_epoch_are_told(
    tmp_path: Path, inputs: dict[str, Path], stage_config: MakeConfig, run: Any
) -> None:
    stage.run(stage_config(epochs=1, layer_decay=0.5), _context(tmp_path / "train", inputs, run))
    figures = next(values for _, values in run.logged if "val/auroc_macro" in values)
    assert figures["learning_rate/layer_0"] == pytest.approx(figures["learning_rate/head"] / 8)
    assert figures["train/learning_rate"] == figures["learning_rate/head"]
    targets = read_manifest(inputs["development"]).where("train").label_codes()
    positives = next(values for _, values in run.logged if "positives_an_epoch/Mass" in values)
    assert positives["positives_an_epoch/Mass"] == (targets[:, 0] == 1).sum()
