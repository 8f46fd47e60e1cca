from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.errors import ConfigError, DataError
from cxr.promote.entry import Entry, is_entry, reason
from cxr.promote.grounds import Grounds
from cxr.promote.history import HEADING, History, markdown, markdown_row
from cxr.tracking.registry import LONGEST


def entry(number: int, what: str = "promoted", version: int | None = 1, before: int | None = None, **more: object) -> Entry:
    given = {"alias": "champion", "run_id": "r", "who": "anna", "when": "2026-11-23T10:26:00+00:00", "why": "better"}
    return Entry.model_validate({"number": number, "what": what, "version": version, "before": before, **given, **more})


def history(*entries: Entry) -> History:
    return History("small", entries)


def test_every_decision_comes_back_from_its_tag():
    entries = tuple(entry(number, why=f"Befund {number}: ü | x") for number in range(1, 12))
    tags = {each.key: each.dump() for each in reversed(entries)} | {"owner": "radiology"}
    assert History.read("small", tags) == history(*entries)


def test_tag_that_was_changed_by_hand_is_named():
    with pytest.raises(DataError, match=r"small: decision.0001: not a decision"):
        History.read("small", {"decision.0001": "deleted"})


@pytest.mark.parametrize(("tag", "held"), [("decision.0001", True), ("decision.12345", True), ("decision.1", False)])
def test_only_numbered_tags_hold_decisions(tag, held):
    assert is_entry(tag) is held


@given(st.lists(st.text(max_size=400), max_size=60), st.text(max_size=500))
def test_decision_of_any_length_fits_a_tag_and_says_what_is_left_out(sentences, why):
    text = entry(1, "refused", None, failed=tuple(sentences), why=why).dump()
    back = Entry.load(text, "x")
    assert len(text) <= LONGEST
    if back.failed != tuple(sentences):
        kept = len(back.failed) - 1
        assert back.failed[:-1] == tuple(sentences)[:kept]
        assert f"and {len(sentences) - kept} more" in back.failed[-1]


def test_decision_that_was_kept_without_its_rule_still_reads():
    kept = entry(1, "refused", None, failed=("one", "two")).model_dump(exclude={"grounds", "gone"})
    assert Entry.load(json.dumps(kept), "x") == entry(1, "refused", None, failed=("one", "two"))


@given(st.lists(st.text(max_size=300), max_size=40))
def test_terminal_has_the_first_objection_and_counts_all_others_also_those_left_out(sentences):
    kept = Entry.load(entry(1, "refused", None, failed=("first", *(f"x{each}" for each in sentences))).dump(), "x")
    assert kept.objections == ("first" if not sentences else f"first (and {len(sentences)} more)")


def test_terminal_has_each_rule_once_and_the_page_has_all():
    grounds = [Grounds(rule=rule) for rule in ("margin 0.05", "margin 0.2", "margin 0.05")]
    failed = ("Mass is worse", "Nodule is worse")
    found = history(*(entry(n, "refused", None, failed=failed, grounds=each) for n, each in enumerate(grounds, 1)))
    assert [row[-2:] for row in found.short_rows()[1:]] == [
        (rule, "Mass is worse (and 1 more)") for rule in ("as no. 1", "margin 0.2", "margin 0.05")
    ]
    assert [row[-2] for row in found.rows()[1:]] == ["margin 0.05", "margin 0.2", "margin 0.05"]
    assert found.describe("").count("Nodule is worse") == 3


def test_earlier_refusals_of_the_same_weights_are_told_with_the_bounds_that_differ():
    def refusal(number: int, rule: str, weights: str = "w") -> Entry:
        return entry(number, "refused", None, grounds=Grounds(rule=rule, weights=weights))

    found = history(
        refusal(1, "margin 0.05, gap 0.1"), refusal(2, "margin 0.05, gap 0.1"), refusal(3, "margin 0.1, gap 0.1", "v")
    )
    assert found.refusals("w", "margin 0.2, gap 0.1") == ("decision 2 (margin 0.05)",)
    assert found.refusals("w", "margin 0.05, gap 0.1") == ()


@pytest.mark.parametrize("change", [{"why": "other"}, {"who": "bert"}, {"failed": ("x",)}, {"before": 2}, {"run_id": "s"}])
def test_decision_says_nothing_new_only_where_all_but_its_time_is_the_same(change):
    first = entry(1, "refused", None, failed=("one" * 1000, "two" * 1000), done=True)
    kept = history(Entry.load(first.dump(), "x"))
    again = entry(2, "refused", None, failed=first.failed, when="2026-11-24T10:26:00+00:00")
    assert kept.same_as(again) == kept.entries[0]
    assert kept.same_as(again.model_copy(update=change)) is None


@pytest.mark.parametrize("text", [None, "", " \n\t"])
def test_decision_without_a_reason_is_refused(text):
    with pytest.raises(ConfigError, match="--why"):
        reason(text)


def test_reason_is_one_line_of_bounded_length():
    assert reason(" two\nlines ") == "two lines"
    with pytest.raises(ConfigError, match="501 characters"):
        reason("x" * 501)


def test_way_back_is_by_the_record_and_not_by_number():
    found = history(entry(1, version=1), entry(2, version=3, before=1), entry(3, version=2, before=3))
    assert found.champions("champion") == (1, 3, 2)


def test_refusals_are_no_step_of_the_way_back():
    found = history(entry(1, version=1), entry(2, "refused", None, before=1), entry(3, version=2, before=1))
    assert found.champions("champion") == (1, 2)


def test_each_rollback_takes_one_step_off():
    steps = [entry(1, version=1), entry(2, version=2, before=1), entry(3, version=3, before=2)]
    once = history(*steps, entry(4, "rolled back", 2, 3))
    assert once.champions("champion") == (1, 2)
    assert history(*once.entries, entry(5, "rolled back", 1, 2)).champions("champion") == (1,)
    assert history(*once.entries, entry(5, version=4, before=2)).champions("champion") == (1, 2, 4)


def test_version_that_was_put_there_by_hand_is_a_step_and_an_alias_taken_off_ends_the_way():
    by_hand = history(entry(1, version=1), entry(2, version=3, before=2))
    assert by_hand.champions("champion") == (1, 2, 3)
    assert history(*by_hand.entries, entry(3, version=4, before=None)).champions("champion") == (4,)


def test_other_aliases_have_other_ways_back():
    found = history(entry(1, version=1), entry(2, version=1, alias="fallback"))
    assert found.champions("fallback") == (1,)
    assert found.champions("champion") == (1,)


@given(st.lists(st.sampled_from(["promote", "refuse", "back"]), max_size=30))
def test_way_back_ends_at_the_version_in_use_whatever_was_decided(steps):
    found, in_use, expected = history(), None, []
    for step in steps:
        number = found.next_number
        if step == "promote":
            expected.append(number)
            found = found.with_entry(entry(number, version=number, before=in_use))
        elif step == "back" and len(expected) > 1:
            expected.pop()
            found = found.with_entry(entry(number, "rolled back", expected[-1], in_use))
        else:
            found = found.with_entry(entry(number, "refused", None, in_use))
        in_use = expected[-1] if expected else None
    assert list(found.champions("champion")) == expected


def test_only_the_last_decision_can_be_unfinished():
    assert history().unfinished is None
    assert history(entry(1, done=True)).unfinished is None
    assert history(entry(1, done=True), entry(2)).unfinished == entry(2)


def test_page_has_the_last_decision_first_and_keeps_what_a_person_wrote_above():
    first = history(entry(1, why="one")).describe("Chest model of ward 3.\n")
    second = history(entry(1, why="one"), entry(2, why="two")).describe(first)
    assert second.startswith(f"Chest model of ward 3.\n\n{HEADING}")
    assert second.index("two") < second.index("one")
    assert second.count(HEADING) == 1


def test_page_of_very_many_decisions_has_the_last_ones_and_says_where_the_others_are():
    text = history(*(entry(number, why="x" * 300) for number in range(1, 60))).describe("")
    assert len(text) <= LONGEST
    assert "\n| 59" in text
    assert "\n| 1\u00a0" not in text
    assert "cxr promote --history small" in text


@given(st.text(max_size=80))
def test_no_text_leaves_its_cell(text):
    row = markdown_row((text, "end"))
    assert "\n" not in row
    assert row.replace("\\\\", "").replace("\\|", "").count("|") == 3
    assert "<" not in markdown(text).replace("&lt;", "")
