"""An older model and its split belong together."""

from __future__ import annotations

import pandas as pd
import pytest

from cxr.errors import ConfigError
from cxr.labels.label_set import Label, LabelSet
from cxr.model.card import read_card
from cxr.retrain.fits import refuse_other_split
from cxr.split.frozen import write_split
from cxr.split.split import Split, split_digest
from tests.retrain.conftest import PLAIN

LABELS = LabelSet(name="older", labels=(Label(name="Mass"),))


def split(sides):
    ids = [f"i{index}" for index in range(len(sides))]
    frame = pd.DataFrame({"image_id": ids, "patient_id": ids, "pixel_sha256": ids, "alike": "", "split": list(sides)})
    return Split(frame)


def test_a_split_of_another_training_is_refused_and_that_of_its_own_is_not(older_model, tmp_path):
    own, other = split(["train", "train", "val", "test"]), split(["test", "train", "val", "train"])
    frame = own.frame[own.frame["split"] != "test"]
    card = read_card(older_model(PLAIN, LABELS, split_sha256=split_digest(frame)))
    for made, name in ((own, "own.csv"), (other, "other.csv")):
        write_split(made, tmp_path / name)
    refuse_other_split(card, tmp_path / "own.csv")
    with pytest.raises(ConfigError, match="not the split that the older model was made with"):
        refuse_other_split(card, tmp_path / "other.csv")


def test_a_model_file_that_tells_no_split_is_believed(older_model, tmp_path):
    write_split(split(["train", "val", "test"]), tmp_path / "split.csv")
    refuse_other_split(read_card(older_model(PLAIN, LABELS)), tmp_path / "split.csv")
