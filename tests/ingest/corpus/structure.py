"""Quarantined: elements, items and sequences that are not put together as the standard has them."""

from __future__ import annotations

from tests.ingest.corpus.dicom_file import clean, dicom
from tests.ingest.corpus.odd_file import Group, Words
from tests.ingest.corpus.pictures import IMPLICIT, native
from tests.ingest.corpus.raw import (
    ITEM_END,
    PIXEL_DATA,
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
quarantined = group.quarantined


@quarantined("500 sequences inside one another, each with its length.", "too-deep")
def nested_500(words: Words) -> bytes:
    content = b""
    for _ in range(500):
        content = element(REFERENCED_IMAGES, b"SQ", item(content))
    return spliced(clean(words), content)


@quarantined("500 sequences inside one another, of undefined length.", "too-deep")
def nested_500_undefined(words: Words) -> bytes:
    opening = element(REFERENCED_IMAGES, b"SQ", item(b"", UNDEFINED), UNDEFINED)
    return spliced(clean(words), opening * 500 + (ITEM_END + SEQUENCE_END) * 500)


@quarantined("500 sequences inside one another, implicit, each with its length.", "too-deep")
def nested_500_implicit(words: Words) -> bytes:
    content = b""
    for _ in range(500):
        content = implicit_element(REFERENCED_IMAGES, item(content))
    return before_patient(dicom(words, IMPLICIT), content)


@quarantined("500 sequences inside one another, implicit and of undefined length.", "too-deep")
def nested_500_implicit_undefined(words: Words) -> bytes:
    opening = implicit_element(REFERENCED_IMAGES, item(b"", UNDEFINED), UNDEFINED)
    return before_patient(dicom(words, IMPLICIT), opening * 500 + (ITEM_END + SEQUENCE_END) * 500)


@quarantined(
    "An element says that it is longer than the file; a lax reader takes the rest of the file for its value.", "truncated"
)
def element_past_the_end(words: Words) -> bytes:
    return spliced(clean(words), element(0x00204000, b"UT", b"a comment ", 1 << 24))


@quarantined("An element of a sequence reaches out of its item.", "truncated")
def element_past_its_item(words: Words) -> bytes:
    inner = element(0x00081155, b"UI", b"1.2.3.4\0", 4_000)
    return spliced(clean(words), element(REFERENCED_IMAGES, b"SQ", item(inner)))


@quarantined("An item reaches out of its sequence.", "truncated")
def item_past_its_sequence(words: Words) -> bytes:
    return spliced(clean(words), element(REFERENCED_IMAGES, b"SQ", item(bytes(8), 800)))


@quarantined("Two patients: of an element that stands twice, libraries take the last without a word.", "duplicate-element")
def element_twice(words: Words) -> bytes:
    return spliced(clean(words), element(0x00100020, b"LO", b"patient-2 "))


@quarantined("Two images: of pixel data that stand twice, libraries take the last without a word.", "duplicate-element")
def pixel_data_twice(words: Words) -> bytes:
    return clean(words) + element(PIXEL_DATA, b"OW", native(words))


@quarantined("Elements out of order: a reader that stops behind the group it looks for misses one.", "duplicate-element")
def elements_out_of_order(words: Words) -> bytes:
    return spliced(clean(words), element(0x00081030, b"LO", b"CHEST PA"), before=0x00280002)


@quarantined("Two transfer syntaxes.", "duplicate-element")
def file_meta_element_twice(words: Words) -> bytes:
    data = clean(words)
    return spliced(data, element(0x00020010, b"UI", b"1.2.840.10008.1.2.4.80"), before=0x00020012)


@quarantined("An element of a value representation that does not exist.", "unreadable")
def unknown_representation(words: Words) -> bytes:
    return spliced(clean(words), element(0x00081030, b"ZZ", b"CHEST PA"))


@quarantined("A sequence that holds text.", "unreadable")
def sequence_of_text(words: Words) -> bytes:
    return spliced(clean(words), element(REFERENCED_IMAGES, b"SQ", b"reference to the earlier film "))


@quarantined("No element but a sequence or pixel data may leave its length open.", "unreadable")
def text_of_undefined_length(words: Words) -> bytes:
    return spliced(clean(words), element(0x00204000, b"UT", b"a comment " + SEQUENCE_END, UNDEFINED))
