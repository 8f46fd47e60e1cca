from __future__ import annotations

import importlib.metadata

import pytest

from cxr.errors import CxrError
from cxr.serve.requirements import requirements


def test_requirements_carry_the_ranges_that_the_package_states_and_no_extras(monkeypatch):
    stated = ["torch<2.14,>=2.11", "pandas>=2.2", "rich>=13", "pytest>=8; extra == 'test'", 'numpy>=1; extra == "dask"']
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: stated)
    found = requirements()
    assert found[0] == "torch<2.14,>=2.11"
    assert "pandas>=2.2" in found
    assert "numpy" in found  # not stated outside an extra: any version
    assert not [line for line in found if "pytest" in line or "rich" in line]


def test_a_package_that_is_not_installed_is_told_with_the_way_out(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", missing)
    with pytest.raises(CxrError, match=r"pip install -e \."):
        requirements()
