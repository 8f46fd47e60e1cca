from __future__ import annotations

from cxr.config_retrain import PromoteConfig
from cxr.promote.grounds import differing, grounds_of, rule_in_words
from tests.promote.proposals import BAD, GOOD, OPEN, decision_of


def test_rule_in_words_names_every_bound():
    words = rule_in_words(PromoteConfig(margin=0.2, undecided="accept"))
    assert words.split(", ") == ["margin 0.2", "confidence 0.95", "open labels accepted", "calibration error 0.1", "gap 0.1"]
    assert "open labels refused" in rule_in_words(PromoteConfig())
    assert words.count(",") == len(PromoteConfig.model_fields) - 2


def test_only_kept_labels_that_were_left_open_count_as_accepted():
    loose = GOOD.model_copy(update={"holds": None, "label": "Effusion"})
    found = grounds_of(decision_of("a", "b", (BAD, OPEN, loose)))
    assert found.accepted == ("Mass",)
    assert found.weights == "a"
    assert found.words.endswith("; left open and accepted: Mass")


def test_where_no_label_is_the_same_that_is_told():
    nothing = OPEN.model_copy(update={"label": ""})
    assert grounds_of(decision_of("a", "b", (nothing,))).accepted == ("no label is the same in both models",)


def test_of_very_many_open_labels_some_are_kept_and_the_others_counted():
    found = grounds_of(decision_of("a", "b", [OPEN.model_copy(update={"label": "x" * 60})] * 300))
    assert found.accepted[-1] == "and 290 more, which decision.json of the run has"
    assert len(found.accepted) == 11


def test_rules_differ_by_bounds():
    assert differing("margin 0.05, gap 0.1", "margin 0.2, gap 0.1") == "margin 0.05"
