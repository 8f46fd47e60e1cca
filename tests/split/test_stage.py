from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cxr.config import SplitConfig, SplitStage
from cxr.errors import DataError
from cxr.manifest import Manifest, read_manifest
from cxr.split import stage
from cxr.split.split import Split
from cxr.stage import StageContext


@pytest.fixture
def context(tmp_path: Path, manifest_of: Callable[..., Manifest], recording_run: Any) -> StageContext:
    codes = np.random.default_rng(0).integers(0, 2, (60, 2))
    manifest_of([f"t:p{index // 2}" for index in range(60)], codes).write(tmp_path / "manifest.parquet")
    (tmp_path / "split").mkdir()
    return StageContext(tmp_path / "split", {"manifest": tmp_path / "manifest.parquet"}, recording_run, lambda *_: None)


def _config(**lists: Path) -> SplitStage:
    official = {"train_val_list": None, "test_list": None, **lists}
    return SplitStage(seed=1, split=SplitConfig(), **official)


def test_every_image_leaves_once_and_test_images_apart(context: StageContext) -> None:
    stage.run(_config(), context)
    development, test = (read_manifest(context.folder / f"{name}.parquet") for name in ("development", "test"))
    assert set(development.frame["split"]) == {"train", "val"}
    assert set(test.frame["split"]) == {"test"}
    assert not set(development.frame["patient_id"]) & set(test.frame["patient_id"])
    whole = pd.concat([development.frame, test.frame]).drop(columns="split").sort_values("image_id", ignore_index=True)
    pd.testing.assert_frame_equal(whole, read_manifest(context.inputs["manifest"]).frame)


def test_the_written_list_is_the_split_that_is_told(context: StageContext, recording_run: Any) -> None:
    result = stage.run(_config(), context)
    digest = Split(pd.read_csv(context.folder / "split.csv", dtype=str)).digest
    assert recording_run.logged_params["split_sha256"] == digest
    assert digest[:12] in result.headline
    assert sum(result.counts[f"{side}_images"] for side in ("train", "val", "test")) == 60


def test_a_side_without_positives_is_warned_of(context: StageContext, manifest_of: Callable[..., Manifest]) -> None:
    codes = np.zeros((60, 2))
    codes[0] = (1, 1)
    codes[1:, 0] = 1
    manifest_of([f"t:p{index // 2}" for index in range(60)], codes).write(context.inputs["manifest"])
    warnings = stage.run(_config(), context).warnings
    assert len(warnings) == 2
    assert all("no positive image of Effusion" in warning for warning in warnings)


def test_official_lists_are_read_without_folder_and_suffix(context: StageContext, tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("\n".join(f"images/{index:04d}.png" for index in range(40)) + "\n\n")
    (tmp_path / "test.txt").write_text("\r\n".join(f"{index:04d}.png " for index in range(40, 60)))
    stage.run(_config(train_val_list=tmp_path / "train.txt", test_list=tmp_path / "test.txt"), context)
    assert read_manifest(context.folder / "test.parquet").frame["image_id"].tolist() == [f"t:{i:04d}" for i in range(40, 60)]


def test_an_empty_official_list_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("\n \n")
    with pytest.raises(DataError, match=r"list\.txt: the list is empty"):
        stage.read_list(tmp_path / "list.txt")
