"""The journal over random histories of a source: each file in one shard, good shards kept, no number given twice."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr.errors import DataError
from cxr.ingest.journal import describe, plan, sweep

READER = {"size": "224", "the normaliser": "version 1"}
LISTINGS = st.lists(
    st.dictionaries(
        st.sampled_from([f"ward:{letter}" for letter in "abcdefghijkl"]), st.sampled_from(["1", "2", "3"]), max_size=12
    ),
    min_size=1,
    max_size=5,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.sqlite"


class Failing(dict):
    """A listing that fails when the new files are being written down."""

    def __getitem__(self, file):
        return 1 / 0


def files_of(made) -> list[str]:
    return [file for files in made.shards.values() for file in files]


@settings(max_examples=60, deadline=None)
@given(LISTINGS, st.integers(1, 5))
def test_over_any_history_each_file_is_in_one_shard_and_only_bad_shards_are_dissolved(listings, shard_files):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.sqlite"
        before, stamps = {}, {}
        used: set[int] = set()
        for listing in listings:
            made = plan(path, listing, READER, shard_files)
            assert sorted(files_of(made)) == sorted(listing)
            assert all(0 < len(files) <= shard_files for files in made.shards.values())
            good = {n: files for n, files in before.items() if all(listing.get(file) == stamps[file] for file in files)}
            assert {number: made.shards.get(number) for number in good} == good
            fresh = set(made.shards) - set(good)
            assert not fresh & used, "a number was given twice"
            assert bool(made.reread) == (len(good) < len(before))
            used |= set(made.shards)
            before, stamps = made.shards, listing
            assert plan(path, listing, READER, shard_files).shards == made.shards
            assert plan(path, listing, READER, shard_files).reread == ()


def test_new_files_are_given_shards_in_the_order_of_the_listing(path):
    assert plan(path, dict.fromkeys("dbacef", "1"), READER, 4).shards == {0: ("d", "b", "a", "c"), 1: ("e", "f")}
    assert plan(path, dict.fromkeys("dbacefzy", "1"), READER, 4).shards == {
        0: ("d", "b", "a", "c"),
        1: ("e", "f"),
        2: ("z", "y"),
    }


def test_changed_file_dissolves_its_shard_and_says_so(path):
    plan(path, dict.fromkeys("abcd", "1"), READER, 2)
    made = plan(path, {**dict.fromkeys("abcd", "1"), "b": "2"}, READER, 2)
    assert made.shards == {1: ("c", "d"), 2: ("a", "b")}
    assert [text.partition(",")[0] for text in made.reread] == ["1 shards are read again"]


def test_file_that_comes_back_is_read_again(path):
    plan(path, dict.fromkeys("ab", "1"), READER, 1)
    assert plan(path, {"a": "1"}, READER, 1).shards == {0: ("a",)}
    assert plan(path, dict.fromkeys("ab", "1"), READER, 1).shards == {0: ("a",), 2: ("b",)}


@pytest.mark.parametrize("reader", [{**READER, "size": "512"}, {"size": "224"}, {**READER, "fit": "crop"}])
def test_changed_reader_forgets_all_and_says_what_changed(path, reader):
    first = plan(path, dict.fromkeys("abc", "1"), READER, 2)
    made = plan(path, dict.fromkeys("abc", "1"), reader, 2)
    assert list(made.shards) == [2, 3]
    assert files_of(made) == files_of(first)
    (sentence,) = made.reread
    assert sentence.startswith("all 3 files are read again: ")
    changed = {name for name in {*READER, *reader} if READER.get(name) != reader.get(name)}
    assert all(f"{name} changed from {READER.get(name, 'none')} to {reader.get(name, 'none')}" in sentence for name in changed)
    assert plan(path, dict.fromkeys("abc", "1"), reader, 2).reread == ()


def test_first_plan_rereads_nothing(path):
    assert plan(path, {"a": "1"}, READER, 2).reread == ()
    assert plan(path.with_name("empty"), {}, READER, 2).shards == {}


def test_size_of_new_shards_may_change_while_the_old_ones_stay(path):
    plan(path, dict.fromkeys("abcd", "1"), READER, 2)
    assert plan(path, dict.fromkeys("abcdefg", "1"), READER, 3).shards == {0: ("a", "b"), 1: ("c", "d"), 2: ("e", "f", "g")}


def test_plan_that_fails_leaves_the_one_before(path):
    first = plan(path, dict.fromkeys("abc", "1"), READER, 2)
    with pytest.raises(ZeroDivisionError):
        plan(path, Failing(dict.fromkeys("abcd", "1")), {**READER, "size": "1"}, 2)
    again = plan(path, dict.fromkeys("abc", "1"), READER, 2)
    assert (again.shards, again.reread) == (first.shards, ())


def test_journal_that_is_no_database_is_an_error_of_one_line(path):
    path.write_bytes(b"something else" * 100)
    with pytest.raises(DataError, match=r"journal\.sqlite: .*delete"):
        plan(path, {"a": "1"}, READER, 2)


def test_journal_holds_what_it_is_given_and_no_more(path):
    plan(path, {"ward:0123": "7:8"}, READER, 2)
    assert b"ward:0123" in path.read_bytes()


def test_sweep_deletes_exactly_what_belongs_to_no_shard(tmp_path):
    keep = ["shard-00001.npy", "shard-00001.json", "shard-123456.npy", "store.json"]
    rest = [
        "shard-00000.npy",
        "shard-00002.json",
        ".shard-00001.npy.4711.partial",
        ".shard-00009.json.1.partial",
        "shard-12345.npy",
    ]
    for name in (*keep, *rest):
        (tmp_path / name).write_bytes(b"x")
    sweep((tmp_path,), {1: (), 123456: ()})
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(keep)


def test_values_are_described_alike_whatever_their_order():
    assert describe({"a": {"y": 1, "x": None}, "b": "text"}) == describe({"b": "text", "a": {"x": None, "y": 1}})
    assert describe({"a": [1, True], "b": "1"}) == {"a": "[1, true]", "b": "1"}
