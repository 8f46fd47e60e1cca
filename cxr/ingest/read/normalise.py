"""From stored pixel codes to grey values for display, by the DICOM standard and in its order, polarity applied once.

stored value (HighBit, BitsStored, sign) -> Modality LUT or rescale -> one VOI LUT or window -> polarity -> 8 or 16 bit.
Every step is a function of the stored code alone, so it is computed once for all 2^BitsStored codes and then looked up.
Sources: PS3.3 C.7.6.3 (Image Pixel), C.11.1 (Modality LUT), C.11.2 (VOI LUT), C.11.6 (Presentation LUT Shape).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydicom import uid
from pydicom.dataset import Dataset

from cxr.ingest.outcome import Refused
from cxr.ingest.read.bits import Layout, layout_of
from cxr.ingest.read.lut import looked_up, read_lut
from cxr.ingest.read.numbers import known_word, numbers
from cxr.ingest.read.padding import Padding, padding_of
from cxr.ingest.read.polarity import polarity_of
from cxr.ingest.read.radiograph import Grey
from cxr.ingest.read.window import FUNCTIONS, Values, usable, window

VERSION = 3
"""Raised whenever the same file would give another canonical image."""

_SAMPLES = 128  # rows and columns, at least, that are looked at to judge a window
_TOO_FLAT = 8 / 256  # what a window must show of the grey scale, between the 1st and the 99th percentile of the pixels


@dataclass(frozen=True)
class Normalised:
    """A radiograph in grey values for display.

    Args:
        pixels: uint8 or uint16 [height, width], 0 black to the largest value white, high attenuation bright.
        decisions: what was done to the stored values, in words, by step: bits, modality, voi, polarity, padding.
        codes: of what was corrected and of what is odd; see `cxr.ingest.outcome.CODES`.
    """

    pixels: Grey
    decisions: dict[str, str] = field(default_factory=dict)
    codes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Step:
    """What one step makes of each code: values, in words what it did, codes of what is odd, and the range of its values."""

    values: Values
    words: str
    codes: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 1.0


def normalise(raw: Grey, header: Dataset, bits: Literal[8, 16] = 8) -> Normalised:
    """Grey values of a decoded frame.

    Args:
        raw: [height, width] of unsigned words of BitsAllocated bits, as decoded.
        header: the attributes of the image, with its file meta information where the file is big endian.
        bits: of the result.

    Raises:
        Refused: the header gives the codes no meaning (bits, slope, LUT), or the image is constant.
    """
    layout = layout_of(header)
    if layout.allocated != 8 * raw.itemsize:
        raise Refused("bits-inconsistent", f"BitsAllocated {layout.allocated}, decoded are {8 * raw.itemsize}")
    padding = padding_of(header, layout, little_endian=_little_endian(header))
    image = _sample(raw, layout, padding)
    modality = _modality(layout.values(), header)
    shown = _shown(modality, header, image)
    polarity = polarity_of(header)
    top = (1 << bits) - 1
    levels = np.round(top * (1 - shown.values if polarity.inverted else shown.values)).astype(f"u{bits // 8}")
    if padding is not None:
        levels[padding.codes] = 0
    pixels = looked_up(raw, levels[_code_of_word(layout)])
    if levels[image].min() == levels[image].max() and pixels.min() == pixels.max():
        raise Refused("constant", f"after {shown.words}")
    decisions = {"bits": layout.words, "modality": modality.words, "voi": shown.words, "polarity": polarity.words}
    padded = padding is not None and _any_padded(raw, layout, padding)
    if padding is not None:
        decisions["padding"] = f"{padding.words}, {'made black' if padded else 'not in the image'}"
    odd_bit = layout.high != layout.stored - 1
    corrected = (*(("high-bit",) if odd_bit else ()), *(("padding",) if padded else ()))
    return Normalised(pixels, decisions, (*corrected, *modality.codes, *shown.codes, *polarity.codes))


def _little_endian(header: Dataset) -> bool:
    meta = getattr(header, "file_meta", None)
    return meta is None or meta.get("TransferSyntaxUID") != uid.ExplicitVRBigEndian


def _sample(raw: Grey, layout: Layout, padding: Padding | None) -> Grey:
    """Codes of evenly spread pixels that are no padding; of all of them where those are alike.

    Raises:
        Refused: all of the image has one code.
    """
    steps = (max(1, side // _SAMPLES) for side in raw.shape)
    for rows, columns in (tuple(steps), (1, 1)):
        codes = layout.codes(raw[::rows, ::columns]).ravel()
        codes = codes if padding is None else codes[~padding.codes[codes]]
        if codes.size and codes.min() < codes.max():
            return codes
    raise Refused("constant", "all pixels have one value" if codes.size else "all pixels are padding")


def _modality(values: Values, header: Dataset) -> _Step:
    if header.get("ModalityLUTSequence"):
        lut = read_lut(header.ModalityLUTSequence[0], little_endian=_little_endian(header))
        modality = lut.look_up(values)
        if modality.min() == modality.max():
            raise Refused("lut-invalid", "all entries of the Modality LUT are one value")
        return _Step(modality, "Modality LUT", (), 0.0, float((1 << lut.bits) - 1))
    slope = next(iter(numbers(header, "RescaleSlope")), 1.0)  # an empty element says as little as none
    intercept = next(iter(numbers(header, "RescaleIntercept")), 0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        rescaled = values * slope + intercept
    if not np.isfinite(rescaled).all() or rescaled.min() == rescaled.max():
        raise Refused("rescale-invalid", f"RescaleSlope {slope:g}, RescaleIntercept {intercept:g}")
    words = "identity" if (slope, intercept) == (1, 0) else f"rescale {slope:g} {intercept:+g}"
    codes = ("negative-slope",) if slope < 0 else ()
    return _Step(rescaled, words, codes, float(rescaled.min()), float(rescaled.max()))


def _shown(modality: _Step, header: Dataset, image: Grey) -> _Step:
    """Display values in [0, 1]: the first VOI LUT, else the first window, else the whole range of the stored bits.

    The whole range also stands in for a window that leaves of an image's 98 middle per cent of pixels fewer than 8 of
    256 grey levels, as one for another image does, or for values before rescaling; unless the image has no more to show.
    """
    voi = _voi(modality.values, header)
    whole = (modality.values - modality.low) / (modality.high - modality.low)
    if voi is None:
        return _Step(whole, "whole range of the stored bits")
    if "window-unusable" in voi.codes:
        return _Step(whole, f"whole range of the stored bits; {voi.words}", voi.codes)
    spread = _spread(voi.values[image])
    if spread < _TOO_FLAT and spread < _spread(whole[image]):
        return _Step(whole, f"whole range of the stored bits; {voi.words} out of range", ("window-out-of-range",))
    return voi


def _spread(shown: Values) -> float:
    low, high = np.percentile(shown, (1, 99))
    return float(high - low)


def _voi(values: Values, header: Dataset) -> _Step | None:
    if header.get("VOILUTSequence"):
        lut = read_lut(header.VOILUTSequence[0], little_endian=_little_endian(header))
        return _Step(lut.look_up(values) / ((1 << lut.bits) - 1), f"VOI LUT 1 of {len(header.VOILUTSequence)}")
    centers, widths = numbers(header, "WindowCenter"), numbers(header, "WindowWidth")
    if not centers or not widths:
        return None
    function = known_word(header.get("VOILUTFunction") or "LINEAR", FUNCTIONS)
    words = f"{centers[0]:g} / {widths[0]:g} {function}"
    if not usable(centers[0], widths[0], function):
        return _Step(values, f"window {words} unusable", ("window-unusable",))
    return _Step(window(values, centers[0], widths[0], function), f"window 1 of {len(centers)}: {words}")


def _code_of_word(layout: Layout) -> npt.NDArray[np.int64]:
    return (np.arange(1 << layout.allocated) >> layout.shift) & layout.mask


def _any_padded(raw: Grey, layout: Layout, padding: Padding) -> bool:
    return bool(looked_up(raw, padding.codes.astype(np.uint8)[_code_of_word(layout)]).any())
