"""From stored pixel codes to grey values for display, by the DICOM standard and in its order, polarity applied once.

stored value (HighBit, BitsStored, sign) -> Modality LUT or rescale -> one VOI LUT or window -> polarity -> 8 bit.
Every step is a function of the stored code alone, so it is computed once for all 2^BitsStored codes and then looked up.
Sources: PS3.3 C.7.6.3 (Image Pixel), C.11.1 (Modality LUT), C.11.2 (VOI LUT), C.11.6 (Presentation LUT Shape).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from cxr.ingest.outcome import Refused

VERSION = 1
"""Raised whenever the same file would give another canonical image."""

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Normalised:
    """A radiograph in grey values for display.

    Args:
        pixels: uint8 [height, width], 0 black to 255 white, high attenuation bright.
        decisions: what was done to the stored values, in words, by step.
        flags: codes of what contradicts itself in the header; see `cxr.ingest.outcome.CODES`.
    """

    pixels: npt.NDArray[np.uint8]
    decisions: dict[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ()


def normalise(raw: npt.NDArray[np.uint8 | np.uint16], header: Dataset) -> Normalised:
    """Grey values of a decoded frame.

    Args:
        raw: [height, width] of unsigned words of BitsAllocated bits, as decoded.
        header: the attributes of the image.

    Raises:
        Refused: the header gives the codes no meaning (bits, slope, LUT), or the image is constant.
    """
    bits, high = int(header.BitsStored), int(header.get("HighBit", header.BitsStored - 1))
    if not 0 < bits <= 8 * raw.itemsize or not bits - 1 <= high < 8 * raw.itemsize:
        raise Refused("bits-inconsistent", f"BitsStored {bits} and HighBit {high} do not fit {8 * raw.itemsize} bits")
    codes = (raw >> (high + 1 - bits)) & ((1 << bits) - 1)
    if codes.min() == codes.max():
        raise Refused("constant", "all pixels have one value")
    decisions: dict[str, str] = {}
    modality = _modality(_stored_values(bits, signed=bool(header.PixelRepresentation)), header, decisions)
    display = _voi(modality, header, decisions)
    inverted, flags = _polarity(header, decisions)
    pixels = np.round(255 * (1 - display if inverted else display)).astype(np.uint8)[codes]
    if pixels.min() == pixels.max():
        raise Refused("constant", f"after {decisions['voi']}")
    return Normalised(pixels, decisions, flags)


def _stored_values(bits: int, *, signed: bool) -> Values:
    """The value of each code 0 to 2^bits - 1, two's complement where signed."""
    codes = np.arange(1 << bits, dtype=np.float64)
    return np.where(codes >= 1 << (bits - 1), codes - (1 << bits), codes) if signed else codes


def _modality(values: Values, header: Dataset, decisions: dict[str, str]) -> Values:
    if header.get("ModalityLUTSequence"):
        decisions["modality"] = "Modality LUT"
        table, first, _ = _lut(header.ModalityLUTSequence[0])
        return _look_up(values, table, first)
    slope = next(iter(_numbers(header.get("RescaleSlope"))), 1.0)  # an empty element says as little as none
    intercept = next(iter(_numbers(header.get("RescaleIntercept"))), 0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        rescaled = values * slope + intercept
    if slope == 0 or not np.isfinite(rescaled).all():
        raise Refused("rescale-invalid", f"RescaleSlope {slope:g}, RescaleIntercept {intercept:g}")
    decisions["modality"] = "identity" if (slope, intercept) == (1, 0) else f"rescale {slope:g} {intercept:+g}"
    return rescaled


def _voi(values: Values, header: Dataset, decisions: dict[str, str]) -> Values:
    """Display values in [0, 1]: the first VOI LUT, else the first window, else the whole range of the stored bits."""
    if header.get("VOILUTSequence"):
        decisions["voi"] = f"VOI LUT 1 of {len(header.VOILUTSequence)}"
        table, first, bits = _lut(header.VOILUTSequence[0])
        return np.clip(_look_up(values, table, first) / ((1 << bits) - 1), 0, 1)
    centers, widths = _numbers(header.get("WindowCenter")), _numbers(header.get("WindowWidth"))
    if centers and widths:
        function = _known(header.get("VOILUTFunction") or "LINEAR", ("LINEAR", "LINEAR_EXACT", "SIGMOID"))
        if _window_usable(centers[0], widths[0], function):
            decisions["voi"] = f"window 1 of {len(centers)}: {centers[0]:g} / {widths[0]:g} {function}"
            return window(values, centers[0], widths[0], function)
        decisions["voi"] = f"whole range of the stored bits; window {centers[0]:g} / {widths[0]:g} {function} unusable"
    else:
        decisions["voi"] = "whole range of the stored bits"
    low, high = values.min(), values.max()
    if low == high:
        raise Refused("lut-invalid", "all entries of the Modality LUT are one value")
    return np.asarray((values - low) / (high - low))


def _known(text: object, words: tuple[str, ...]) -> str:
    """A word of the standard; any other text of the header must not reach a table, for it may say anything."""
    word = str(text or "").strip().upper()
    return word if word in words else "of another kind"


def _numbers(value: Any) -> list[float]:
    """The numbers of an attribute that may be absent, single, or multi-valued."""
    if value is None or value == "":
        return []
    return [float(part) for part in (value if isinstance(value, list | tuple) or hasattr(value, "append") else [value])]


def _window_usable(center: float, width: float, function: str) -> bool:
    if not np.isfinite([center, width]).all():
        return False
    return function in ("LINEAR", "LINEAR_EXACT", "SIGMOID") and (width >= 1 if function == "LINEAR" else width > 0)


def window(values: Values, center: float, width: float, function: str = "LINEAR") -> Values:
    """Display values in [0, 1] of a window, PS3.3 C.11.2.1.2 and C.11.2.1.3.

    Args:
        values: float64, any shape, output of the modality step.
        center: Window Center, in units of `values`.
        width: Window Width, at least 1 for LINEAR, above 0 else.
        function: VOI LUT Function, "LINEAR", "LINEAR_EXACT" or "SIGMOID".
    """
    if function == "SIGMOID":
        return np.asarray(1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -700, 700))))
    if function == "LINEAR_EXACT":
        return np.clip((values - center) / width + 0.5, 0, 1)
    if width == 1:  # the formula of LINEAR divides by width - 1; its limit is a step
        return np.asarray(values > center - 0.5, np.float64)
    return np.clip((values - (center - 0.5)) / (width - 1) + 0.5, 0, 1)


def _lut(item: Dataset) -> tuple[Values, float, int]:
    """Entries, first value mapped and bits of a LUT; 8-bit entries may be packed two to a word."""
    count, first, bits = (int(part) for part in item.LUTDescriptor)
    count = count or 65536
    data = item.LUTData
    if isinstance(data, bytes):
        entries = np.frombuffer(data, "<u2" if len(data) >= 2 * count else "u1")
    else:
        entries = np.asarray(data, np.int64)
        if len(entries) < count:  # two 8-bit entries in each 16-bit word, the first in its low byte
            entries = np.stack([entries & 0xFF, entries >> 8], axis=1).ravel()
    if len(entries) < count or not 0 < bits <= 16:
        raise Refused("lut-invalid", f"LUT of {count} entries of {bits} bits holds {len(entries)}")
    return entries[:count].astype(np.float64), float(first), bits


def _look_up(values: Values, table: Values, first: float) -> Values:
    """Entries for values; those before the first or behind the last get the first or last entry (C.11.2.1.1)."""
    if values.min() < 0 and first >= 1 << 15:
        first -= 1 << 16  # the descriptor's second value has the sign of the values that are looked up
    return np.asarray(table[np.clip(np.round(values - first), 0, len(table) - 1).astype(np.int64)])


def _polarity(header: Dataset, decisions: dict[str, str]) -> tuple[bool, tuple[str, ...]]:
    """Whether to invert: MONOCHROME1 and Presentation LUT Shape INVERSE say the same thing, so once for both."""
    photometric = str(header.PhotometricInterpretation).strip().upper()
    shape = _known(header.get("PresentationLUTShape"), ("", "IDENTITY", "INVERSE"))
    inverted = photometric == "MONOCHROME1" or shape == "INVERSE"
    agree = shape in ("", "INVERSE" if photometric == "MONOCHROME1" else "IDENTITY")
    decisions["polarity"] = f"{'inverted' if inverted else 'kept'}: {photometric}{', ' if shape else ''}{shape}"
    return inverted, () if agree else ("polarity-contradiction",)
