"""Attributes of a DICOM header as clean text, words or codes, so that every rule about them reads the same thing.

What these functions return is the file's own text, which may hold a name: rules compare it, and never quote it.
"""

from __future__ import annotations

import re
import struct
from typing import Any

from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

from cxr.ingest.outcome import Refused

IMAGE_TEXTS = (
    "SeriesDescription", "AcquisitionDeviceProcessingDescription", "ProtocolName", "AcquisitionProtocolDescription",
)  # fmt: skip
"""Free texts about one image or its series."""
ORDER_TEXTS = ("PerformedProcedureStepDescription", "StudyDescription", "RequestedProcedureDescription")
"""Free texts about everything that was ordered; they are true of several images together."""

# what pydicom raises where the bytes of an element do not fit its value representation
_UNCONVERTIBLE = (
    BytesLengthException, ValueError, TypeError, LookupError, AttributeError, NotImplementedError, OverflowError, EOFError,
    OSError, RecursionError, struct.error,
)  # fmt: skip
_CODE_VALUES = ("CodeValue", "LongCodeValue", "URNCodeValue")
_SPELT_OUT = str.maketrans({"Ä": "AE", "Ö": "OE", "Ü": "UE"})
_NO_WORD = re.compile(r"[^0-9A-Z]+")


def text(header: Dataset, name: str) -> str:
    """An attribute as text without surrounding blanks, empty where there is none.

    Args:
        header: a dataset.
        name: keyword of an attribute.

    Returns:
        The value; several are joined by a backslash, as a file holds them, and so equal no single word.

    Raises:
        Refused: the element's bytes do not fit its value representation.
    """
    parts = values(header, name)
    return "\\".join(parts) if any(parts) else ""


def values(header: Dataset, name: str) -> tuple[str, ...]:
    """The values of an attribute, each as `text` gives a single one; none where there is no such element, or a sequence.

    Raises:
        Refused: the element's bytes do not fit its value representation.
    """
    value = _value(header, name)
    if value is None or isinstance(value, Sequence):
        return ()
    parts = list(value) if isinstance(value, MultiValue | list | tuple) else [value]
    return tuple(_clean(part) for part in parts)


def words(line: str) -> tuple[str, ...]:
    """The words of a text: upper case, umlauts spelt out, split at all that is neither a Latin letter nor a digit."""
    return tuple(_NO_WORD.sub(" ", line.upper().translate(_SPELT_OUT)).split())


def codes(header: Dataset, sequence_name: str) -> tuple[tuple[str, str], ...]:
    """The codes of a code sequence (PS3.3 Table 8.8-1) in upper case; malformed content holds no code.

    Args:
        header: a dataset.
        sequence_name: keyword of an attribute.

    Returns:
        (CodingSchemeDesignator, CodeValue) of each item that has a code; the long and URN forms count as well.
    """
    try:
        items = _value(header, sequence_name)
        if not isinstance(items, Sequence):
            return ()
        found = [(text(item, "CodingSchemeDesignator"), _code_value(item)) for item in items]
    except Refused:
        return ()  # a sequence that cannot be read tells nothing, and what it would tell is in other attributes too
    return tuple((scheme.upper(), value.upper()) for scheme, value in found if value)


def _code_value(item: Dataset) -> str:
    return next((value for value in (text(item, name) for name in _CODE_VALUES) if value), "")


def _value(header: Dataset, name: str) -> Any:
    try:
        return header.get(name)
    except _UNCONVERTIBLE as error:
        raise Refused("unreadable", f"{name} does not fit its value representation") from error


def _clean(part: object) -> str:
    if part is None:
        return ""
    line = part.decode("latin-1") if isinstance(part, bytes) else str(part)
    return line.replace("\0", "").strip()
