from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from cxr.bundle.evaluator import ANSWER, FileEvaluator
from cxr.bundle.stored import StoredFile
from cxr.bundle.transforms import DecideFindingsd, NotScoredError
from cxr.errors import CxrError, DataError
from cxr.ingest.outcome import Refused
from cxr.ingest.source.folder import FolderFiles

LABELS = ("a", "b")


def read(data: Any) -> Any:
    name = data["image"].name
    if name == "lateral":
        raise NotScoredError(Refused("lateral", "LL"))
    return {**data, "image": SimpleNamespace(as_tensor=lambda: torch.zeros(1, 2, 2)), "image_codes": ("inverted",)}


@pytest.fixture
def evaluator(tmp_path: Path) -> Callable[..., FileEvaluator]:
    def make(*names: str, calibrated: bool = True, value: float = 0.75) -> FileEvaluator:
        items = [{"image": StoredFile(FolderFiles(tmp_path), name)} for name in names]
        return FileEvaluator(
            dataset=SimpleNamespace(data=items, transform=SimpleNamespace(transforms=(read,))),
            network=torch.nn.Identity(),
            inferer=lambda images, network: torch.full((1, 2), value, dtype=torch.float64),
            postprocessing=DecideFindingsd("pred", LABELS, [0.5, None]) if calibrated else lambda data: data,
            device=torch.device("cpu"),
            labels=LABELS,
            calibrated=calibrated,
            output_dir=str(tmp_path / "out" / "deep"),
        )

    return make


def rows(tmp_path: Path) -> list[dict[str, str]]:
    with (tmp_path / "out" / "deep" / ANSWER).open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_file_has_numbers_or_a_reason(evaluator: Callable[..., FileEvaluator], tmp_path: Path, caplog: Any) -> None:
    evaluator("chest", "lateral").run()
    chest, lateral = rows(tmp_path)
    assert chest == {
        "file": "chest", "outcome": "corrected", "codes": "inverted",
        "reason": "low values mean white in the file; turned, so that high attenuation is bright",
        "a": "0.75", "b": "0.75", "yes/a": "True", "yes/b": "",
    }  # fmt: skip
    assert (lateral["outcome"], lateral["codes"]) == ("skipped", "lateral")
    assert lateral["reason"] == "the view is lateral; frontal radiographs are taken (LL)"
    assert {lateral[name] for name in ("a", "b", "yes/a", "yes/b")} == {""}
    assert "1 of 2 files scored" in caplog.text


def test_uncalibrated_scores_stand_in_columns_that_say_so(evaluator: Callable[..., FileEvaluator], tmp_path: Path) -> None:
    evaluator("chest", calibrated=False).run()
    assert list(rows(tmp_path)[0]) == ["file", "outcome", "codes", "reason", "score/a", "score/b"]


def test_where_the_network_gives_no_probabilities_there_is_no_answer(
    evaluator: Callable[..., FileEvaluator], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="no probabilities"):
        evaluator("chest", value=float("nan")).run()
    assert not (tmp_path / "out").exists()


def test_a_place_that_cannot_be_written_to_is_told_in_words(evaluator: Callable[..., FileEvaluator], tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(CxrError, match="cannot be written: "):
        evaluator("chest").run()
