"""The search misses no near pair, invents none, and stays small and quick where thousands of hashes are alike."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr import duplicates, hamming
from cxr.duplicates import across, near_duplicates, verify
from cxr.errors import DataError
from cxr.hamming import MAX_CLUSTER, NearPairs, connected


def _texts(bits: np.ndarray) -> list[str]:
    return [row.tobytes().hex() for row in np.packbits(bits, axis=1)]


def _families(seed: int, rows: int, flipped: tuple[float, ...] = (0.0, 0.02, 0.05, 0.1)) -> np.ndarray:
    """bool [rows, 256]: random hashes, most of them disturbed versions of a few."""
    generator = np.random.default_rng(seed)
    founders = generator.random((max(1, rows // 3), 256)) < 0.5
    flips = generator.random((rows, 256)) < generator.choice(flipped, rows)[:, None]
    return founders[generator.integers(0, len(founders), rows)] ^ flips


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a[:, None] != b[None]).sum(axis=2)


def _listed(pairs: NearPairs) -> list[tuple[int, int, int]]:
    return list(zip(pairs.first.tolist(), pairs.second.tolist(), pairs.distance.tolist(), strict=True))


seeds = st.integers(0, 2**32 - 1)
limits = st.integers(0, 60)


@settings(deadline=None, max_examples=60)
@given(seed=seeds, rows=st.integers(0, 90), limit=limits)
def test_exactly_the_pairs_that_brute_force_finds(seed, rows, limit):
    bits = np.unique(_families(seed, rows), axis=0)[:MAX_CLUSTER]  # all different, no large cluster: so every pair is given
    bits = np.random.default_rng(seed).permutation(bits) if len(bits) else np.zeros((0, 256), bool)
    distance = _distances(bits, bits)
    expected = [(i, j, int(distance[i, j])) for i, j in zip(*np.nonzero(np.triu(distance <= limit, 1)), strict=True)]
    assert _listed(near_duplicates(_texts(bits), limit)) == expected


@settings(deadline=None, max_examples=40)
@given(seed=seeds, rows=st.integers(1, 250), limit=limits, most=st.sampled_from([2, 5, 32, 1000]))
def test_clusters_are_those_of_all_pairs(seed, rows, limit, most):
    bits = _families(seed, rows)
    distance = _distances(bits, bits)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hamming, "MAX_CLUSTER", most)
        patch.setattr(hamming, "_BUFFER", 50)
        pairs = near_duplicates(_texts(bits), limit)
    assert (pairs.first < pairs.second).all()
    assert (distance[pairs.first, pairs.second] == pairs.distance).all()
    assert (pairs.distance <= limit).all()
    every = np.nonzero(distance <= limit)
    assert connected(rows, pairs.first, pairs.second).tolist() == connected(rows, *every).tolist()


@settings(deadline=None, max_examples=40)
@given(seed=seeds, rows=st.integers(2, 250), limit=limits, share=st.floats(0, 1), most=st.sampled_from([2, 32, 1000]))
def test_across_two_lists_every_near_row_is_named(seed, rows, limit, share, most):
    bits = _families(seed, rows)
    a, b = bits[: int(share * rows)], bits[int(share * rows) :]
    distance = _distances(a, b)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hamming, "MAX_CLUSTER", most)
        pairs = across(_texts(a), _texts(b), limit)
    assert (distance[pairs.first, pairs.second] == pairs.distance).all()
    assert (pairs.distance <= limit).all()
    first, second = np.nonzero(distance <= limit)
    assert set(pairs.first) == set(first)
    assert set(pairs.second) == set(second)
    expected = connected(rows, first, second + len(a))
    assert connected(rows, pairs.first, pairs.second + len(a)).tolist() == expected.tolist()


def test_across_gives_all_pairs_of_different_hashes():
    bits = np.unique(_families(5, 60), axis=0)
    a, b = bits[::2], bits[1::2]
    distance = _distances(a, b)
    expected = [(i, j, int(distance[i, j])) for i, j in zip(*np.nonzero(distance <= 40), strict=True)]
    assert _listed(across(_texts(a), _texts(b), 40)) == expected
    assert len(expected) > 20


@pytest.mark.parametrize("limit", [0, 1, 24, 25, 26, 127])
def test_a_pair_just_at_the_limit_is_found_and_one_beyond_is_not(limit):
    generator = np.random.default_rng(limit)
    for _ in range(20):
        bits = np.repeat(generator.random((1, 256)) < 0.5, 3, axis=0)
        bits[1, generator.permutation(256)[:limit]] ^= True
        bits[2, generator.permutation(256)[: limit + 1]] ^= True
        pairs = _listed(near_duplicates(_texts(bits), limit))
        assert limit == 0 or (0, 1, limit) in pairs
        assert (0, 2, limit + 1) not in pairs
        assert limit or pairs == [(0, 1, 0)]


def test_images_without_a_hash_are_near_to_nothing():
    text = "0123456789abcdef" * 4
    expected = [(1, 4, 0)]
    assert _listed(near_duplicates(["", text, "", "", text])) == expected
    column = pd.Series([None, text, "", None, text], index=[9, 8, 7, 6, 5], dtype="str")
    assert _listed(near_duplicates(column)) == expected
    assert _listed(near_duplicates(column.astype(pd.ArrowDtype(pa.string())))) == expected
    assert _listed(across(["", text], ["", "", text])) == [(1, 2, 0)]


def test_nothing_to_compare():
    assert len(near_duplicates([])) == len(near_duplicates([""])) == len(across([], ["0" * 64])) == 0
    assert connected(0, np.zeros(0, np.int64), np.zeros(0, np.int64)).tolist() == []


@pytest.mark.parametrize("bad", ["abc", "A" * 64, "0" * 63 + "g", "0" * 62 + " 0", "0" * 63 + "é", "\U0001f600" * 64])
def test_what_is_no_hash_is_refused_by_row_without_quoting_it(bad):
    with pytest.raises(DataError, match=r"row 3 ") as error:
        near_duplicates(["0" * 64, "", bad, "1" * 64])
    assert bad not in str(error.value)


@pytest.mark.parametrize("limit", [-1, 128])
def test_a_limit_out_of_range_is_refused(limit):
    with pytest.raises(ValueError, match="limit"):
        near_duplicates(["0" * 64, "f" * 64], limit)


def test_equal_hashes_are_a_chain_with_one_way_out():
    near = "0" * 63 + "1"
    pairs = near_duplicates(["0" * 64, near, "0" * 64, "0" * 64, near])
    assert _listed(pairs) == [(0, 1, 1), (0, 2, 0), (1, 4, 0), (2, 3, 0)]


def _crowd(rows: int) -> list[str]:
    """Disturbed versions of one picture, nearly all of them different."""
    generator = np.random.default_rng(1)
    bits = np.repeat(generator.random((1, 256)) < 0.5, rows, axis=0)
    for _ in range(6):
        bits[np.arange(rows), generator.integers(0, 256, rows)] ^= True
    return _texts(bits)


@pytest.mark.parametrize("search", ["within", "across"])
def test_thousands_alike_take_neither_the_time_nor_the_memory_of_their_square(search):
    rows = 20_000  # 2 * 10^8 pairs, of 24 bytes each
    texts = _crowd(rows)
    tracemalloc.start()
    start = time.perf_counter()
    if search == "within":
        pairs = near_duplicates(texts)
        second = pairs.second
    else:
        pairs = across(texts[: rows // 2], texts[rows // 2 :])
        second = pairs.second + rows // 2
    seconds, peak = time.perf_counter() - start, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert connected(rows, pairs.first, second).max() == 0
    assert len(pairs) < 2 * rows
    assert peak < 200e6
    assert seconds < 30


def test_result_does_not_depend_on_the_size_of_the_chunks(monkeypatch):
    texts = _texts(_families(3, 2000))
    expected = _listed(near_duplicates(texts))
    monkeypatch.setattr(duplicates, "_CHUNK", 7)
    monkeypatch.setattr(hamming, "_CHUNK", 7)
    monkeypatch.setattr(hamming, "_BUFFER", 10)
    assert _listed(near_duplicates(texts)) == expected
    assert len(expected) > 500


def test_components_are_numbered_by_their_first_rows():
    labels = connected(7, np.array([5, 1]), np.array([2, 6]))
    assert labels.tolist() == [0, 1, 2, 3, 4, 2, 1]
    assert labels.dtype == np.int64
    with pytest.raises(ValueError):
        connected(3, np.array([0]), np.array([3]))


def test_pixels_tell_a_true_pair_from_near_hashes_by_chance():
    generator = np.random.default_rng(0)
    pictures = [np.kron(generator.integers(0, 256, (16, 16)), np.ones((8, 8))).astype(np.uint8) for _ in range(2)]
    images = [pictures[0], pictures[1], np.roll(pictures[0] // 2 + 60, 2, axis=1)]
    pairs = NearPairs(np.array([0, 0, 1]), np.array([1, 2, 2]), np.array([20, 11, 22]))
    assert _listed(verify(pairs, images.__getitem__)) == [(0, 2, 11)]
    assert _listed(verify(pairs, images.__getitem__, lambda row: images[row - 1])) == [(0, 1, 20), (1, 2, 22)]
    assert _listed(verify(pairs, images.__getitem__, least=-1)) == _listed(pairs)
