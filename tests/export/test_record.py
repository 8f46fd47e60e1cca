from __future__ import annotations

import pytest

from cxr.errors import DataError
from cxr.export.exported import ExportedModel
from cxr.export.record import KEY, as_metadata, from_metadata


def test_card_and_record_come_back_as_they_were(exported) -> None:
    file = ExportedModel(exported("onnx", "float32")[0])
    assert from_metadata(as_metadata(file.card, file.record)) == (file.card, file.record)


def test_metadata_of_another_layout_are_refused_by_the_key(exported) -> None:
    made = exported("onnx", "float32")[1]
    texts = as_metadata(made.card, made.record)
    with pytest.raises(DataError, match=r"it has no 'cxr\.export'"):
        from_metadata({key: text for key, text in texts.items() if key != KEY})
    with pytest.raises(DataError, match="its metadata: format"):
        from_metadata(texts | {KEY: texts[KEY].replace('"format":1', '"format":2')})
