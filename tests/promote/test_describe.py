from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from cxr.promote.candidate import Candidate
from cxr.promote.describe import describe_decisions, describe_facts
from cxr.promote.grounds import Grounds
from cxr.promote.history import HEADING
from cxr.tracking.registry import LONGEST
from cxr.tracking.runs import DataUsed, KeptRun, LoggedModel
from tests.promote.proposals import decision_of, verdict
from tests.promote.test_history import entry

FIGURES = {"test/auroc_macro": 0.8125, "test/auroc_macro_low": 0.7, "test/auroc_macro_high": 0.9}


def candidate(labels: int = 2, older: str | None = "b" * 64) -> Candidate:
    data = (DataUsed("manifest-test", "f" * 36, '{"images": 1200, "patients": 900, "labels": {}}'),) * 2
    run = KeptRun("1" * 32, "small 23 Nov", "FINISHED", datetime.now(UTC), "", {}, FIGURES, data)
    names = (f"Nodule|<b>{index}" for index in range(labels))
    decision = decision_of("a" * 64, older).model_copy(update={"labels": tuple(map(verdict, names))})
    return Candidate(run, decision, LoggedModel("m-1", "file:///x", True))


def facts(grounds: Grounds | None = None, **given: Any) -> str:
    return describe_facts(candidate(**given), grounds or Grounds())


def test_page_answers_what_data_what_labels_how_good_and_against_what():
    text = facts()
    assert text.count("manifest-test: 1,200 images, 900 patients, digest ffffffffffff") == 1
    assert "two, 2 labels" in text
    assert "mean AUROC 0.812 (0.700 to 0.900) on" in text
    assert "weights bbbbbbbbbbbb" in text
    assert "The rule holds" in text


def test_page_of_a_first_model_says_that_there_was_no_older_one():
    assert "no older model" in facts(older=None)


def test_page_of_labels_that_are_all_new_says_that_nothing_was_compared():
    assert "**against**: nothing: no label is the same in the older model" in facts()


def test_page_of_a_kept_label_says_what_it_was_compared_with():
    given = candidate()
    kept = given.decision.labels[0].model_copy(update={"standing": "undefined"})
    decision = given.decision.model_copy(update={"labels": (kept, *given.decision.labels[1:])})
    assert f"**against**: the older model (trained in run {'2' * 32}, " in describe_facts(
        replace(given, decision=decision), Grounds()
    )


def test_page_names_the_rule_and_what_it_let_pass():
    text = facts(Grounds(rule="margin 0.2", accepted=("Mass",), refused=("decision 1 (margin 0.05)",)))
    assert (
        "**rule**: margin 0.2; left open and accepted: Mass; "
        "the same weights were refused before by another rule: decision 1 (margin 0.05)" in text
    )


def test_names_of_labels_are_no_markup():
    assert "<b>" not in facts()
    assert "Nodule\\|&lt;b>0" in facts()


def test_page_of_very_many_labels_leaves_room_for_decisions():
    page = facts(labels=300)
    assert "More labels" in page
    text = describe_decisions(page, [entry(number) for number in range(1, 12)])
    assert len(text) <= LONGEST
    assert text.startswith(page)
    assert "no. 11" in text


def test_decisions_are_written_anew_and_not_twice():
    once = describe_decisions("facts", [entry(1)])
    twice = describe_decisions(once, [entry(1), entry(2)])
    assert describe_decisions(twice, [entry(1), entry(2)]) == twice
    assert twice.count(HEADING) == 1
    assert twice.index("no. 2") < twice.index("no. 1")
