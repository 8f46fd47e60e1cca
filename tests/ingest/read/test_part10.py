"""A file taken apart: what is corrected, what is refused, and that a valid file reads as pydicom reads it."""

from __future__ import annotations

import gzip
import io
import zlib

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence

from cxr.ingest.outcome import CODES, Refused
from cxr.ingest.read import part10
from cxr.ingest.read.dicom import ReadOptions, judge_header, read_dicom
from cxr.ingest.read.part10 import parse

EXPLICIT, IMPLICIT, BIG = uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian
DEFLATED = uid.DeflatedExplicitVRLittleEndian
STARTS = [b"", bytes(128) + b"DICM", b"\x08\x00", b"\x1f\x8b\x08", b"\x02\x00\x10\x00UI"]
WORDS = np.random.default_rng(0).integers(0, 4096, (24, 20), np.uint16)


@pytest.fixture
def content(build, write):
    """The bytes of a file: `content(words, syntax, **attributes)`."""
    return lambda *arguments, **attributes: write(build(*arguments, **attributes)).read_bytes()


def body_of(data: bytes) -> int:
    """Where the data set begins, behind the file meta information, by its group length."""
    return 144 + int.from_bytes(data[140:144], "little")


def same(one: Dataset, other: Dataset) -> bool:
    """Whether all elements are equal; of pixel data the bytes, whose representation is settled later."""
    pixels = [header.get("PixelData") for header in (one, other)]
    headers = [Dataset({tag: each for tag, each in header.items() if tag != 0x7FE00010}) for header in (one, other)]
    return pixels[0] == pixels[1] and headers[0] == headers[1] and len(one) == len(other)


def refusal(data: bytes, **options) -> str:
    with pytest.raises(Refused) as refused:
        parse(data, **options)
    assert CODES[refused.value.code][0] == "quarantined"
    return refused.value.code


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG, DEFLATED, uid.JPEGLSLossless, uid.RLELossless])
def test_valid_file_is_read_as_pydicom_reads_it_without_a_code(content, syntax):
    data = content(WORDS, syntax, PatientName="Doe^Jane", WindowCenter=[1, 2], ViewCodeSequence=Sequence([Dataset()]))
    file, known = parse(data), pydicom.dcmread(io.BytesIO(data))
    assert file.codes == ()
    assert (file.syntax, file.pixels) == (syntax, True)
    assert same(file.header, known)
    assert not same(file.header, parse(content(WORDS, syntax, PatientName="Doe^John")).header)
    assert file.header.file_meta == known.file_meta


@st.composite
def datasets(draw, depth: int = 0) -> Dataset:
    made = Dataset()
    texts = st.text(st.characters(codec="ascii", exclude_categories=["C"], exclude_characters="\\ "), min_size=1, max_size=12)
    made.StudyDescription = draw(texts)
    if draw(st.booleans()):
        made.Rows = draw(st.integers(0, 65535))
    if draw(st.booleans()):
        made.add_new(0x00090010, "LO", "MAKER")
        made.add_new(0x00091001, "UN", draw(st.binary(max_size=6)) * 2)
        made.add_new(0x00091002, "FD", draw(st.floats(allow_nan=False)))
    if depth < 3 and draw(st.booleans()):
        made.ViewCodeSequence = Sequence([draw(datasets(depth=depth + 1)) for _ in range(draw(st.integers(0, 3)))])
        for entry in made.ViewCodeSequence:
            entry.is_undefined_length_sequence_item = draw(st.booleans())
        made["ViewCodeSequence"].is_undefined_length = draw(st.booleans())
    return made


def file_of(dataset: Dataset, syntax: str) -> bytes:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.UID(syntax)
    dataset.SOPClassUID, dataset.SOPInstanceUID = uid.DigitalXRayImageStorageForPresentation, "1.2.3"
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


@settings(max_examples=80, deadline=None)
@given(datasets(), st.sampled_from([EXPLICIT, IMPLICIT, BIG, DEFLATED]))
def test_any_valid_dataset_is_read_as_pydicom_reads_it(dataset, syntax):
    data = file_of(dataset, syntax)
    file = parse(data)
    assert file.codes == ()
    assert same(file.header, pydicom.dcmread(io.BytesIO(data)))
    assert not file.pixels


@settings(max_examples=120, deadline=None)
@given(
    st.binary(max_size=300), st.sampled_from([b"", bytes(128) + b"DICM", b"\x08\x00", b"\x1f\x8b\x08", b"\x02\x00\x10\x00UI"])
)
def test_any_bytes_are_judged_or_refused_but_never_another_error(data, start):
    for call in (read_dicom, lambda file: judge_header(file, ReadOptions())):
        with pytest.raises(Refused) as refused:
            call(start + data)
        assert refused.value.code in CODES


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(dataset=datasets(), syntax=st.sampled_from([EXPLICIT, IMPLICIT, BIG, DEFLATED]), data=st.data())
def test_changed_file_is_judged_or_refused_but_never_another_error(dataset, syntax, data):
    changed = bytearray(file_of(dataset, syntax))
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(128, len(changed) - 1))] = data.draw(st.integers(0, 255))
    for call in (read_dicom, lambda file: judge_header(file, ReadOptions())):
        with pytest.raises(Refused) as refused:
            call(bytes(changed))
        assert refused.value.code in CODES


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_file_without_preamble_and_meta_is_read_from_its_first_element(content, syntax):
    data = content(WORDS, syntax)
    file = parse(data[body_of(data) :])
    assert file.codes == ("no-preamble",)
    assert file.syntax == syntax
    assert same(file.header, parse(data).header)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG, uid.JPEGLSLossless])
def test_file_without_preamble_only_is_read_from_its_meta(content, syntax):
    data = content(WORDS, syntax)
    file = parse(data[132:])
    assert file.codes == ("no-preamble",)
    assert file.syntax == syntax
    assert same(file.header, parse(data).header)


def test_gzip_is_unpacked(content):
    data = content(WORDS)
    file = parse(gzip.compress(data))
    assert file.codes == ("gzip",)
    assert same(file.header, parse(data).header)


def test_preamble_may_hold_anything(content):
    data = content(WORDS)
    for start in (b"II*\0", b"PK\x03\x04", b"\x89PNG"):
        assert parse(start.ljust(128, b"x") + data[128:]).codes == ()


@pytest.mark.parametrize(("stated", "true"), [(EXPLICIT, IMPLICIT), (IMPLICIT, EXPLICIT)])
def test_meta_that_names_another_encoding_than_the_file_has_is_corrected(content, stated, true):
    one, other = content(WORDS, stated), content(WORDS, true)
    file = parse(one[: body_of(one)] + other[body_of(other) :])
    assert file.codes == ("syntax-mislabelled",)
    assert file.syntax == true
    assert same(file.header, parse(other).header)


def test_compressed_file_with_implicit_elements_stays_compressed(build, content):
    compressed, implicit = content(WORDS, uid.JPEGLSLossless), content(WORDS, IMPLICIT, drop=("PixelData",))
    head = implicit[body_of(implicit) :]
    fragments = parse(compressed).header.PixelData
    tail = b"\xe0\x7f\x10\x00" + b"\xff" * 4 + fragments + b"\xfe\xff\xdd\xe0" + bytes(4)
    file = parse(compressed[: body_of(compressed)] + head + tail)
    assert file.codes == ("syntax-mislabelled",)
    assert file.syntax == uid.JPEGLSLossless
    assert file.header.PixelData == fragments


def test_header_alone_is_read_from_the_first_part_of_a_file(content):
    for syntax in (EXPLICIT, IMPLICIT, BIG, uid.JPEG2000Lossless):
        data = content(np.tile(WORDS, (4, 4)), syntax, PatientName="Doe^Jane")
        start = data.index(b"\x7f\xe0\x00\x10" if syntax == BIG else b"\xe0\x7f\x10\x00")
        file = parse(data[: start + 4], header_only=True)
        assert file.pixels
        assert "PixelData" not in file.header
        assert file.header.PatientName == "Doe^Jane"
        if syntax != uid.JPEG2000Lossless:
            assert refusal(data[: start + 4]) == "truncated"


@pytest.mark.parametrize("packed", [False, True])
def test_header_of_a_packed_file_is_read_from_its_first_part(content, packed):
    large = np.random.default_rng(1).integers(0, 65536, (200, 200), np.uint16)
    data = gzip.compress(content(large)) if packed else content(large, DEFLATED)
    assert parse(data[:8192], header_only=True).pixels
    assert refusal(data[:8192]) == "truncated"


def test_empty_file_and_text_have_their_codes():
    assert refusal(b"") == "empty"
    assert refusal(b"To whom it may concern\n" * 40) == "unreadable"
    assert refusal(bytes(200)) == "unreadable"
    assert refusal(bytes(128) + b"DICX" + bytes(100)) == "unreadable"
    assert refusal(b"\x08\x00\x05\x00ward round") == "unreadable"


def test_meta_information_with_an_element_twice_is_told(content):
    data = content(WORDS)
    assert refusal(data[:132] + data[132 : body_of(data)] + data[132:]) == "duplicate-element"


def test_data_after_the_end_of_a_dataset_are_told(content):
    data = content(WORDS)
    assert refusal(data + data[body_of(data) :]) == "duplicate-element"
    assert parse(data + bytes(512)).codes == ()


def test_bomb_in_gzip_or_deflate_is_not_unpacked(content, monkeypatch):
    monkeypatch.setattr(part10, "LARGEST_FILE", 10**6)
    assert refusal(gzip.compress(bytes(2 * 10**6))) == "too-large"
    data = content(WORDS, DEFLATED)
    raw = zlib.compressobj(9, wbits=-15)
    assert refusal(data[: body_of(data)] + raw.compress(bytes(2 * 10**6)) + raw.flush()) == "too-large"


@pytest.mark.parametrize("start", [10, 60])
def test_damaged_compression_is_told(content, start):
    packed = bytearray(gzip.compress(content(WORDS)))
    packed[start : start + 20] = b"\xff" * 20
    assert refusal(bytes(packed)) in ("unreadable", "truncated")
    whole = gzip.compress(content(WORDS))
    assert refusal(whole[:-12]) == "truncated"


def test_group_of_pixels_without_a_transfer_syntax_is_read_as_implicit(content):
    data = content(WORDS, IMPLICIT)
    meta = data.index(b"\x02\x00\x10\x00UI")
    length = 8 + int.from_bytes(data[meta + 6 : meta + 8], "little")
    file = parse(data[:meta] + data[meta + length :])
    assert file.syntax == IMPLICIT
    assert same(file.header, parse(data).header)


def test_pixel_data_are_not_copied_out_of_the_file(content):
    data = content(WORDS, uid.JPEGLSLossless)
    assert parse(data).header.PixelData.obj is data
