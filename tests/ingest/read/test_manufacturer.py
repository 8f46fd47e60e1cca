"""Of the manufacturer's free text only a name of the list leaves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.ingest.read.manufacturer import maker
from cxr.phantom import header


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Agfa-Gevaert AG", "Agfa"),
        ("GE MEDICAL SYSTEMS", "GE"),
        ('"GE Healthcare"', "GE"),
        ("General Electric", "GE"),
        ("FUJI PHOTO FILM Co., ltd.", "Fujifilm"),
        ("FUJIFILM Corporation", "Fujifilm"),
        ("KONICA MINOLTA", "Konica Minolta"),
        ("Konica", "Konica Minolta"),
        ("Philips Medical Systems", "Philips"),
        ("  siemens\0", "Siemens"),
        ("TOSHIBA_MEC", "Toshiba"),
        ("Carestream Health", "Carestream"),
        ("", ""),
        ("  ", ""),
        ("DOE^JANE", "other"),
        ("Gerhard Maier", "other"),
        ("Imaging", "other"),
    ],
)
def test_maker_is_found_by_whole_words(text, name):
    assert maker(text) == name


@given(st.text(max_size=60))
def test_any_text_gives_a_word_of_the_list_and_nothing_of_its_own(text):
    known = maker(text)
    assert known in ("", "other") or maker(known) == known
    assert (known == "") == (not text.strip())


def test_makers_of_the_phantom_are_on_the_list():
    assert [maker(name) for name, _, _ in header._DEVICES] == [name for name, _, _ in header._DEVICES]
