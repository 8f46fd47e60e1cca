"""Corrected: each fault has one remedy, and the picture is then that of the clean file."""

from __future__ import annotations

import gzip

import cv2
import numpy as np

from tests.ingest.corpus.dicom_file import clean, dicom
from tests.ingest.corpus.odd_file import Group, Words
from tests.ingest.corpus.pictures import IMPLICIT
from tests.ingest.corpus.raw import REFERENCE, REFERENCED_IMAGES, SEQUENCE_END, UNDEFINED, element, item, meta_and_body, spliced

group = Group()
corrected = group.corrected


@corrected("It begins with its first element.", "no-preamble", twin=clean)
def no_preamble(words: Words) -> bytes:
    return clean(words)[132:]


@corrected("It begins with its data set, explicit.", "no-preamble", twin=clean)
def no_file_meta(words: Words) -> bytes:
    return meta_and_body(clean(words))[1]


@corrected("It begins with its data set, implicit, as of old.", "no-preamble", twin=clean)
def no_file_meta_implicit(words: Words) -> bytes:
    return meta_and_body(dicom(words, IMPLICIT))[1]


@corrected("Packed by whoever copied it.", "gzip", twin=clean)
def gzipped(words: Words) -> bytes:
    return gzip.compress(clean(words), mtime=0)


@corrected("Packed, and without a preamble.", "gzip", "no-preamble", twin=clean)
def gzipped_without_preamble(words: Words) -> bytes:
    return gzip.compress(no_file_meta_implicit(words), mtime=0)


@corrected("Its elements are implicit, whatever is said of them.", "syntax-mislabelled", twin=clean)
def implicit_as_explicit(words: Words) -> bytes:
    return meta_and_body(clean(words))[0] + meta_and_body(dicom(words, IMPLICIT))[1]


@corrected("Its elements are explicit, whatever is said of them.", "syntax-mislabelled", twin=clean)
def explicit_as_implicit(words: Words) -> bytes:
    return meta_and_body(dicom(words, IMPLICIT))[0] + meta_and_body(clean(words))[1]


@corrected("A sequence ends where an element follows that is no item.", "no-sequence-delimiter", twin=clean)
def no_sequence_delimiter(words: Words) -> bytes:
    return spliced(clean(words), element(REFERENCED_IMAGES, b"SQ", item(REFERENCE), UNDEFINED))


@corrected("An item ends where its sequence does.", "no-sequence-delimiter", twin=clean)
def no_item_delimiter(words: Words) -> bytes:
    opening = element(REFERENCED_IMAGES, b"SQ", item(REFERENCE, UNDEFINED), UNDEFINED)
    return spliced(clean(words), opening + SEQUENCE_END)


@corrected("An item ends where the next begins.", "no-sequence-delimiter", twin=clean)
def no_item_delimiter_between(words: Words) -> bytes:
    opening = element(REFERENCED_IMAGES, b"SQ", item(REFERENCE, UNDEFINED), UNDEFINED)
    return spliced(clean(words), opening + item(REFERENCE) + SEQUENCE_END)


@corrected("The value lies in the upper bits.", "high-bit", twin=clean)
def high_bit_15(words: Words) -> bytes:
    return dicom(words << 4, HighBit=15)


@corrected("Low values are white.", "inverted", twin=clean)
def monochrome1(words: Words) -> bytes:
    return dicom(4095 - words, PhotometricInterpretation="MONOCHROME1")


@corrected("Both say the same, so it is turned once.", "inverted", twin=clean)
def monochrome1_inverse(words: Words) -> bytes:
    return dicom(4095 - words, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE")


@corrected("The slope turns the values, and they are bright where much was absorbed.", "negative-slope", twin=clean)
def negative_slope(words: Words) -> bytes:
    return dicom(4095 - words, RescaleSlope="-1", RescaleIntercept="4095")


@corrected("A word of the standard in another case.", "photometric-spelling", twin=clean)
def photometric_in_lower_case(words: Words) -> bytes:
    return dicom(words, PhotometricInterpretation="monochrome2")


@corrected(
    "A word of the standard with a blank in it, and low values are white.", "inverted", "photometric-spelling", twin=clean
)
def photometric_with_a_blank(words: Words) -> bytes:
    return dicom(4095 - words, PhotometricInterpretation="Monochrome 1")


def turned(words: Words, row: str, column: str) -> bytes:
    return dicom(np.ascontiguousarray(words), PatientOrientation=[row, column])


@corrected("Stored upside down.", "rotated", twin=clean)
def rotated_180(words: Words) -> bytes:
    return turned(np.rot90(words, 2), "R", "H")


@corrected("Stored on its side.", "rotated", twin=clean)
def rotated_90(words: Words) -> bytes:
    return turned(np.rot90(words, -1), "H", "L")


@corrected("Stored on its other side.", "rotated", twin=clean)
def rotated_270(words: Words) -> bytes:
    return turned(np.rot90(words), "F", "R")


@corrected("Stored as seen from behind.", "mirrored", twin=clean)
def mirrored(words: Words) -> bytes:
    return turned(words[:, ::-1], "R", "F")


@corrected("Stored upside down as seen from behind.", "rotated", "mirrored", twin=clean)
def upside_down(words: Words) -> bytes:
    return turned(words[::-1], "L", "H")


@corrected("Rows stored as columns.", "rotated", "mirrored", twin=clean)
def transposed(words: Words) -> bytes:
    return turned(words.T, "F", "L")


def twice_as_high(words: Words) -> bytes:
    return dicom(cv2.resize(words, (80, 192), interpolation=cv2.INTER_LINEAR))


@corrected("Rows lie twice as far apart as columns.", "not-square", twin=twice_as_high)
def high_pixels(words: Words) -> bytes:
    return dicom(words, PixelSpacing=["0.4", "0.2"])


@corrected("Wide pixels, of a picture stored on its side.", "not-square", "rotated", twin=twice_as_high)
def wide_pixels_on_their_side(words: Words) -> bytes:
    return dicom(np.ascontiguousarray(np.rot90(words, -1)), PatientOrientation=["H", "L"], PixelAspectRatio=["1", "2"])


def bordered(words: Words, value: int) -> Words:
    words = words.copy()
    words[:5] = words[-5:] = words[:, :4] = words[:, -4:] = value
    return words


def with_black_border(words: Words) -> bytes:
    return dicom(bordered(words, 0))


@corrected("A white border that the header calls padding.", "padding", twin=with_black_border)
def padding_border(words: Words) -> bytes:
    return dicom(bordered(words, 4095), PixelPaddingValue=4095)


@corrected("Padding of several values.", "padding", twin=with_black_border)
def padding_range(words: Words) -> bytes:
    words = bordered(words, 4095)
    words[:2] = 4080
    return dicom(words, PixelPaddingValue=4095, PixelPaddingRangeLimit=4080)


@corrected("Padding, turned values and a mirrored picture at once.", "padding", "inverted", "mirrored", twin=with_black_border)
def several_corrections(words: Words) -> bytes:
    words = np.ascontiguousarray((4095 - bordered(words, 4095))[:, ::-1])
    return dicom(words, PhotometricInterpretation="MONOCHROME1", PixelPaddingValue=0, PatientOrientation=["R", "F"])
