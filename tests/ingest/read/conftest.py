"""Headers as the tests of reading them need: a code in one sequence, and whatever attributes are asked for."""

from __future__ import annotations

from typing import Any

from pydicom.dataset import Dataset


def header_with_code(sequence: str, code: str = "", scheme: str = "SCT", **attributes: Any) -> Dataset:
    """A header whose sequence of that name holds one code, or that lacks the sequence where there is no code."""
    header = Dataset()
    if code:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator = code, scheme
        setattr(header, sequence, [item])
    for name, value in attributes.items():
        setattr(header, name, value)
    return header
