"""What a request holds, and how an answer is written."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.errors import DataError
from cxr.ingest.outcome import Refused
from cxr.serve.request import as_answer, files_of


@given(st.lists(st.binary(), min_size=1))
def test_bytes_and_their_base64_text_mean_the_same(contents):
    texts = [base64.b64encode(content).decode() for content in contents]
    broken_lines = [base64.encodebytes(content).decode() for content in contents]
    for cells in (contents, texts, broken_lines, [bytearray(content) for content in contents]):
        assert files_of(pd.DataFrame({"dicom": pd.Series(cells, dtype=object)})) == contents


@pytest.mark.parametrize("text", ["?", "abc", "äöü", "QUJD-QUJD", "=", "QQ=Q"])
def test_text_that_is_no_base64_costs_its_row_alone(text):
    first, second = files_of(pd.DataFrame({"dicom": [text, "QUJD"]}))
    assert isinstance(first, Refused)
    assert (first.code, first.detail) == ("unreadable", "neither bytes nor base64 text")
    assert second == b"ABC"


@pytest.mark.parametrize("nothing", [None, np.nan, pd.NA])
def test_rows_may_use_one_column_or_the_other(nothing):
    request = pd.DataFrame({"path": ["/a/b.dcm", nothing, nothing], "dicom": pd.Series([nothing, b"x", nothing], dtype=object)})
    assert files_of(request) == [Path("/a/b.dcm"), b"x", b""]


def test_an_ambiguous_row_and_a_request_without_files_are_refused():
    with pytest.raises(DataError, match="row 2 of the request has both 'dicom' and 'path'"):
        files_of(pd.DataFrame({"path": ["/a", "/b"], "dicom": [None, "QUJD"]}))
    with pytest.raises(DataError, match=r"a request needs a column 'dicom': .*; 'path': "):
        files_of(pd.DataFrame({"image": ["x"]}))


def test_a_path_that_no_system_takes_costs_its_row_alone():
    (refused,) = files_of(pd.DataFrame({"path": ["a\0b"]}))
    assert isinstance(refused, Refused)
    assert refused.code == "not-read"


def test_an_answer_is_valid_json_with_null_for_what_has_no_value():
    table = pd.DataFrame({"a": [0.5, np.nan], "yes": pd.array([True, pd.NA], dtype="boolean"), "reason": ["", "x"]})
    text = json.dumps(as_answer(table).to_dict(orient="records"), allow_nan=False)
    assert json.loads(text) == [{"a": 0.5, "yes": True, "reason": ""}, {"a": None, "yes": None, "reason": "x"}]
