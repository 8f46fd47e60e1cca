"""The maker of the device, from a list: the attribute itself is free text, which may hold anything."""

from __future__ import annotations

import re

_MAKERS = (
    "Agfa", "Apelem", "Arcoma", "Canon", "Carestream", "Del Medical", "DRGEM", "DRTECH", "Fujifilm", "GE", "GMM", "Hitachi",
    "Hologic", "iCRco", "Imaging Dynamics", "Kodak", "Konica Minolta", "Lodox", "Lumisys", "Mindray", "Oehm und Rehbein",
    "PerkinElmer", "Philips", "PhantomRay", "Phantom Imaging", "Phantom Medical Systems", "Pixxgen", "Rayence", "Samsung",
    "Sedecal", "Shimadzu", "Siemens", "SternMed", "Swissray", "Thales", "Toshiba", "Trixell", "United Imaging", "Varex",
    "Varian", "Vidar", "Vieworks", "Villa", "Wandong", "Ziehm",
)  # fmt: skip
_ALIASES = {
    "fuji": "Fujifilm",
    "fuji photo": "Fujifilm",
    "general electric": "GE",
    "konica": "Konica Minolta",
    "eastman": "Kodak",
}
_WORDS = {**{name.lower(): name for name in _MAKERS}, **_ALIASES}
_PATTERN = re.compile(r"\b(" + "|".join(re.escape(word) for word in sorted(_WORDS, key=len, reverse=True)) + r")\b")


def maker(text: str) -> str:
    """The maker that a text names: one of a fixed list, "other" for any other text, "" for none."""
    found = _PATTERN.search(re.sub(r"[^a-z0-9]+", " ", text.lower()))
    return _WORDS[found.group()] if found else "other" if text.strip() else ""
