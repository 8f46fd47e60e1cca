from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.ingest.label_audit.cells import Cells
from cxr.ingest.label_audit.policies import BLANKS, UNCERTAINS, LabelAccount
from cxr.labels.label_set import Label, LabelSet

CELLS = Cells(positive=30, negative=70, uncertain=50, blank=850, unlabelled=9)


@given(
    st.lists(st.integers(0, 4), max_size=40),
    st.sampled_from(BLANKS),
    st.sampled_from(UNCERTAINS) | st.floats(0, 1),
)
def test_what_is_in_force_is_what_training_and_the_manifest_get(codes, blank, uncertain):
    label = Label(name="a", blank=blank, uncertain=uncertain)
    labels, column = LabelSet(name="set", labels=(label,)), np.array(codes, np.int8).reshape(-1, 1)
    account = LabelAccount(label, Cells(*(codes.count(code) for code in (1, 0, 2, 4, 3))))
    settled = labels.settle(column)
    targets = labels.targets(settled)
    assert account.in_force.known == int((~np.isnan(targets)).sum())
    assert account.in_force.positive == pytest.approx(float(np.nansum(targets)), abs=1e-4)
    assert (account.positive, account.known) == (int((settled == 1).sum()), int((settled <= 1).sum()))


def test_each_choice_of_policies_by_hand():
    account = LabelAccount(Label(name="a"), CELLS)
    found = {(blank, uncertain): (reading.positive, reading.known) for blank, uncertain, reading in account.readings()}
    assert found == {
        ("unknown", "ignore"): (30, 100),
        ("unknown", "negative"): (30, 150),
        ("unknown", "positive"): (80, 150),
        ("negative", "ignore"): (30, 950),
        ("negative", "negative"): (30, 1000),
        ("negative", "positive"): (80, 1000),
    }
    assert account.factor == pytest.approx((80 / 150) / (30 / 1000))


@pytest.mark.parametrize(("uncertain", "same"), [("ignore", "ignore"), (1.0, "positive"), (0, "negative"), (0.6, None)])
def test_the_choice_in_force_is_known_by_what_it_does(uncertain, same):
    account = LabelAccount(Label(name="a", blank="negative", uncertain=uncertain), CELLS)
    in_force = [(blank, choice) for blank in BLANKS for choice in UNCERTAINS if account.is_in_force(blank, choice)]
    assert in_force == ([("negative", same)] if same else [])


def test_a_label_of_which_nothing_is_known_has_no_prevalence():
    account = LabelAccount(Label(name="a"), Cells(0, 0, 0, 0, 5))
    assert math.isnan(account.prevalence)
    assert math.isnan(account.in_force.prevalence)
    assert account.factor == 1
