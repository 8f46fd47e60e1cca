"""The shipped NIH pipeline on the official files, for as many steps as a test may take."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient

from cxr.manifest import read_manifest

PIPELINE = Path(__file__).parent.parent.parent / "pipelines" / "nih14.yaml"


@pytest.fixture
def finished(nih_folder, module_workspace, command):
    overrides = [
        "model.backbone=vit_tiny_patch16_224",
        "ingest.size=48",
        "train.epochs=1",
        "model.options={patch_size: 16, embed_dim: 48, depth: 1, num_heads: 1}",
    ]
    outcome = command(
        "run", PIPELINE, f"source.root={nih_folder}", f"workspace={module_workspace}", *overrides, "evaluate.resamples=100"
    )
    assert outcome.code == 0, outcome.err
    return outcome


def official(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "Data_Entry_2017_subset.csv").assign(stem=lambda t: t["Image Index"].str[:-4]).set_index("stem")


def test_official_split_gives_1378_development_and_227_test_images(finished, module_workspace, nih_folder):
    development = read_manifest(module_workspace / "nih14/split/development.parquet")
    test = read_manifest(module_workspace / "nih14/split/test.parquet")
    assert (len(development), len(test)) == (1378, 227)
    listed = {line[:-4] for line in (nih_folder / "test_list.txt").read_text().split()}
    assert set(test.frame["source_name"].str.removeprefix("nih14:")) <= listed
    assert not set(development.frame["patient_id"]) & set(test.frame["patient_id"])


def test_every_label_has_positives_negatives_and_unknowns_beside_its_number(finished, module_workspace, nih_folder):
    metrics = pd.read_csv(module_workspace / "nih14/evaluate/metrics.csv").set_index("label")
    table = official(nih_folder)
    listed = {line[:-4] for line in (nih_folder / "test_list.txt").read_text().split()}
    truth = table[table.index.isin(listed)]["Finding Labels"].str.get_dummies("|")  # counted another way
    labels = [name for name in metrics.index if name != "mean"]
    assert len(labels) == 14
    for name in labels:
        row = metrics.loc[name]
        assert (row["positives"], row["negatives"], row["unknown"]) == (truth[name].sum(), (truth[name] == 0).sum(), 0)


def test_evaluate_run_lists_all_14_labels_with_their_counts(finished, module_workspace):
    client = MlflowClient(f"sqlite:///{module_workspace / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("nih14").experiment_id])
    metrics = next(run.data.metrics for run in runs if run.info.run_name == "evaluate")
    for figure in ("positives", "negatives", "unknown", "auroc"):
        assert len([name for name in metrics if name.startswith(f"test/{figure}/")]) == 14


def test_patients_views_sexes_and_ages_are_the_tables(finished, module_workspace, nih_folder):
    manifest = read_manifest(module_workspace / "nih14/ingest/manifest.parquet").frame
    table = official(nih_folder).loc[manifest["source_name"].str.removeprefix("nih14:")]
    assert (manifest["patient_id"].to_numpy() == ("nih14:" + table["Patient ID"].astype(str)).to_numpy()).all()
    assert (manifest["view"].to_numpy() == table["View Position"].to_numpy()).all()
    assert (manifest["sex"].to_numpy() == table["Patient Gender"].to_numpy()).all()
    assert (manifest["age_years"].to_numpy() == table["Patient Age"].clip(upper=90).to_numpy()).all()


def test_all_official_rows_are_read_with_exact_counts(nih_folder):
    from cxr.ingest.table.layout import read_format
    from cxr.ingest.table.read import read_table
    from cxr.labels.label_set import read_label_set
    from cxr.labels.shipped import SHIPPED
    from cxr.labels.values import POSITIVE

    path = nih_folder / "Data_Entry_2017_v2020.csv.gz"
    labels = read_label_set(SHIPPED / "nih14" / "labels.yaml")
    table = read_table(path, read_format(SHIPPED / "nih14" / "table.yaml"), labels)
    with gzip.open(path, "rt") as file:
        cells = [line.split(",")[1].split("|") for line in file][1:]
    assert len(table) == len(cells) == 112_120
    for index, name in enumerate(labels.names):
        assert (table.codes[:, index] == POSITIVE).sum() == sum(name in cell for cell in cells)
