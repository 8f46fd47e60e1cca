"""The strict walk: what pydicom writes passes, what is broken is named, what has one reading only is mended."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.filebase import DicomFileLike
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence

from cxr.ingest.outcome import CODES, Refused
from cxr.ingest.read.structure import PIXEL_DATA, Encoding, read_element, walk

EXPLICIT, IMPLICIT, BIG = Encoding(implicit=False), Encoding(implicit=True), Encoding(implicit=False, little=False)
SYNTAXES = {EXPLICIT: uid.ExplicitVRLittleEndian, IMPLICIT: uid.ImplicitVRLittleEndian, BIG: uid.ExplicitVRBigEndian}
ITEM_END, SEQUENCE_END = struct.pack("<HHI", 0xFFFE, 0xE00D, 0), struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
OPEN = 0xFFFFFFFF


def element(tag: int, representation: bytes, value: bytes, length: int | None = None) -> bytes:
    """An explicit little endian element; `length` says something else than the value's own."""
    length = len(value) if length is None else length
    long = representation in (b"SQ", b"UN", b"OB", b"OW", b"UT")
    form = "<HH2s2xI" if long else "<HH2sH"
    return struct.pack(form, tag >> 16, tag & 0xFFFF, representation, length) + value


def item(value: bytes, length: int | None = None) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(value) if length is None else length) + value


def refusal(data: bytes, encoding: Encoding = EXPLICIT, **options) -> str:
    with pytest.raises(Refused) as refused:
        walk(data, encoding, **options)
    assert CODES[refused.value.code][0] == "quarantined"
    return refused.value.code


NAME = element(0x00100010, b"PN", b"AB")
PATIENT = element(0x00100020, b"LO", b"42")
SHAPE = element(0x20500020, b"CS", b"INVERSE ")
SEQUENCE = 0x00081140
CODE = element(0x00080100, b"SH", b"T1")
MEANING = element(0x00080104, b"LO", b"Lung")


def mended(data: bytes) -> Dataset:
    """The header as it is read after the walk."""
    return read_dataset(io.BytesIO(walk(data, EXPLICIT).header(data)), False, True)


@st.composite
def datasets(draw, depth: int = 0) -> Dataset:
    """A valid dataset: texts, numbers, private elements, unknown ones, sequences of either kind of length."""
    made = Dataset()
    texts = st.text(st.characters(codec="ascii", exclude_categories=["C"], exclude_characters="\\"), max_size=12)
    if draw(st.booleans()):
        made.StudyDescription = draw(texts)
    if draw(st.booleans()):
        made.Rows = draw(st.integers(0, 65535))
    if draw(st.booleans()):
        made.add_new(0x00090010, "LO", "MAKER")
        made.add_new(0x00091001, "OB", draw(st.binary(max_size=8).map(lambda data: data + b"\0" * (len(data) % 2))))
    if draw(st.booleans()):
        made.add_new(0x00111001, "UN", draw(st.binary(max_size=6).map(lambda data: data * 2)))
    if depth < 3 and draw(st.booleans()):
        items = Sequence([draw(datasets(depth=depth + 1)) for _ in range(draw(st.integers(0, 3)))])
        for entry in items:
            entry.is_undefined_length_sequence_item = draw(st.booleans())
        made.ViewCodeSequence = items
        made["ViewCodeSequence"].is_undefined_length = draw(st.booleans())
    return made


def written(dataset: Dataset, encoding: Encoding) -> bytes:
    buffer = io.BytesIO()
    file = DicomFileLike(buffer)
    file.is_implicit_VR, file.is_little_endian = encoding.implicit, encoding.little
    write_dataset(file, dataset)
    return buffer.getvalue()


@pytest.mark.parametrize("encoding", SYNTAXES)
@settings(max_examples=60, deadline=None)
@given(dataset=datasets())
def test_valid_dataset_is_walked_without_complaint_and_left_as_it_is(encoding, dataset):
    data = written(dataset, encoding)
    structure = walk(data, encoding)
    assert not structure.mended
    assert structure.header(data) == data
    assert [each.tag for each in structure.elements] == sorted(int(each.tag) for each in dataset)
    assert structure.pixels is None


@pytest.mark.parametrize("encoding", SYNTAXES)
@settings(max_examples=60, deadline=None)
@given(dataset=datasets(), data=st.data())
def test_changed_or_cut_dataset_is_walked_or_refused_but_never_another_error(encoding, dataset, data):
    whole = bytearray(written(dataset, encoding) + PATIENT)
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    changed = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    for header_only in (False, True):
        try:
            structure = walk(changed, encoding, header_only=header_only)
        except Refused as refused:
            assert CODES[refused.code][0] == "quarantined"  # noqa: PT017
        else:
            assert len(structure.header(changed)) <= len(changed) + 8 * len(structure.mended)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(list(SYNTAXES)), st.booleans())
def test_any_bytes_are_walked_or_refused(data, encoding, header_only):
    try:
        walk(data, encoding, header_only=header_only)
    except Refused as refused:
        assert refused.code in CODES  # noqa: PT017


def test_element_that_stands_twice_or_out_of_order_is_told():
    assert refusal(NAME + NAME) == "duplicate-element"
    assert refusal(PATIENT + NAME) == "duplicate-element"
    walk(NAME + PATIENT, EXPLICIT)


@pytest.mark.parametrize("cut", [1, 3, 5, 7, 8, 9])
def test_element_that_reaches_past_the_end_is_told(cut):
    assert refusal((NAME + PATIENT)[:-cut]) == "truncated"


def test_element_that_reaches_past_its_item_is_told():
    inner = element(0x00080100, b"SH", b"T1", length=4)
    assert refusal(element(SEQUENCE, b"SQ", item(inner)) + NAME) == "truncated"
    assert refusal(element(SEQUENCE, b"SQ", item(CODE, length=len(CODE) + 2)) + NAME) == "truncated"


def test_sequences_within_sequences_without_end_are_told():
    for deep in (33, 500, 5000):
        assert refusal((element(SEQUENCE, b"SQ", b"", OPEN) + item(b"", OPEN)) * deep) == "too-deep"
    shallow = (element(SEQUENCE, b"SQ", b"", OPEN) + item(b"", OPEN)) * 20 + (ITEM_END + SEQUENCE_END) * 20
    walk(shallow, EXPLICIT)
    nested = b""
    for _ in range(40):
        nested = element(SEQUENCE, b"SQ", item(nested))
    assert refusal(nested) == "too-deep"


def test_something_else_than_an_item_in_a_sequence_is_told():
    assert refusal(element(SEQUENCE, b"SQ", NAME + NAME)) == "unreadable"
    assert refusal(element(SEQUENCE, b"SQ", ITEM_END, OPEN)) == "unreadable"


def test_undefined_length_of_what_is_no_sequence_is_told():
    assert refusal(element(0x00091001, b"OB", b"", OPEN) + SEQUENCE_END) == "unreadable"


@pytest.mark.parametrize(
    "body",
    [
        item(CODE) + item(MEANING),
        item(CODE + ITEM_END, OPEN),
        item(CODE + ITEM_END, OPEN) + item(MEANING),
    ],
)
def test_sequence_that_does_not_say_where_it_ends_ends_before_the_next_element(body):
    data = element(SEQUENCE, b"SQ", body, OPEN) + NAME + SHAPE
    structure = walk(data, EXPLICIT)
    assert structure.mended == [(len(data) - len(NAME + SHAPE), SEQUENCE_END)]
    read = mended(data)
    assert (read.PatientName, read.PresentationLUTShape) == ("AB", "INVERSE")
    assert read[SEQUENCE].value[0].CodeValue == "T1"
    assert len(read) == 3


def test_item_that_does_not_say_where_it_ends_ends_before_the_next_item():
    data = element(SEQUENCE, b"SQ", item(CODE, OPEN) + item(MEANING + ITEM_END, OPEN) + SEQUENCE_END, OPEN) + NAME
    read = mended(data)
    assert [each.get("CodeValue", each.get("CodeMeaning")) for each in read[SEQUENCE].value] == ["T1", "Lung"]
    assert read.PatientName == "AB"


def test_last_item_that_does_not_say_where_it_ends_ends_with_its_sequence():
    read = mended(element(SEQUENCE, b"SQ", item(CODE, OPEN) + SEQUENCE_END, OPEN) + NAME)
    assert (read[SEQUENCE].value[0].CodeValue, read.PatientName) == ("T1", "AB")


def test_fault_inside_a_sequence_of_stated_length_is_told_and_not_mended():
    # a delimiter put in would make the sequence longer than it says: what stands behind it would be misread
    body = item(CODE, OPEN) + item(MEANING + ITEM_END, OPEN)
    assert refusal(element(SEQUENCE, b"SQ", body) + SHAPE) == "unreadable"
    inner = element(SEQUENCE, b"SQ", item(CODE), OPEN) + NAME
    assert refusal(element(SEQUENCE, b"SQ", item(inner)) + SHAPE) == "unreadable"
    assert refusal(element(SEQUENCE, b"SQ", item(inner) + SEQUENCE_END, OPEN) + SHAPE) == "unreadable"


def test_padding_of_zeros_behind_the_last_element_is_no_element():
    data = NAME + PATIENT + bytes(1000)
    assert [each.tag for each in walk(data, EXPLICIT).elements] == [0x00100010, 0x00100020]
    assert mended(NAME + PATIENT).PatientID == "42"
    assert refusal(NAME + bytes(1000) + PATIENT) in ("duplicate-element", "truncated", "unreadable")


def test_pixels_are_found_where_they_lie():
    native = element(PIXEL_DATA, b"OW", b"12345678")
    data = NAME + native + element(0xFFFCFFFC, b"OB", b"zz")
    structure = walk(data, EXPLICIT)
    assert data[slice(*structure.pixels)] == b"12345678"
    assert structure.header(data) == NAME
    fragments = item(b"") + item(b"abcd")
    data = NAME + element(PIXEL_DATA, b"OB", fragments + SEQUENCE_END, OPEN)
    assert data[slice(*walk(data, EXPLICIT).pixels)] == fragments


def test_fragments_without_their_end_or_of_something_else_are_told():
    assert refusal(NAME + element(PIXEL_DATA, b"OB", item(b"") + item(b"abcd"), OPEN)) == "truncated"
    assert refusal(NAME + element(PIXEL_DATA, b"OB", item(b"") + NAME + SEQUENCE_END, OPEN)) == "decode-failed"
    assert refusal(NAME + element(PIXEL_DATA, b"OB", item(b"abcd", OPEN) + SEQUENCE_END, OPEN)) == "decode-failed"


def test_header_alone_needs_no_pixels():
    data = NAME + element(PIXEL_DATA, b"OW", b"", length=1000)
    assert refusal(data) == "truncated"
    structure = walk(data, EXPLICIT, header_only=True)
    assert [each.tag for each in structure.elements] == [0x00100010, PIXEL_DATA]
    assert structure.header(data) == NAME
    assert structure.pixels is None


def test_icon_with_pixels_of_its_own_is_no_image():
    icon = element(PIXEL_DATA, b"OB", item(b"") + item(b"ab") + SEQUENCE_END, OPEN)
    data = element(0x00880200, b"SQ", item(icon)) + element(PIXEL_DATA, b"OW", b"1234")
    structure = walk(data, EXPLICIT)
    assert data[slice(*structure.pixels)] == b"1234"


def test_unknown_element_of_undefined_length_holds_implicit_items():
    inner = struct.pack("<HHI", 0x0008, 0x0100, 2) + b"T1"
    data = element(0x00091001, b"UN", item(inner) + SEQUENCE_END, OPEN) + NAME
    assert not walk(data, EXPLICIT).mended
    assert mended(data).PatientName == "AB"


def test_element_is_read_as_it_stands():
    found = read_element(NAME, 0, EXPLICIT)
    assert (found.tag, found.start, found.value, found.length, found.representation) == (0x00100010, 0, 8, 2, b"PN")
    with pytest.raises(Refused, match="unreadable"):
        read_element(element(0x00100010, b"??", b"AB"), 0, EXPLICIT)
    with pytest.raises(Refused, match="truncated"):
        read_element(NAME, 0, EXPLICIT, end=9)


def test_refusals_quote_numbers_only():
    for data in (NAME + NAME, NAME[:-1], element(SEQUENCE, b"SQ", NAME + NAME)):
        with pytest.raises(Refused) as refused:
            walk(data, EXPLICIT)
        assert "AB" not in refused.value.detail


def test_walk_of_a_long_dataset_takes_a_time_in_proportion():
    items = item(CODE) * 200_000
    assert len(walk(element(SEQUENCE, b"SQ", items), EXPLICIT).elements) == 1
