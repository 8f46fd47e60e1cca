"""The elements of a DICOM data set, walked strictly: an element twice, past the end or too deep is told, never passed over.

Libraries read such files without a word: of an element that stands twice the last one wins, one that reaches past the end
swallows what follows. Two faults have one reading only and are mended: a sequence or an item of undefined length that does
not say where it ends. Source: PS3.5, 7.1 (elements), 7.5 (sequences), A.4 (encapsulated pixel data).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from pydicom.datadict import dictionary_has_tag, dictionary_VR

from cxr.ingest.outcome import Refused

PIXEL_DATA = 0x7FE00010
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_DEEPEST = 32
"""Levels of nesting: a structured report has about ten, a radiograph three."""
_LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_SHORT = frozenset({b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH"})
VALUE_REPRESENTATIONS = _LONG | _SHORT | {b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US"}


Data = bytes | memoryview


@dataclass(frozen=True)
class Encoding:
    """How elements are written.

    Args:
        implicit: without value representations.
        little: little endian.
    """

    implicit: bool
    little: bool = True

    @property
    def order(self) -> str:
        """Byte order as `struct` writes it."""
        return "<" if self.little else ">"


@dataclass(frozen=True)
class Element:
    """Where an element lies.

    Args:
        tag: group and element as one number.
        start: offset of the tag.
        value: offset of the value.
        length: of the value, in bytes; None where it is undefined.
        representation: two letters, empty where implicit.
    """

    tag: int
    start: int
    value: int
    length: int | None
    representation: bytes


@dataclass
class Structure:
    """The top level of a data set.

    Args:
        elements: in their order.
        mended: delimiters that are missing, by the offset before which they belong.
        pixels: (start, end) of the value of Pixel Data, without its sequence delimiter; None where there is none.
    """

    elements: list[Element] = field(default_factory=list)
    mended: list[tuple[int, bytes]] = field(default_factory=list)
    pixels: tuple[int, int] | None = None

    def header(self, data: Data) -> bytes:
        """The bytes of all elements before Pixel Data, mended."""
        first = next((e.start for e in self.elements if e.tag >= PIXEL_DATA), None)
        end = len(data) if first is None else first
        parts, position = [], 0
        for offset, delimiter in self.mended:
            if offset <= end:
                parts += [data[position:offset], delimiter]
                position = offset
        return b"".join([*parts, data[position:end]])


def read_element(data: Data, offset: int, encoding: Encoding, end: int | None = None) -> Element:
    """The element at an offset, which must end before `end`, by default that of the data.

    Raises:
        Refused: the data end inside it ("truncated"), or it is none ("unreadable").
    """
    end = len(data) if end is None else end
    try:
        group, element = struct.unpack_from(encoding.order + "HH", data, offset)
        tag = group << 16 | element
        if encoding.implicit or group == 0xFFFE:  # items and delimiters have no value representation in any encoding
            (length,) = struct.unpack_from(encoding.order + "I", data, offset + 4)
            representation, value = b"", offset + 8
        else:
            representation = bytes(data[offset + 4 : offset + 6])
            if representation in _LONG:
                (length,) = struct.unpack_from(encoding.order + "I", data, offset + 8)
                value = offset + 12
            elif representation in VALUE_REPRESENTATIONS:
                (length,) = struct.unpack_from(encoding.order + "H", data, offset + 6)
                value = offset + 8
            else:
                raise Refused("truncated" if end < offset + 8 else "unreadable", "an element without representation")
    except struct.error as error:
        raise Refused("truncated", "an element has no length") from error
    if (value if length == _UNDEFINED else value + length) > end:  # not by how much: in a text read as a length lie letters
        raise Refused("truncated", "an element reaches behind the end")
    return Element(tag, offset, value, None if length == _UNDEFINED else length, representation)


def walk(data: Data, encoding: Encoding, *, header_only: bool = False) -> Structure:
    """Walk over a data set.

    Args:
        data: the data set, without preamble and file meta information.
        encoding: how it is written.
        header_only: stop at Pixel Data, whose value need not be there.

    Raises:
        Refused: "truncated", "duplicate-element", "too-deep" or "unreadable".
    """
    structure, offset, last = Structure(), 0, -1
    while offset < len(data) and not _only_zeros(data, offset):
        if header_only and _tag_at(data, offset, encoding) >= PIXEL_DATA:
            structure.elements.append(Element(PIXEL_DATA, offset, offset, 0, b""))
            break
        element = read_element(data, offset, encoding)
        if element.tag <= last:
            raise Refused("duplicate-element", "twice" if element.tag == last else "out of order")
        last = element.tag
        structure.elements.append(element)
        offset = _end_of(data, element, encoding, structure, 0, len(data))
        if element.tag == PIXEL_DATA:
            structure.pixels = element.value, offset - (8 if element.length is None else 0)
    return structure


def _tag_at(data: Data, offset: int, encoding: Encoding) -> int:
    if len(data) < offset + 4:
        raise Refused("truncated", "an element has no tag")
    group, element = struct.unpack_from(encoding.order + "HH", data, offset)
    return int(group << 16 | element)


def _only_zeros(data: Data, offset: int) -> bool:
    """Whether nothing but padding is left: some writers fill the last block of a medium."""
    return data[offset : offset + 8] == b"\0" * min(8, len(data) - offset) and not bytes(data[offset:]).strip(b"\0")


def _end_of(data: Data, element: Element, encoding: Encoding, structure: Structure, depth: int, end: int) -> int:
    """The offset behind an element, which lies in data that end at `end`."""
    if element.length is not None:
        if element.representation == b"SQ" or (encoding.implicit and _known_sequence(element.tag)):
            mended = len(structure.mended)
            _walk_items(data, element.value, encoding, structure, depth, element.value + element.length)
            _refuse_mended(structure, mended)
        return element.value + element.length
    if element.tag == PIXEL_DATA:
        return _end_of_fragments(data, element.value, encoding)
    # an unknown element of undefined length holds an implicit sequence (PS3.5 6.2.2)
    inside = Encoding(implicit=True) if element.representation == b"UN" else encoding
    if element.representation not in (b"", b"SQ", b"UN"):
        raise Refused("unreadable", "an element of undefined length that is no sequence")
    return _walk_items(data, element.value, inside, structure, depth, end, undefined=True)


def _known_sequence(tag: int) -> bool:
    """Whether the standard says that an element is a sequence, where the file does not."""
    return dictionary_has_tag(tag) and dictionary_VR(tag) == "SQ"


def _walk_items(
    data: Data, offset: int, encoding: Encoding, structure: Structure, depth: int, end: int, *, undefined: bool = False
) -> int:
    """Walk over the items of a sequence, to its delimiter where its length is undefined, else to its end."""
    if depth >= _DEEPEST:
        raise Refused("too-deep", f"more than {_DEEPEST} levels")
    while undefined or offset < end:
        tag = _tag_at(data, offset, encoding)
        if tag == _SEQUENCE_END and undefined:
            return offset + 8
        if tag != _ITEM:
            if not undefined or tag >> 16 == 0xFFFE:
                raise Refused("unreadable", "a sequence holds something that is no item")
            structure.mended.append((offset, _delimiter(_SEQUENCE_END, encoding)))
            return offset
        item = read_element(data, offset, encoding, end)
        offset = item.value if item.length is None else item.value + item.length
        if item.length is None:
            offset = _walk_open_item(data, item.value, encoding, structure, depth, end)
        else:
            _walk_item(data, item.value, encoding, structure, depth, offset)
    return offset


def _walk_item(data: Data, offset: int, encoding: Encoding, structure: Structure, depth: int, end: int) -> None:
    mended = len(structure.mended)
    while offset < end:
        offset = _end_of(data, read_element(data, offset, encoding, end), encoding, structure, depth + 1, end)
    _refuse_mended(structure, mended)


def _refuse_mended(structure: Structure, before: int) -> None:
    """Refuse a delimiter put into what states its length: it would be longer than that, and what follows it misread."""
    if len(structure.mended) > before:
        raise Refused("unreadable", "a delimiter is missing inside a sequence of stated length")


def _walk_open_item(data: Data, offset: int, encoding: Encoding, structure: Structure, depth: int, end: int) -> int:
    """The offset behind an item of undefined length."""
    while True:
        element = read_element(data, offset, encoding, end)
        if element.tag == _ITEM_END:
            return element.value
        if element.tag in (_ITEM, _SEQUENCE_END):  # the next item, or the end of the sequence: this item must have ended
            structure.mended.append((offset, _delimiter(_ITEM_END, encoding)))
            return offset
        offset = _end_of(data, element, encoding, structure, depth + 1, end)


def _end_of_fragments(data: Data, offset: int, encoding: Encoding) -> int:
    """The offset behind encapsulated pixel data: items of known length, then a delimiter."""
    while True:
        fragment = read_element(data, offset, encoding)
        if fragment.tag == _SEQUENCE_END:
            return fragment.value
        if fragment.tag != _ITEM or fragment.length is None:
            raise Refused("decode-failed", "encapsulated pixel data that are no fragments")
        offset = fragment.value + fragment.length


def _delimiter(tag: int, encoding: Encoding) -> bytes:
    return struct.pack(encoding.order + "HHI", tag >> 16, tag & 0xFFFF, 0)
