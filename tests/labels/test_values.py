"""The values of a label cell and their codes, which every stored table rests on."""

from __future__ import annotations

from cxr.labels.values import BLANK, NEGATIVE, POSITIVE, UNCERTAIN, UNKNOWN, VALUES


def test_values_are_the_codes_written_out():
    assert [VALUES[code] for code in (NEGATIVE, POSITIVE, UNCERTAIN, UNKNOWN)] == ["0", "1", "uncertain", "unknown"]


def test_negative_and_positive_are_their_own_targets():
    assert (NEGATIVE, POSITIVE) == (0, 1)


def test_blank_is_none_of_the_four_so_that_no_manifest_can_hold_it():
    assert BLANK not in range(len(VALUES))
