"""Shards read on this machine and on a Dask cluster: the same bytes, and plain words where there is no cluster."""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from unittest import mock

import numpy as np
import pytest

from cxr.config import IngestConfig
from cxr.errors import ConfigError, DataError
from cxr.ingest import engine
from cxr.ingest.deidentify import Pseudonyms
from cxr.ingest.read.dicom import ReadOptions
from cxr.ingest.shard import Reading, ShardTask, read_records, record_path
from cxr.ingest.source.folder import FolderFiles
from cxr.ingest.store import Preprocessing

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def poolwork() -> Iterator[ModuleType]:
    """Sources that misbehave; processes find the module by PYTHONPATH."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.syspath_prepend(TESTS)
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS), str(TESTS.parent)]))
        yield importlib.import_module("poolwork")


@pytest.fixture(scope="module")
def cluster(poolwork) -> Iterator[str]:
    """The address of a Dask scheduler with two worker processes."""
    distributed = pytest.importorskip("distributed", reason="Dask is not installed: pip install 'cxr[dask]'")
    logging.getLogger("distributed").setLevel(logging.ERROR)
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    # it sets the number of threads in the environment, and later tests start processes that compare numbers bit for bit
    with mock.patch.dict(os.environ), distributed.LocalCluster(**options) as running:
        yield running.scheduler_address


@pytest.fixture
def tasks(tmp_path, build, write, poolwork):
    """Makes the tasks of twelve files in shards of three, one of which kills its reader, for an output folder."""
    root = tmp_path / "source"
    names = [f"{number:02d}.dcm" for number in range(11)] + ["zz-crash.dcm"]
    for number, name in enumerate(names):
        words = np.random.default_rng(number).integers(0, 256, (20, 16), np.uint8)
        write(build(words, PatientID=f"p{number // 2}", SOPInstanceUID=f"1.2.{number}"), root / name)

    def make(folder: Path, files=None) -> list[ShardTask]:
        for part in ("store", "records"):
            (folder / part).mkdir(parents=True)
        reading = Reading(
            files=files or poolwork.OddFiles(FolderFiles(root), tmp_path), kind="dicom", pseudonyms=Pseudonyms("w", bytes(32)),
            layout=None, options=ReadOptions(), preprocessing=Preprocessing(32, "pad", 1, 1), store=folder / "store",
            records=folder / "records",
        )  # fmt: skip
        return [ShardTask(shard, tuple(names[3 * shard : 3 * shard + 3]), reading) for shard in range(4)]

    return make


def content(folder: Path) -> dict[str, bytes]:
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in folder.rglob("shard-*")}


def test_cluster_of_two_workers_gives_the_local_result_byte_for_byte(tmp_path, tasks, cluster):
    local, remote = tmp_path / "local", tmp_path / "remote"
    config = IngestConfig(size=32, workers=2, file_seconds=20)
    assert sorted(engine.read_shards(tasks(local), config)) == [3] * 4
    assert sorted(engine.read_shards(tasks(remote), config.model_copy(update={"scheduler": cluster}))) == [3] * 4
    assert content(local) == content(remote)
    assert len(content(local)) == 8
    codes = [record.codes for shard in range(4) for record in read_records(record_path(remote / "records", shard))]
    assert codes == [()] * 11 + [("reader-died",)]


def test_error_of_a_source_reaches_the_caller_from_a_cluster_as_it_is(tmp_path, tasks, cluster, poolwork):
    config = IngestConfig(size=32, scheduler=cluster)
    with pytest.raises(DataError, match=r"^the PACS does not answer$"):
        list(engine.read_shards(tasks(tmp_path / "out", poolwork.SilentFiles()), config))


def test_missing_dask_says_how_to_install_it(tmp_path, tasks, monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(engine.importlib, "import_module", missing)
    with pytest.raises(ConfigError, match=r"pip install 'cxr\[dask\]'"):
        list(engine.read_shards(tasks(tmp_path / "out"), IngestConfig(scheduler="tcp://127.0.0.1:9")))


def test_shards_that_are_whole_are_not_read_again(tmp_path, tasks, poolwork):
    made = tasks(tmp_path / "out")
    config = IngestConfig(size=32, workers=1)
    list(engine.read_shards(made, config))
    (tmp_path / "fetched").unlink()
    assert sum(engine.read_shards(made, config)) == 12
    assert not (tmp_path / "fetched").exists()


@pytest.mark.parametrize(("bits", "own"), [(8, 2 * 128 * 1), (16, 2 * 128 * 2)])
def test_memory_limit_of_a_file_comes_on_top_of_the_images_of_its_shard(tmp_path, tasks, monkeypatch, bits, own):
    seen = []
    monkeypatch.setattr(
        engine, "run_tasks", lambda work, tasks, workers, limits, after: seen.append((workers, limits)) or iter(())
    )
    config = IngestConfig(size=1024, bits=bits, workers=9, file_megabytes=100, file_seconds=7, shard_files=128)
    list(engine.read_shards(tasks(tmp_path / "out"), config))
    assert seen == [(4, engine.Limits(7, 100 + own))]
