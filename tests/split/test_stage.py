"""The split stage, each of its four ways from a manifest to the files that it leaves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cxr.config import SplitConfig, SplitStage
from cxr.config_sources import OfficialFiles
from cxr.errors import DataError
from cxr.labels.shipped import SHIPPED
from cxr.manifest import SPLITS, Manifest, read_manifest
from cxr.split import stage
from cxr.split.balance import balance
from cxr.split.frozen import read_split
from cxr.split.people import people_of
from cxr.split.split import split_digest
from cxr.stage import StageContext

NIH = SHIPPED / "nih14" / "table.yaml"


@pytest.fixture
def context(tmp_path, manifest_of, recording_run):
    """60 images of 30 patients."""
    codes = np.random.default_rng(0).integers(0, 2, (60, 2))
    manifest_of([f"t:p{index // 2}" for index in range(60)], codes).write(tmp_path / "manifest.parquet")
    (tmp_path / "split").mkdir()
    return StageContext(tmp_path / "split", {"manifest": tmp_path / "manifest.parquet"}, recording_run, lambda *_: None)


def config(official=None, seed=1, **keys):
    return SplitStage(seed=seed, official=official, split=SplitConfig(**keys))


def change(context, **columns):
    """Other texts in some columns of the manifest: of each the images, by row, and what they become."""
    manifest = read_manifest(context.inputs["manifest"])
    frame = manifest.frame.copy()
    for column, texts in columns.items():
        for row, text in texts.items():
            frame.loc[row, column] = text
    Manifest(frame, manifest.label_names).write(context.inputs["manifest"])


def written(context):
    """All images that have left, with their sides."""
    return pd.concat([read_manifest(context.folder / f"{name}.parquet").frame for name in ("development", "test")])


@pytest.fixture
def lists(tmp_path):
    """Writes published lists of the ranges of images given."""

    def write(train_val, test, val=None):
        paths = {"train_val": tmp_path / "train.txt", "test": tmp_path / "test.txt", "val": None, "format": NIH}
        if val is not None:
            paths["val"] = tmp_path / "val.txt"
        for name, images in {"train_val": train_val, "test": test, "val": val}.items():
            if images is not None:
                paths[name].write_text("\r\n".join(f"images/{index:04d}.png " for index in images) + "\n\n")
        return OfficialFiles(**paths)

    return write


@pytest.fixture
def frozen(context, tmp_path):
    """The file of an earlier run with another seed."""
    stage.run(config(seed=7), context)
    return (context.folder / "split.csv").rename(tmp_path / "frozen.csv")


WAYS = ("drawn", "folds", "official", "official with val", "frozen")


@pytest.fixture(params=WAYS)
def way(request, lists):
    match request.param:
        case "drawn":
            return config()
        case "folds":
            return config(folds=4, fold=3)
        case "official":
            return config(lists(range(40), range(40, 60)))
        case "official with val":
            return config(lists(range(30), range(40, 60), range(30, 40)))
        case "frozen":
            return config(frozen=request.getfixturevalue("frozen"))


def test_every_image_leaves_once_and_test_images_apart(context, way):
    stage.run(way, context)
    development, test = (read_manifest(context.folder / f"{name}.parquet") for name in ("development", "test"))
    assert set(development.frame["split"]) == {"train", "val"}
    assert set(test.frame["split"]) == {"test"}
    assert not set(development.frame["patient_id"]) & set(test.frame["patient_id"])
    whole = written(context).drop(columns="split").sort_values("image_id", ignore_index=True)
    pd.testing.assert_frame_equal(whole, read_manifest(context.inputs["manifest"]).frame)


def test_the_written_list_is_the_split_that_is_told(context, way, recording_run):
    result = stage.run(way, context)
    digest = split_digest(read_split(context.folder / "split.csv"))
    assert digest == split_digest(written(context))
    assert recording_run.logged_params == {"split_sha256": digest, "official_lists": way.official is not None}
    assert digest[:12] in result.headline
    assert sum(result.counts[f"{side}_images"] for side in SPLITS) == 60
    assert sum(result.counts[f"{side}_patients"] for side in SPLITS) == 30
    assert set(recording_run.artifacts) == {"split.csv", "counts.csv"}
    assert [told for *_, told in recording_run.datasets[-3:]] == list(SPLITS)


def test_the_written_counts_are_those_of_the_sides(context, way):
    stage.run(way, context)
    labels = read_manifest(context.inputs["manifest"]).label_names
    expected = balance(Manifest(written(context).reset_index(drop=True), labels))
    pd.testing.assert_frame_equal(pd.read_csv(context.folder / "counts.csv", index_col="split"), expected, check_dtype=False)


def test_the_test_set_is_the_one_asked_for(context, lists, frozen):
    official = lists(range(30), range(40, 60), range(30, 40))
    stage.run(config(official), context)
    assert read_manifest(context.folder / "test.parquet").frame["image_id"].tolist() == [f"t:{i:04d}" for i in range(40, 60)]
    stage.run(config(frozen=frozen), context)
    assert (context.folder / "split.csv").read_bytes() == frozen.read_bytes()
    tested = []
    for fold in range(4):
        stage.run(config(folds=4, fold=fold), context)
        tested += read_manifest(context.folder / "test.parquet").frame["image_id"].tolist()
    assert sorted(tested) == [f"t:{index:04d}" for index in range(60)]


def test_a_side_without_positives_is_warned_of(context, manifest_of):
    codes = np.zeros((60, 2))
    codes[0] = (1, 1)
    codes[1:, 0] = 1
    manifest_of([f"t:p{index // 2}" for index in range(60)], codes).write(context.inputs["manifest"])
    warnings = stage.run(config(), context).warnings
    assert len(warnings) == 2
    assert all("no positive image of Effusion" in warning for warning in warnings)


def test_without_anything_odd_there_is_no_warning(context, way):
    assert stage.run(way, context).warnings == ()


@pytest.mark.parametrize("column", ["pixel_sha256", "alike"])
def test_patients_who_are_one_person_are_warned_of_and_stay_together(context, column):
    change(context, **{column: {0: "x", 20: "x", 21: "y", 40: "y", 30: "z", 50: "z"}})
    (warning,) = stage.run(config(), context).warnings
    assert warning.startswith("2 times patients have pictures that look the same")
    assert "t:p0 and t:p10 and t:p20" in warning
    assert "t:p15 and t:p25" in warning
    manifest = read_manifest(context.inputs["manifest"])
    sides = written(context).sort_values("image_id")["split"].to_numpy()
    for person in np.unique(people := people_of(manifest).of_image):
        assert len(set(sides[people == person])) == 1


def test_many_united_patients_are_counted_and_the_first_are_named(context):
    change(context, alike={row: f"a{row // 4}" for row in range(60)})
    (warning,) = stage.run(config(), context).warnings
    assert warning.startswith("15 times")
    assert warning.count(" and t:p") == 5
    assert warning.endswith("...")


def test_persons_whom_the_official_lists_tear_stop_the_stage_or_are_counted_where_that_is_allowed(context, lists):
    change(context, alike={0: "x", 40: "x", 2: "y", 4: "y"})
    official = lists(range(40), range(40, 60))
    with pytest.raises(DataError, match=r"looks like one on another side \(see split\.alike\): t:p0, t:p20$"):
        stage.run(config(official), context)
    assert not list(context.folder.iterdir())
    warnings = stage.run(config(official, alike="allow"), context).warnings
    assert any(warning.startswith("1 times such patients stand on more than one side") for warning in warnings)
    assert read_manifest(context.folder / "test.parquet").frame["image_id"].tolist() == [f"t:{i:04d}" for i in range(40, 60)]


def test_persons_whom_a_frozen_split_tears_stop_the_stage_or_are_counted_where_that_is_allowed(context, frozen):
    before = read_split(frozen)["split"]
    change(context, alike={int(before[before == side].index[0]): "x" for side in ("train", "test")})
    with pytest.raises(DataError, match=r"2 patients have a picture that looks like one on another side"):
        stage.run(config(frozen=frozen), context)
    warnings = stage.run(config(frozen=frozen, alike="allow"), context).warnings
    assert any(warning.startswith("1 times such patients stand on more than one side") for warning in warnings)
    assert (context.folder / "split.csv").read_bytes() == frozen.read_bytes()


@pytest.mark.parametrize("alike", ["refuse", "allow"])
def test_official_lists_with_the_same_pixels_on_two_sides_stop_the_stage(context, lists, alike):
    change(context, pixel_sha256={0: "x", 40: "x"})
    with pytest.raises(DataError, match="2 patients share an image with another side: t:p0, t:p20"):
        stage.run(config(lists(range(40), range(40, 60)), alike=alike), context)
    assert not list(context.folder.iterdir())


def test_images_of_a_frozen_split_that_are_gone_are_counted(context, frozen):
    manifest = read_manifest(context.inputs["manifest"])
    fewer = manifest.frame.drop(index=[0, 31]).reset_index(drop=True)
    Manifest(fewer, manifest.label_names).write(context.inputs["manifest"])
    assert stage.run(config(frozen=frozen), context).warnings == ("2 images of the frozen split are not among the images",)


def test_a_frozen_split_that_was_changed_stops_the_stage(context, frozen):
    frozen.write_text(frozen.read_text().replace(",test\n", ",val\n", 1))
    with pytest.raises(DataError, match="changed after it was written"):
        stage.run(config(frozen=frozen), context)


@pytest.mark.parametrize(("new", "sides"), [("train", {"train"}), ("draw", set(SPLITS))])
def test_new_patients_go_where_the_configuration_says(context, frozen, manifest_of, new, sides):
    codes = np.random.default_rng(0).integers(0, 2, (90, 2))
    manifest_of([f"t:p{index // 2}" for index in range(90)], codes).write(context.inputs["manifest"])
    with pytest.raises(DataError, match=r"15 patients are not in it: .*split\.new_patients"):
        stage.run(config(frozen=frozen), context)
    stage.run(config(frozen=frozen, new_patients=new), context)
    sides_now = written(context).set_index("image_id")["split"]
    before = read_split(frozen).set_index("image_id")["split"]
    assert sides_now[before.index].tolist() == before.tolist()
    assert set(sides_now.drop(before.index)) == sides


def test_a_split_of_this_run_can_be_frozen_again_and_again(context, frozen, tmp_path):
    """What a frozen split leads to is a frozen split, of the grown images."""
    change(context, patient_id={58: "t:new", 59: "t:new"}, image_id={58: "t:n1", 59: "t:n2"})
    stage.run(config(frozen=frozen, new_patients="train"), context)
    second = (context.folder / "split.csv").rename(tmp_path / "second.csv")
    stage.run(config(frozen=second), context)
    assert (context.folder / "split.csv").read_bytes() == second.read_bytes()


def test_what_can_be_read_passes_the_check_before_a_run(way):
    stage.check(way)


@pytest.mark.parametrize("name", ["train.txt", "val.txt", "test.txt"])
def test_a_list_that_cannot_be_read_is_refused_before_a_run(lists, tmp_path, name):
    official = lists(range(30), range(40, 60), range(30, 40))
    (tmp_path / name).write_text("\n")
    with pytest.raises(DataError, match=f"{name}: the list is empty"):
        stage.check(config(official))


def test_a_frozen_split_that_was_changed_is_refused_before_a_run(frozen):
    frozen.write_text(frozen.read_text().replace(",test\n", ",val\n", 1))
    with pytest.raises(DataError, match="changed after it was written"):
        stage.check(config(frozen=frozen))


def test_official_lists_name_images_as_their_layout_does(context, tmp_path):
    """Names that differ by their folder only: the layout says that the folder counts."""
    keys = [f"train/patient{index // 2}/study{index % 2}/view1_frontal" for index in range(60)]
    change(context, source_name={row: f"t:{key}" for row, key in enumerate(keys)})
    for name, part in {"train": keys[:40], "test": keys[40:]}.items():
        (tmp_path / f"{name}.txt").write_text("".join(f"CheXpert-v1.0/{key}.jpg\n" for key in part))
    layout = SHIPPED / "chexpert" / "table.yaml"
    official = OfficialFiles(train_val=tmp_path / "train.txt", val=None, test=tmp_path / "test.txt", format=layout)
    stage.run(config(official), context)
    assert read_manifest(context.folder / "test.parquet").frame["source_name"].tolist() == [f"t:{key}" for key in keys[40:]]
