"""Accepted: odd, and harmless."""

from __future__ import annotations

import struct

import imagecodecs
import numpy as np
from pydicom import uid

from tests.ingest.corpus.dicom_file import clean, clean_in, dataset, dicom, written
from tests.ingest.corpus.odd_file import Group, Words
from tests.ingest.corpus.pictures import (
    BIG_ENDIAN,
    DEFLATED,
    IMPLICIT,
    baseline_with_restarts,
    compressed,
    in_8_bits,
    lossless_with_restarts,
)
from tests.ingest.corpus.raw import (
    ITEM_END,
    REFERENCE,
    REFERENCED_IMAGES,
    SEQUENCE_END,
    UNDEFINED,
    before_patient,
    element,
    implicit_element,
    item,
    spliced,
)

group = Group()
accepted = group.accepted


@accepted("The last block of a medium is filled up with zeros.", twin=clean)
def zeros_behind(words: Words) -> bytes:
    return clean(words) + bytes(1000)


@accepted("Padding as the standard has it.", twin=clean)
def trailing_padding(words: Words) -> bytes:
    return clean(words) + element(0xFFFCFFFC, b"OB", bytes(512))


@accepted("A preamble that is a TIFF file's header, as the standard allows.", twin=clean)
def preamble_of_tiff(words: Words) -> bytes:
    return b"II*\0\x08\0\0\0".ljust(128, b"\0") + clean(words)[128:]


@accepted("Elements of a manufacturer.", twin=clean)
def private_elements(words: Words) -> bytes:
    data = spliced(clean(words), element(0x00090010, b"LO", b"MAKER 1.0 "))
    data = spliced(data, element(0x00091001, b"UN", bytes(range(200))))
    return spliced(data, element(0x00091002, b"OB", bytes(1 << 20)))


@accepted("An element of the standard under an unknown representation.", twin=clean)
def unknown_kvp(words: Words) -> bytes:
    return spliced(clean(words), element(0x00180060, b"UN", b"125 "))


@accepted("An unknown element of undefined length holds an implicit sequence.", twin=clean)
def unknown_sequence(words: Words) -> bytes:
    inner = item(implicit_element(0x00081155, b"1.2.3.4\0"), UNDEFINED) + ITEM_END
    return spliced(clean(words), element(REFERENCED_IMAGES, b"UN", inner + SEQUENCE_END, UNDEFINED))


@accepted("A sequence of undefined length that ends as it should.", twin=clean)
def sequence_of_undefined_length(words: Words) -> bytes:
    inner = item(REFERENCE, UNDEFINED) + ITEM_END
    return spliced(clean(words), element(REFERENCED_IMAGES, b"SQ", inner + SEQUENCE_END, UNDEFINED))


@accepted("Sequences that are implicit.", twin=clean)
def implicit_sequences(words: Words) -> bytes:
    inner = implicit_element(REFERENCED_IMAGES, item(implicit_element(0x00081155, b"1.2.3.4\0")))
    return before_patient(dicom(words, IMPLICIT), implicit_element(REFERENCED_IMAGES, item(inner)))


@accepted("Ten levels of sequences: a structured report has as many.", twin=clean)
def nested_10(words: Words) -> bytes:
    content = b""
    for _ in range(10):
        content = element(REFERENCED_IMAGES, b"SQ", item(content))
    return spliced(clean(words), content)


@accepted("The lengths of groups, as of old.", twin=clean)
def group_lengths(words: Words) -> bytes:
    return spliced(clean(words), element(0x00280000, b"UL", struct.pack("<I", 200)))


@accepted("A text of an odd number of bytes.", twin=clean)
def odd_length(words: Words) -> bytes:
    return spliced(clean(words), element(0x00081030, b"LO", b"CHEST"))


@accepted("A character set that does not exist, and a name in it.", twin=clean)
def unknown_character_set(words: Words) -> bytes:
    data = spliced(clean(words), element(0x00080005, b"CS", b"ISO_IR 999"))
    return spliced(data, element(0x00100010, b"PN", b"D\xf6e^J\xe4ne "))


@accepted("A window element without a value says nothing.", twin=clean)
def empty_window(words: Words) -> bytes:
    return spliced(spliced(clean(words), element(0x00281050, b"DS", b"")), element(0x00281051, b"DS", b""))


@accepted("A rescale element without a value says nothing.", twin=clean)
def empty_rescale(words: Words) -> bytes:
    return spliced(spliced(clean(words), element(0x00281052, b"DS", b"")), element(0x00281053, b"DS", b""))


def in_a_window(words: Words) -> bytes:
    return dicom(words, WindowCenter="2100", WindowWidth="2400")


@accepted("Of two windows, the first.", twin=in_a_window)
def two_windows(words: Words) -> bytes:
    return dicom(words, WindowCenter=["2100", "900"], WindowWidth=["2400", "300"])


@accepted("A window around the values after rescaling.", twin=in_a_window)
def window_after_rescaling(words: Words) -> bytes:
    return dicom(words, RescaleSlope="1", RescaleIntercept="-1000", WindowCenter="1100", WindowWidth="2400")


@accepted("Big endian, which the standard has retired.", twin=clean)
def big_endian(words: Words) -> bytes:
    return dicom(words, BIG_ENDIAN)


@accepted("Deflated as a whole.", twin=clean)
def deflated(words: Words) -> bytes:
    return dicom(words, DEFLATED)


@accepted("Implicit, without a word about anything.", twin=clean)
def implicit(words: Words) -> bytes:
    return dicom(words, IMPLICIT)


def odd_number_in_rle(words: Words) -> bytes:
    return dicom(np.ascontiguousarray(in_8_bits(words)[:95, :79]), uid.RLELossless)


@accepted("An odd number of pixels of 8 bits, and a byte behind them to make it even.", twin=odd_number_in_rle)
def odd_number_of_pixels(words: Words) -> bytes:
    return dicom(np.ascontiguousarray(in_8_bits(words)[:95, :79]))


@accepted("One codestream in three fragments.", twin=clean)
def three_fragments(words: Words) -> bytes:
    frame = compressed(words, uid.JPEGLSLossless)
    third = len(frame) // 6 * 2
    return dicom(words, uid.JPEGLSLossless, [frame[:third], frame[third : 2 * third], frame[2 * third :]])


def in_8_bit_baseline(words: Words) -> bytes:
    return clean_in(uid.JPEGBaseline8Bit, words)


@accepted("Baseline JPEG with restart markers.", twin=in_8_bit_baseline)
def jpeg_baseline_with_restarts(words: Words) -> bytes:
    words = in_8_bits(words)
    return dicom(words, uid.JPEGBaseline8Bit, baseline_with_restarts(words, 5))


@accepted("JPEG lossless with restart markers.", twin=clean)
def jpeg_lossless_with_restarts(words: Words) -> bytes:
    return dicom(words, uid.JPEGLosslessSV1, lossless_with_restarts(words, 4))


@accepted("A codestream in the file format that belongs to it, which DICOM does not want.", twin=clean)
def jp2_file_inside(words: Words) -> bytes:
    frame = imagecodecs.jpeg2k_encode(words, level=0, codecformat="jp2", reversible=True, bitspersample=12)
    return dicom(words, uid.JPEG2000Lossless, bytes(frame))


@accepted("Values below zero, whose sign fills all upper bits.", twin=clean)
def signed(words: Words) -> bytes:
    return dicom((words.astype(np.int16) - 2048).view(np.uint16), PixelRepresentation=1)


@accepted("An overlay in an unused bit, as of old, that the header tells of.", twin=clean)
def overlay_in_a_bit(words: Words) -> bytes:
    marked = words.copy()
    marked[70:90, 10:20] |= 0x8000
    header = dataset(marked)
    header.add_new(0x60000010, "US", 96)
    header.add_new(0x60000011, "US", 80)
    header.add_new(0x60000100, "US", 16)
    header.add_new(0x60000102, "US", 15)
    return written(header)


@accepted("No frames, says the header, of the one that is there.", twin=clean)
def number_of_frames_0(words: Words) -> bytes:
    return dicom(words, NumberOfFrames=0)


@accepted("Pixels that are square but for rounding.", twin=clean)
def nearly_square(words: Words) -> bytes:
    return dicom(words, ImagerPixelSpacing=["0.1430", "0.1425"])


@accepted("A spacing that no detector has says nothing.", twin=clean)
def spacing_of_zero(words: Words) -> bytes:
    return dicom(words, PixelSpacing=["0", "0.143"], PixelAspectRatio=["2", "1"])


@accepted("An age in words is unknown.", twin=clean)
def age_in_words(words: Words) -> bytes:
    return spliced(clean(words).replace(element(0x00101010, b"AS", b"045Y"), b""), element(0x00101010, b"AS", b"OLD "))


@accepted("A padding value that no pixel has.", twin=clean)
def padding_nowhere(words: Words) -> bytes:
    return dicom(words, PixelPaddingValue=4095)


@accepted("Several parts, of which the chest is one: a newborn.", twin=clean)
def chest_and_abdomen(words: Words) -> bytes:
    return dicom(words, BodyPartExamined="CHESTABDOMEN", PatientAge="002D")


@accepted("A small picture of the picture, which is not the picture.", twin=clean)
def icon(words: Words) -> bytes:
    small = dataset(np.ascontiguousarray(in_8_bits(words)[::4, ::4]))
    for name in ("SOPClassUID", "SOPInstanceUID", "PatientID"):
        delattr(small, name)
    return dicom(words, IconImageSequence=[small])


@accepted("A device of old: CR, and next to nothing in its header.", twin=clean)
def terse(words: Words) -> bytes:
    gone = ("PresentationIntentType", "BurnedInAnnotation", "PatientAge", "PatientSex", "StudyDate", "PatientOrientation")
    return dicom(words, IMPLICIT, without=gone, Modality="CR", SOPClassUID=uid.ComputedRadiographyImageStorage)
