"""Attributes come as clean text or codes, whatever a header holds."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from cxr.ingest.outcome import Refused
from cxr.ingest.read.attributes import codes, text, values, words

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, of each odd value


def coded(value: str | None = None, scheme: str | None = "SCT", name: str = "CodeValue") -> Dataset:
    item = Dataset()
    if value is not None:
        setattr(item, name, value)
    if scheme is not None:
        item.CodingSchemeDesignator = scheme
    return item


def raw(keyword: str, vr: str, data: bytes) -> Dataset:
    """A header with an element as it stands in a file, not yet converted."""
    header = Dataset()
    tag = Tag(keyword)
    header[tag] = RawDataElement(tag, vr, len(data), data, 0, False, True)
    return header


def test_text_is_stripped_and_empty_where_there_is_none():
    header = Dataset()
    assert text(header, "ViewPosition") == ""
    for value, wanted in (("  PA ", "PA"), ("", ""), (None, ""), ("PA\0", "PA")):
        header.ViewPosition = value
        assert text(header, "ViewPosition") == wanted


def test_number_is_given_as_text():
    header = Dataset()
    header.SamplesPerPixel = 3
    assert text(header, "SamplesPerPixel") == "3"


def test_several_values_are_joined_and_equal_no_single_one():
    header = Dataset()
    header.ViewPosition = ["PA", "AP"]
    assert text(header, "ViewPosition") == "PA\\AP"
    assert values(header, "ViewPosition") == ("PA", "AP")
    header.PatientOrientation = ["", ""]
    assert text(header, "PatientOrientation") == ""


def test_bytes_of_an_unknown_representation_are_read_as_letters():
    assert text(raw("ViewPosition", "OB", b"PA\0"), "ViewPosition") == "PA"


@pytest.mark.parametrize(("vr", "data"), [("XX", b"DOE^JANE"), ("US", b"\1")])
def test_element_that_does_not_fit_its_representation_is_refused_without_its_value(vr, data):
    with pytest.raises(Refused) as refused:
        text(raw("ViewPosition", vr, data), "ViewPosition")
    assert refused.value.code == "unreadable"
    assert "DOE" not in refused.value.detail


def test_sequence_where_a_text_is_looked_for_is_no_text():
    header = Dataset()
    header.add_new("SeriesDescription", "SQ", Sequence([coded("1")]))
    assert text(header, "SeriesDescription") == ""


def test_words_are_upper_case_with_umlauts_spelt_out():
    assert words("Füße bds., Knöcherner_Thorax/p.a.") == ("FUESSE", "BDS", "KNOECHERNER", "THORAX", "P", "A")
    assert words("") == ()


def test_codes_are_scheme_and_value_in_upper_case():
    header = Dataset()
    header.ViewCodeSequence = [coded(" r-10206 ", "srt"), coded("1", "SCT", "LongCodeValue"), coded("2", None)]
    assert codes(header, "ViewCodeSequence") == (("SRT", "R-10206"), ("SCT", "1"), ("", "2"))


def test_items_without_a_value_hold_no_code():
    header = Dataset()
    assert codes(header, "ViewCodeSequence") == ()
    header.ViewCodeSequence = [coded(), Dataset(), coded("", "SCT"), coded("7")]
    assert codes(header, "ViewCodeSequence") == (("SCT", "7"),)
    header.ViewCodeSequence = []
    assert codes(header, "ViewCodeSequence") == ()


@pytest.mark.parametrize("vr", ["LO", "US", "UN", "SQ", "XX", "AT", "FD"])
@settings(max_examples=40, deadline=None)
@given(data=st.binary(max_size=40))
def test_sequence_that_is_none_never_raises(vr, data):
    found = codes(raw("ViewCodeSequence", vr, data), "ViewCodeSequence")
    assert all(len(code) == 2 for code in found)


@settings(max_examples=40, deadline=None)
@given(vr=st.sampled_from(["LO", "US", "UN", "IS", "DS", "PN", "AT", "UI", "DA"]), data=st.binary(max_size=20))
def test_text_of_any_bytes_is_text_or_refused(vr, data):
    with suppress(Refused):
        assert isinstance(text(raw("SeriesDescription", vr, data), "SeriesDescription"), str)
