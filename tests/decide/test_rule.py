from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.config_retrain import PromoteConfig
from cxr.decide.evaluated import EvaluatedGap, EvaluatedLabel
from cxr.decide.rule import KeptLabel, check_calibration, check_gap, check_kept, non_inferior
from cxr.evaluate.interval import Span
from cxr.evaluate.paired import Difference
from cxr.evaluate.trust import FEWEST_PATIENTS
from cxr.evaluate.undefined import Undefined

NONE = Undefined("no positives")
ALIKE = Difference(0.8, 0.8, 0.0, Undefined("resamples do not vary: all give 0.000"), 0, 1.0)


def gap(difference, low, high):
    return Difference(0.8, 0.8 - difference, difference, Span(low, high), 0, 0.3)


def kept(found, with_finding=60, without=200):
    return KeptLabel("Mass", found, "95 % interval", with_finding, without)


def rule(**given):
    return PromoteConfig(**given)


@st.composite
def gaps(draw):
    low, middle, high = sorted(draw(st.tuples(*[st.floats(-0.5, 0.5)] * 3)))
    if draw(st.booleans()):
        return gap(middle, low, high)
    return Difference(0.8, 0.8 - middle, middle, NONE, 0, NONE) if draw(st.booleans()) else Difference(*[NONE] * 4, 0, NONE)


margins = st.floats(0.001, 0.49)


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (gap(0.1, 0.05, 0.15), "holds"),
        (gap(-0.02, -0.04, -0.005), "holds"),  # shown to be worse, but by less than the margin
        (gap(-0.02, -0.05, 0.01), "open"),  # the interval must lie above, not on it
        (gap(-0.02, -0.2, 0.1), "open"),
        (gap(-0.06, -0.2, 0.1), "fails"),
        (gap(-0.05, -0.2, 0.1), "open"),
        (Difference(NONE, NONE, NONE, NONE, 9, NONE), "open"),
        (Difference(0.8, 0.81, -0.01, NONE, 9, NONE), "open"),
        (Difference(0.8, 0.9, -0.1, NONE, 9, NONE), "fails"),
        (ALIKE, "holds"),
    ],
)
def test_a_kept_label_holds_above_the_margin_fails_below_it_and_is_open_between(found, outcome):
    assert non_inferior(kept(found), 0.05) == outcome


@pytest.mark.parametrize("few", [{"with_finding": FEWEST_PATIENTS - 1}, {"without": FEWEST_PATIENTS - 1}])
def test_two_models_alike_on_a_handful_of_patients_show_nothing(few):
    """Two models that both rank three patients with a finding first agree in every resample, whatever a fourth would do."""
    assert non_inferior(kept(ALIKE, **few), 0.05) == "open"
    sentence = check_kept(kept(ALIKE, **few), rule()).sentence
    assert sentence.endswith("new less older is 0 whichever patients are drawn, but these are too few to tell")


@given(gaps(), margins, margins)
def test_a_smaller_margin_never_lets_more_pass(found, one, other):
    small, large = sorted((one, other))
    rank = {"fails": 0, "open": 1, "holds": 2}
    assert rank[non_inferior(kept(found), small)] <= rank[non_inferior(kept(found), large)]


@given(gaps(), margins, st.floats(0, 0.4))
def test_a_better_model_never_does_worse(found, margin, more):
    rank = {"fails": 0, "open": 1, "holds": 2}
    if isinstance(found.difference, Undefined) or isinstance(found.interval, Undefined):
        return
    better = gap(found.difference + more, found.interval.low + more, found.interval.high + more)
    assert rank[non_inferior(kept(found), margin)] <= rank[non_inferior(kept(better), margin)]


@given(gaps(), margins, st.sampled_from(["refuse", "accept"]))
def test_what_is_open_fails_only_where_it_is_to_be_refused(found, margin, undecided):
    check = check_kept(kept(found), rule(margin=margin, undecided=undecided))
    expected = {"holds": True, "fails": False, "open": False if undecided == "refuse" else None}
    assert check.holds is expected[non_inferior(kept(found), margin)]
    assert check.sentence.startswith("Mass: ")


def test_an_open_label_says_how_many_patients_there_are_and_how_far_the_interval_reaches():
    found = kept(gap(-0.01, -0.12, 0.1), with_finding=1)
    refused, accepted = (check_kept(found, rule(undecided=word)).sentence for word in ("refuse", "accept"))
    assert "1 patient with the finding and 200 without it" in refused
    assert "reaches to -0.120, beyond the accepted loss" in refused
    assert "so it is refused (promote.undecided)" in refused
    assert "which is accepted (promote.undecided)" in accepted


def test_what_cannot_be_compared_says_why():
    sentence = check_kept(kept(Difference(NONE, NONE, NONE, NONE, 9, NONE), 0), rule()).sentence
    assert "0 patients with the finding" in sentence
    assert "the models cannot be compared (no positives)" in sentence


def test_a_label_that_fails_or_holds_says_by_what():
    assert check_kept(kept(gap(-0.1, -0.2, -0.05)), rule()).sentence == (
        "Mass: worse than the older model by more than the accepted 0.05: "
        "new less older is -0.100 (95 % interval -0.200 to -0.050)"
    )
    assert check_kept(kept(gap(0.1, 0.05, 0.2)), rule(margin=0.02)).sentence == (
        "Mass: loses less than the accepted 0.02: new less older is +0.100 (95 % interval +0.050 to +0.200)"
    )
    assert check_kept(kept(ALIKE), rule()).sentence.endswith("new less older is 0 whichever patients are drawn")


def test_a_label_that_holds_on_few_patients_carries_a_caution():
    sentence = check_kept(kept(gap(0.1, 0.05, 0.2), with_finding=7), rule()).sentence
    assert sentence.endswith("; caution: only 7 patients with the finding")


def evaluated(error, patients=50):
    return EvaluatedLabel("Mass", 0.8, (0.7, 0.9), error, patients, "", "")


@pytest.mark.parametrize(
    ("error", "patients", "holds"), [(0.1, 50, True), (0.101, 50, False), (0.5, 19, None), (None, 50, None)]
)
def test_calibration_is_judged_where_enough_patients_have_the_finding(error, patients, holds):
    check = check_calibration(evaluated(error, patients), rule())
    assert (check.part, check.label, check.holds) == ("calibration", "Mass", holds)
    assert ("not judged" in check.sentence) == (holds is None)


@given(st.floats(0, 1), st.floats(0.01, 1), st.floats(0.01, 1))
def test_a_smaller_bound_never_lets_more_calibrations_pass(error, one, other):
    small, large = (check_calibration(evaluated(error), rule(calibration_error=bound)) for bound in sorted((one, other)))
    assert small.holds <= large.holds


@pytest.mark.parametrize(
    ("size", "low", "holds"), [(0.3, 0.11, False), (0.3, 0.1, None), (0.3, None, None), (0.1, 0.02, True), (0.0, None, True)]
)
def test_a_gap_fails_where_it_is_shown_to_be_above_the_bound(size, low, holds):
    check = check_gap(EvaluatedGap("sex", "Mass", "M", "F", size, low), rule())
    assert (check.part, check.label, check.holds) == ("subgroups", "Mass", holds)
    assert "by sex" in check.sentence
    if size:
        assert f"{size:.3f} between M (higher) and F" in check.sentence


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 1), st.floats(0.01, 1))
def test_a_smaller_bound_never_lets_more_gaps_pass(size, share, one, other):
    found = EvaluatedGap("sex", "Mass", "M", "F", size, size * share)
    rank = {False: 0, None: 1, True: 2}
    small, large = (check_gap(found, rule(gap=bound)) for bound in sorted((one, other)))
    assert rank[small.holds] <= rank[large.holds]
