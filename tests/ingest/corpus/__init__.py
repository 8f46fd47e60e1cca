"""Malformed and odd DICOM files, made on the spot, each with the outcome that ingest documents for it.

Every file is derived from a picture of its own, so that none of them is a duplicate of another. `OddFile.twin` is the clean
file that must read as the same picture, where the outcome promises one.
"""

from __future__ import annotations

from tests.ingest.corpus import accepted, bombs, corrected, flagged, header, large, not_whole, skipped, structure
from tests.ingest.corpus.odd_file import OddFile
from tests.ingest.corpus.pictures import thorax

# the place of a file in this order is the number of its picture
_MODULES = (not_whole, bombs, structure, header, corrected, flagged, skipped, accepted, large)
_RECIPES = [recipe for module in _MODULES for recipe in module.group.recipes]

CORPUS: tuple[OddFile, ...] = tuple(recipe(thorax(number)) for number, recipe in enumerate(_RECIPES))
