"""Whether low values mean white: PS3.3 C.7.6.3.1.2 (Photometric Interpretation) and C.11.6 (Presentation LUT Shape)."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.dataset import Dataset

from cxr.ingest.outcome import Refused
from cxr.ingest.read.numbers import known_word

MONOCHROME = ("MONOCHROME1", "MONOCHROME2")


@dataclass(frozen=True)
class Polarity:
    """How grey values are to be shown.

    Args:
        inverted: whether they are to be turned.
        words: what says so.
        codes: of what was corrected or is odd; see `cxr.ingest.outcome.CODES`.
    """

    inverted: bool
    words: str
    codes: tuple[str, ...]


def photometric(header: Dataset) -> str:
    """PhotometricInterpretation in capitals and without blanks."""
    return "".join(str(header.get("PhotometricInterpretation") or "").split()).upper()


def polarity_of(header: Dataset) -> Polarity:
    """The polarity. MONOCHROME1 and Presentation LUT Shape INVERSE say the same thing, so it is turned once for both.

    Raises:
        Refused: the image is not monochrome.
    """
    word = photometric(header)
    if word not in MONOCHROME:
        raise Refused("colour")
    shape = known_word(header.get("PresentationLUTShape"), ("", "IDENTITY", "INVERSE"))
    inverted = word == "MONOCHROME1" or shape == "INVERSE"
    agree = shape in ("", "INVERSE" if word == "MONOCHROME1" else "IDENTITY")
    codes = {
        "inverted": inverted,
        "photometric-spelling": str(header.PhotometricInterpretation).strip() != word,
        "polarity-contradiction": not agree,
    }
    words = f"{'inverted' if inverted else 'kept'}: {word}{', ' if shape else ''}{shape}"
    return Polarity(inverted, words, tuple(code for code, holds in codes.items() if holds))
