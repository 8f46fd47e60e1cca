"""A person who mistypes a key, a value or a path is told all of it at once, with the place and the nearest right name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cxr.config import PipelineConfig
from cxr.config_paths import nearest_path
from cxr.definition import describe_keys, load_config
from cxr.errors import ConfigError
from cxr.labels.shipped import SHIPPED
from cxr.stages import STAGES

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A project folder with images, a table, a key and a label set; the command runs elsewhere."""
    project = tmp_path / "project"
    (project / "images").mkdir(parents=True)
    (project / "images" / "labels.csv").write_text("image,patient_id\n")
    (project / "images" / "train.txt").write_text("a\n")
    (project / "secret.key").write_text("00" * 32)
    (project / "mine.yaml").write_text("name: mine\nlabels: [{name: Mass}]\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    return project


@pytest.fixture
def define(folder):
    """Writes a pipeline definition of images; keyword arguments replace or, where None, remove sections."""

    def write(source=None, **sections) -> Path:
        images = {"kind": "images", "root": "images", "table": "labels.csv", "format": "plain"}
        content = {"name": "test", "workspace": "runs", "labels": "nih14", "source": images | (source or {}), **sections}
        path = folder / "pipeline.yaml"
        path.write_text(yaml.safe_dump({key: value for key, value in content.items() if value is not None}))
        return path

    return write


def problems(path, *overrides) -> list[str]:
    with pytest.raises(ConfigError) as error:
        load_config(path, overrides)
    return str(error.value).split("\n")


def only(path, *overrides) -> str:
    lines = problems(path, *overrides)
    assert len(lines) == 1, lines
    return lines[0]


def test_values_come_from_file_then_command_line_then_defaults(define):
    path = define(train={"epochs": 3, "batch_size": 4})
    config = load_config(path, ["train.batch_size=8", "seed=5", "train.augment.horizontal_flip=true"])
    assert (config.train.epochs, config.train.batch_size, config.seed) == (3, 8, 5)
    assert config.train.augment.horizontal_flip
    assert config.train.clip_norm == 1.0


def test_configuration_cannot_be_changed_afterwards(define):
    config = load_config(define())
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 1


@pytest.mark.parametrize(("key", "nearest"), [("epoch", "train.epochs"), ("lerning_rate", "train.learning_rate")])
def test_unknown_key_in_the_file_is_told_with_the_nearest(define, key, nearest):
    path = define(train={key: 1})
    assert only(path) == f"{path}: train.{key}: unknown key; did you mean {nearest}?"


@pytest.mark.parametrize(
    ("override", "nearest"),
    [("train.epoch=3", "train.epochs"), ("trian.epochs=3", "train"), ("ingest.sise=64", "ingest.size")],
)
def test_unknown_key_on_the_command_line_is_told_with_the_nearest(define, override, nearest):
    line = only(define(), override)
    assert line.startswith(f"command line: {override.partition('=')[0]}: unknown key")
    assert line.endswith(f"did you mean {nearest}?")


def test_unknown_key_without_resemblance_gets_no_wild_guess(define):
    assert only(define(), "qqqqqq=1") == "command line: qqqqqq: unknown key"


@pytest.mark.parametrize("name", ["images", "dicom", "phantom"])
def test_unknown_key_that_is_called_like_a_source_keeps_its_name(define, name):
    assert f"ingest.{name}: unknown key" in only(define(ingest={name: 1}))
    assert f"source.{name}: unknown key" in only(define({name: 1}))


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("train.epochs=many", ("train.epochs", "integer", "many")),
        ("train.epochs=0", ("train.epochs", "greater than or equal to 1", "'0'")),
        ("train.epochs=2.5", ("train.epochs", "integer", "2.5")),
        ("ingest.fit=stretch", ("ingest.fit", "'pad' or 'crop'", "stretch")),
        ("split.val_fraction=0.9", ("split.val_fraction", "less than 0.5")),
        ("name=a b", ("name", "pattern")),
        ("name=../x", ("name", "pattern")),
        ("train=fast", ("train", "fast")),
    ],
)
def test_wrong_value_names_key_and_value(define, override, parts):
    line = only(define(), override)
    assert line.startswith("command line: ")
    assert all(part in line for part in parts), line


@pytest.mark.parametrize(("text", "value"), [("1e-3", 1e-3), ("1.0e-3", 1e-3), ("5E-4", 5e-4), ("0.01", 0.01)])
def test_number_with_an_exponent_is_a_number(define, text, value):
    assert load_config(define(), [f"train.learning_rate={text}"]).train.learning_rate == value
    path = define()
    path.write_text(path.read_text() + f"train:\n  learning_rate: {text}\n")
    assert load_config(path).train.learning_rate == value


def test_all_problems_are_reported_at_once(define):
    path = define({"root": "imags"}, train={"epoch": 3, "precision": "fp8"}, labels="nih41")
    lines = problems(path, "ingest.size=large")
    assert len(lines) == 5
    for key in ("train.epoch:", "train.precision:", "source.root:", "labels:", "command line: ingest.size:"):
        assert sum(key in line for line in lines) == 1, (key, lines)


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ({"root": "imags"}, ("source.root", "no such folder", "did you mean", "project/images?")),
        ({"table": "label.csv"}, ("source.table", "no such file", "did you mean", "labels.csv?")),
        ({"format": "format.yaml"}, ("source.format", "no such file")),
        ({"official": {"train_val": "train.txt", "test": "trian.txt"}}, ("source.official", "did you mean", "train.txt?")),
        ({"table": "*"}, ("source.table", "'*' matches 2 files", "labels.csv, train.txt")),
    ],
)
def test_missing_file_is_told_with_the_nearest_name(define, source, parts):
    path = define(source)
    line = only(path)
    assert line.startswith(str(path))
    assert all(part in line for part in parts), line


def test_absolute_table_is_refused_in_words(define, folder):
    assert "relative to" in only(define(), f"source.table={folder}/images/labels.csv")


def test_table_name_with_brackets_is_a_name(define, folder):
    (folder / "images" / "labels[final].csv").write_text("image\n")
    assert load_config(define({"table": "labels[final].csv"})).source.table_file.name == "labels[final].csv"


def test_table_pattern_becomes_the_one_file_it_matches(define, folder):
    assert load_config(define({"table": "lab*.csv"})).source.table_file == folder / "images" / "labels.csv"


def test_unknown_source_kind_is_told_with_the_nearest(define):
    assert only(define({"kind": "image"})).endswith("did you mean images?")
    assert "'pacs' is none of phantom, dicom, dicomweb, images" in only(define({"kind": "pacs"}))


def test_missing_keys_are_told_by_name(define, folder):
    path = define(workspace=None, labels=None)
    assert problems(path) == [f"{path}: workspace: missing, but needed", f"{path}: labels: missing, but needed"]
    path = folder / "pipeline.yaml"
    path.write_text("name: x\nworkspace: runs\nlabels: nih14\nsource: {root: images}\n")
    assert "source.kind: missing, but needed: one of phantom, dicom, dicomweb, images" in only(path)


def test_path_in_the_file_is_relative_to_the_file(define, folder):
    config = load_config(define(labels="mine.yaml"))
    assert config.workspace == folder / "runs"
    assert config.source.root == folder / "images"
    assert config.labels == folder / "mine.yaml"


def test_path_typed_on_the_command_line_is_relative_to_the_current_folder(define, folder, tmp_path):
    path = define()
    (tmp_path / "elsewhere" / "labels.yaml").write_text("name: x\nlabels: [{name: A}]\n")
    config = load_config(path, ["workspace=here", "source.root=../project/images", "labels=labels.yaml"])
    assert config.workspace == tmp_path / "elsewhere" / "here"
    assert config.source.root == folder / "images"
    assert config.labels == tmp_path / "elsewhere" / "labels.yaml"


def test_pipeline_found_by_a_relative_path_is_its_paths_base(define, folder, monkeypatch):
    define()
    monkeypatch.chdir(folder.parent)
    assert load_config(Path("project/pipeline.yaml")).workspace == folder / "runs"


def test_shipped_names_need_no_path(define):
    config = load_config(define({"format": "nih14"}, labels="nih14"))
    assert config.labels == (SHIPPED / "nih14" / "labels.yaml").resolve()
    assert config.source.format == SHIPPED / "nih14" / "table.yaml"


def test_unknown_label_set_lists_those_that_are_shipped(define):
    line = only(define(), "labels=nih41")
    assert line.startswith("command line: labels: no label set 'nih41'")
    assert "nih14" in line


def test_hospital_source_needs_its_key_file(define, folder):
    source = {"kind": "dicom", "format": "study"}
    assert "source.key_file: missing, but needed" in only(define(source))
    assert "no such file" in only(define(source | {"key_file": "secret.kay"}))
    assert load_config(define(source | {"key_file": "secret.key"})).source.key_file == folder / "secret.key"


def test_shares_of_a_drawn_split_are_those_asked_for(define):
    shares = load_config(define(split={"val_fraction": 0.1, "test_fraction": 0.3})).split.shares
    assert shares == pytest.approx({"train": 0.6, "val": 0.1, "test": 0.3})


@pytest.mark.parametrize(
    ("split", "parts"),
    [
        ({"folds": 5, "fold": 5}, ("'fold' is 5", "numbered 0 to 4")),
        ({"folds": 5, "fold": -1}, ("split.fold", "greater than or equal to 0")),
        ({"folds": 2}, ("split.folds", "greater than or equal to 3")),
        ({"fold": 1}, ("'fold' is without effect", "'folds'")),
        ({"folds": 5, "frozen": "images/train.txt"}, ("'folds' and 'frozen' exclude each other",)),
        ({"new_patients": "train"}, ("'new_patients' is without effect", "'frozen'")),
        ({"frozen": "images/train.txt", "new_patients": "drop"}, ("split.new_patients", "'refuse', 'train' or 'draw'")),
        ({"frozen": "images/trian.txt"}, ("split.frozen: no such file", "did you mean", "train.txt?")),
        ({"frozen": ""}, ("split.frozen", "no path")),
    ],
)
def test_split_that_cannot_be_meant_is_refused(define, split, parts):
    line = only(define(split=split))
    assert all(part in line for part in ("split", *parts)), line


def test_each_way_to_split_is_read(define, folder):
    path = define(split={"folds": 5, "fold": 4})
    assert (load_config(path).split.folds, load_config(path, ["split.fold=0"]).split.fold) == (5, 0)
    split = load_config(define(split={"frozen": "images/train.txt", "new_patients": "draw"})).split
    assert (split.frozen, split.new_patients, split.folds) == (folder / "images" / "train.txt", "draw", None)


def test_a_frozen_split_in_the_folder_that_is_cleared_is_refused(define, folder):
    own = folder / "runs" / "test" / "split"
    own.mkdir(parents=True)
    (own / "split.csv").write_text("x")
    with pytest.raises(ConfigError, match=r"'split\.frozen' lies in the folder of this pipeline's own split"):
        load_config(define(split={"frozen": "runs/test/split/split.csv"}))


def test_an_ingest_is_not_compared_with_itself_nor_twice_with_another(define, folder):
    for name in ("test", "other"):
        (folder / "runs" / name / "ingest").mkdir(parents=True)
    with pytest.raises(ConfigError, match="names this pipeline's own ingest"):
        load_config(define(ingest={"compare_with": ["runs/test/ingest"]}))
    with pytest.raises(ConfigError, match="names a folder twice"):
        load_config(define(ingest={"compare_with": ["runs/other/ingest", "runs/other/ingest"]}))


@pytest.mark.parametrize("split", [{"folds": 5}, {"frozen": "images/train.txt"}])
def test_published_lists_and_another_way_to_split_exclude_each_other(define, split):
    path = define({"official": {"train_val": "train.txt", "test": "train.txt"}}, split=split)
    assert "'split.folds' and 'split.frozen' would be without effect" in only(path)


def test_published_lists_lie_in_the_folder_of_the_source_and_a_third_is_optional(define, folder):
    (folder / "images" / "val.txt").write_text("b\n")
    two = {"train_val": "train.txt", "test": "train.txt"}
    files = load_config(define({"official": two})).source.official_files
    assert (files.train_val, files.val, files.test) == (folder / "images/train.txt", None, folder / "images/train.txt")
    assert load_config(define({"official": two | {"val": "val.txt"}})).source.official_files.val == folder / "images/val.txt"
    assert load_config(define()).source.official_files is None
    assert "did you mean" in only(define({"official": two | {"val": "vla.txt"}}))


def test_split_stage_sees_of_the_source_its_published_lists_and_an_older_split_alone(define, folder):
    (split,) = (stage for stage in STAGES if stage.name == "split")
    path = define({"official": {"train_val": "train.txt", "test": "train.txt"}})
    view = split.view(load_config(path, ["seed=4"]))
    assert set(type(view).model_fields) == {"seed", "official", "split", "older", "other_patients"}
    assert (view.seed, view.official.test) == (4, folder / "images" / "train.txt")
    assert split.view(load_config(define())).official is None


def test_table_of_the_images_is_the_one_file_that_its_pattern_matches(define, folder):
    (folder / "images" / "meta[1].csv").write_text("image\n")
    source = load_config(define({"image_table": "meta*.csv"})).source
    assert source.image_table_file == folder / "images" / "meta[1].csv"
    assert source.tables == ("labels.csv", "meta[1].csv")
    assert "source.image_table: no such file" in only(define({"image_table": "mata.csv"}))
    assert "source.image_table: '*' matches 3 files" in only(define({"image_table": "*"}))
    assert load_config(define()).source.tables == ("labels.csv",)


def test_hospital_source_may_have_a_table_of_its_images_too(define, folder):
    source = {"kind": "dicom", "format": "study", "key_file": "secret.key", "image_table": "train.txt"}
    found = load_config(define(source)).source
    assert found.image_table_file == folder / "images" / "train.txt"
    assert found.tables == ("labels.csv", "train.txt")


def test_ingests_to_compare_with_are_folders_that_exist(define, folder):
    for name in ("one", "other"):
        (folder / name).mkdir()
    path = define(ingest={"compare_with": ["one", "other"]})
    assert load_config(path).ingest.compare_with == (folder / "one", folder / "other")
    assert load_config(define()).ingest.compare_with == ()
    line = only(define(ingest={"compare_with": ["one", "othr"]}))
    assert all(part in line for part in ("ingest.compare_with", "no such folder", "did you mean", "other?")), line


def test_folder_to_compare_with_typed_on_the_command_line_is_relative_to_the_current_folder(define, tmp_path):
    (tmp_path / "elsewhere" / "one").mkdir()
    config = load_config(define(), ["ingest.compare_with=[one]"])
    assert config.ingest.compare_with == (tmp_path / "elsewhere" / "one",)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("name: a\nname: b\n", ("line 2", "'name' stands twice")),
        ("train:\n  epochs: 1\n  epochs: 2\n", ("line 3", "'epochs' stands twice")),
        ("source: {kind: images, kind: dicom}\n", ("'kind' stands twice",)),
        ("name: [a\n", ("line 2", "not valid YAML")),
        ("name: a\n\tseed: 1\n", ("line 2", "not valid YAML")),
        ("- a\n", ("not a mapping of keys, but list",)),
        ("", ("not a mapping of keys",)),
    ],
)
def test_broken_yaml_is_one_line_with_its_place(folder, text, parts):
    path = folder / "broken.yaml"
    path.write_text(text)
    line = only(path)
    assert line.startswith(f"{path}:")
    assert all(part in line for part in parts), line


def test_missing_pipeline_is_told_with_the_nearest_name(define):
    path = define()
    assert only(path.with_name("pipelin.yaml")).endswith(f"no such pipeline file; did you mean {path}?")
    assert "no such pipeline file" in only(path / "x.yaml")
    assert "cannot be read: Is a directory" in only(path.parent)


def test_pipeline_that_is_no_text_is_refused(folder):
    (folder / "pipeline.yaml").write_bytes(b"\xff\xfe\x00\x81")
    assert "cannot be read" in only(folder / "pipeline.yaml")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("epochs", "an override is written key=value"),
        ("=3", "an override is written key=value"),
        ("train.epochs=[1", "the value is not valid YAML"),
        ("seed.x=1", "'seed.x': seed is a value, it has no keys of its own"),
    ],
)
def test_malformed_override_is_explained(define, override, message):
    assert message in only(define(seed=1), override)


@given(st.text(alphabet="abcz.=[]{}:'\"1 #&*!|>%@`,-\n", max_size=14))
def test_any_override_is_read_or_refused_in_words(text):
    path = REPOSITORY / "pipelines" / "none.yaml"
    with pytest.raises(ConfigError):  # the file is missing, which is told before or after the override
        load_config(path, [text])


def test_every_key_that_is_listed_is_known(define):
    keys = [key for key, _ in describe_keys()]
    assert {"train.augment.rotate_degrees", "source.official.test", "model.head.kind", "source.key_file"} <= set(keys)
    assert {"split.folds", "split.new_patients", "source.official.val", "source.image_table", "ingest.compare_with"} <= set(
        keys
    )
    assert {key.partition(".")[0] for key in keys} == set(PipelineConfig.model_fields)


def test_nearest_path_of_a_missing_folder_is_nothing(tmp_path):
    assert nearest_path(tmp_path / "none" / "x") == ""


@pytest.mark.parametrize("path", sorted((REPOSITORY / "pipelines").glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_pipeline_has_known_keys_only(path):
    try:
        load_config(path)
    except ConfigError as error:
        # its data need not be here
        assert not [line for line in str(error).split("\n") if "no such" not in line and "no label set" not in line]  # noqa: PT017


@pytest.mark.parametrize("module", ["cxr", "cxr.config", "cxr.cli.main", "cxr.labels", "cxr.errors"])
def test_heavy_libraries_are_not_imported_for_a_configuration(module):
    heavy = ("torch", "mlflow", "timm", "albumentations", "cv2", "pandas", "sklearn", "matplotlib")
    code = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


STACKED = {"stacked": {"heads": [3, 6, 12]}}


def test_stacked_heads_and_how_they_are_trained_are_read_together(define):
    training = {"regime": "weighted", "weights": [1, 2, 1]}
    config = load_config(define(model=STACKED, train={"stacked": training}))
    assert config.model.stacked.heads == (3, 6, 12)
    assert config.model.stacked.share_head
    assert config.train.stacked.weights == (1, 2, 1)
    assert load_config(define()).model.stacked is None
    assert load_config(define(model={"stacked": {}})).model.stacked.heads == tuple(range(3, 13))


@pytest.mark.parametrize(
    "training", [{"regime": "uniform"}, {"distillation": 0.7}, {"regime": "weighted", "weights": [1]}], ids=str
)
def test_training_of_widths_that_there_are_not_is_refused(define, training):
    line = only(define(train={"stacked": training}))
    assert "'train.stacked' is without effect where there is no 'model.stacked'" in line


@pytest.mark.parametrize("weights", [[1], [1, 2], [1, 2, 3, 4]], ids=len)
def test_weights_are_as_many_as_numbers_of_heads(define, weights):
    line = only(define(model=STACKED, train={"stacked": {"regime": "weighted", "weights": weights}}))
    assert f"'train.stacked.weights' has {len(weights)} values, 'model.stacked.heads' 3" in line


@pytest.mark.parametrize(
    ("training", "part"),
    [
        ({"regime": "uniform", "weights": [1, 1, 1]}, "'weights' and 'regime: weighted' belong together"),
        ({"weights": [1, 1, 1]}, "'weights' and 'regime: weighted' belong together"),
        ({"regime": "weighted"}, "'weights' and 'regime: weighted' belong together"),
        ({"regime": "weighted", "weights": [1, 0, 1]}, "greater than 0"),
        ({"regime": "uniform", "distillation": 0.5}, "'distillation' belongs to 'regime: sandwich'"),
        ({"distillation": 1.5}, "less than"),
        ({"regime": "widest"}, "'sandwich', 'uniform' or 'weighted'"),
    ],
    ids=str,
)
def test_a_regime_that_cannot_be_meant_is_refused(define, training, part):
    assert part in only(define(model=STACKED, train={"stacked": training}))


@pytest.mark.parametrize("heads", [[], [3], [3, 3], [6, 3], [0, 3], [-3, 3], [3.5, 6]], ids=str)
def test_numbers_of_heads_are_two_or_more_and_rise(define, heads):
    assert all("model.stacked" in line for line in problems(define(model={"stacked": {"heads": heads}})))


def test_initial_weights_come_from_one_place(define, folder):
    (folder / "deit.safetensors").touch()
    line = only(define(model={"weights": "deit.safetensors", "hub": "timm/deit"}))
    assert "'weights' and 'hub' exclude each other" in line
    assert load_config(define(model={"hub": "timm/deit@v1"})).model.hub == "timm/deit@v1"
    assert load_config(define(model={"weights": "deit.safetensors"})).model.weights == folder / "deit.safetensors"


@pytest.mark.parametrize("name", ["deit", "timm/deit/base", "https://hub.org/timm/deit"])
def test_what_is_no_name_on_the_hub_is_refused(define, name):
    assert "model.hub" in only(define(model={"hub": name}))


@pytest.mark.parametrize(
    ("training", "part"),
    [
        ({"freeze_epochs": 2}, "'train.freeze_epochs' would freeze random weights"),
        ({"loss": {"pairwise": 0.5}, "micro_batch": 1}, "'loss.pairwise' is about pairs of images"),
        ({"loss": {"pairwise": 0.5}, "batch_size": 1}, "'loss.pairwise' is about pairs of images"),
        ({"loss": {"focus": 2}}, "'focus' belongs to 'kind: focal'; here it is bce"),
        ({"loss": {"kind": "focal", "margin": 0.1}}, "'margin' belongs to 'kind: asymmetric'; here it is focal"),
    ],
    ids=str,
)
def test_a_training_in_which_a_key_could_do_nothing_is_refused(define, training, part):
    assert part in only(define(train=training))
