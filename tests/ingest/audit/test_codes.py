from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cxr.errors import DataError
from cxr.ingest.audit.codes import files_by_code


def test_each_code_finds_its_files_and_no_other():
    files = pd.DataFrame({"codes": ["inverted padding", "", "padding", np.nan, "inverted", "inverted padding"]})
    found = {code: np.flatnonzero(having).tolist() for code, having in files_by_code(files)}
    assert found == {"inverted": [0, 4, 5], "padding": [0, 2, 5]}


def test_a_code_is_not_found_inside_another():
    # duplicate, duplicate-other-patient and duplicate-element share their beginning
    files = pd.DataFrame({"codes": ["duplicate-other-patient", "duplicate", "duplicate-element"]})
    assert {code: int(having.sum()) for code, having in files_by_code(files)} == {
        "duplicate-element": 1, "duplicate": 1, "duplicate-other-patient": 1,
    }  # fmt: skip


def test_a_code_without_meaning_is_refused_and_not_quoted():
    with pytest.raises(DataError, match="1 of its codes have no meaning") as caught:
        list(files_by_code(pd.DataFrame({"codes": ["inverted", "Doe^Jane"]})))
    assert "Doe" not in str(caught.value)


def test_no_files_have_no_codes():
    assert list(files_by_code(pd.DataFrame({"codes": []}))) == []
