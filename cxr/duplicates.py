"""Which radiographs are nearly the same: by their perceptual hashes first, then by their pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from cxr.errors import DataError
from cxr.hamming import Flags, NearPairs, Rows, Words, search
from cxr.ingest.read.radiograph import Grey
from cxr.perceptual import HASH_BITS, SAME_PICTURE, likeness

DEFAULT_LIMIT = 25
"""Of 256 bits; by benchmarks/near_duplicates.py. Disturbed versions of one radiograph lie below, different chests above 35."""
_DIGITS = HASH_BITS // 4
_CHUNK = 1 << 19  # texts that are read at a time


def near_duplicates(hashes: Sequence[str] | pd.Series, limit: int = DEFAULT_LIMIT) -> NearPairs:
    """The near pairs within one list of hashes; first < second in each.

    Every pair within the limit is found. Not every one is given where that would be a square of something large:

    * Rows with the same hash are given as a chain: each with the next one. Only the first of them is paired with other hashes.
    * Where more than `MAX_CLUSTER` different hashes hang together through near pairs, a spanning tree of the cluster is given.

    Either way the connected components (see `connected`) are those of all pairs, and every row with a near one is in a pair.

    Args:
        hashes: of `cxr.perceptual.perceptual_hash`, one per row; an empty or missing one is near to nothing.
        limit: the largest distance, 0..127. The time grows steeply beyond the default.

    Raises:
        DataError: a row holds something else than a hash; names the row, counted from 1.
        ValueError: a limit out of range.
    """
    rows, words = _read(hashes)
    distinct = _distinct(words)
    links = search(words[distinct.first], limit)
    same = distinct.order[:-1][distinct.again], distinct.order[1:][distinct.again]
    first = rows[np.concatenate((distinct.first[links.first], same[0]))]
    second = rows[np.concatenate((distinct.first[links.second], same[1]))]
    distance = np.concatenate((links.distance, np.zeros(len(same[0]), np.int64)))
    return _sorted(np.minimum(first, second), np.maximum(first, second), distance)


def across(hashes_a: Sequence[str] | pd.Series, hashes_b: Sequence[str] | pd.Series, limit: int = DEFAULT_LIMIT) -> NearPairs:
    """The near pairs between two lists of hashes: `first` is a row of the first list, `second` one of the second.

    Every row that has a near one in the other list is in a pair. As in `near_duplicates`, large squares are not spelt out: of
    rows with the same hash only the first is paired with all near ones, the others each with one of the nearest; and of a
    cluster of more than `MAX_CLUSTER` different hashes a spanning tree is given.

    Args, Raises: see `near_duplicates`.
    """
    (rows_a, words_a), (rows_b, words_b) = _read(hashes_a), _read(hashes_b)
    a, b = _distinct(words_a), _distinct(words_b)
    both = np.concatenate((words_a[a.first], words_b[b.first]))
    links = search(both, limit, len(a.first))
    links = replace(links, second=links.second - len(a.first))
    more_a, link_a = _repeats(a, links.first, links.distance)
    more_b, link_b = _repeats(b, links.second, links.distance)
    first, second = a.first[links.first], b.first[links.second]
    return _sorted(
        rows_a[np.r_[first, more_a, first[link_b]]],
        rows_b[np.r_[second, second[link_a], more_b]],
        np.r_[links.distance, links.distance[link_a], links.distance[link_b]],
    )


def verify(
    pairs: NearPairs, image: Callable[[int], Grey], other: Callable[[int], Grey] | None = None, least: float = SAME_PICTURE
) -> NearPairs:
    """The pairs that are near in their pixels too: among millions of radiographs some different ones have near hashes.

    A link of a large cluster that does not hold is dropped like any other pair, and the cluster may come apart there.

    Args:
        pairs: of `near_duplicates` or `across`.
        image: gives the canonical image of a row; of the first list, if there are two.
        other: the same for the second list.
        least: the smallest `cxr.perceptual.likeness` that is kept.
    """
    other = other or image
    keep = np.zeros(len(pairs), np.bool_)
    last, picture = -1, None
    for place, (first, second) in enumerate(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)):
        if picture is None or first != last:
            last, picture = first, image(first)
        keep[place] = likeness(picture, other(second)) >= least
    return NearPairs(pairs.first[keep], pairs.second[keep], pairs.distance[keep])


def _read(hashes: Sequence[str] | pd.Series) -> tuple[Rows, Words]:
    """The rows that have a hash, int64 [hashes], and the hashes."""
    texts = hashes.fillna("").array if isinstance(hashes, pd.Series) else hashes
    rows, words = [], []
    for start in range(0, len(texts), _CHUNK):
        part = list(texts[start : start + _CHUNK])
        places = np.flatnonzero([text != "" for text in part])
        rows.append(places + start)
        words.append(_bits([text for text in part if text != ""], rows[-1]))
    if not rows:
        return np.zeros(0, np.int64), np.zeros((0, HASH_BITS // 64), np.uint64)
    return np.concatenate(rows).astype(np.int64), np.concatenate(words)


def _bits(texts: list[str], rows: Rows) -> Words:
    sound = np.array([isinstance(text, str) and len(text) == _DIGITS for text in texts], np.bool_)
    _refuse(sound, rows)
    digits = np.frombuffer("".join(texts).encode("ascii", "replace"), np.uint8).reshape(-1, _DIGITS)
    values = _VALUES[digits]
    _refuse(np.asarray((values < 16).all(axis=1)), rows)
    packed = values[:, ::2] << 4 | values[:, 1::2]
    return np.ascontiguousarray(packed).view(">u8").astype(np.uint64)


def _refuse(sound: Flags, rows: Rows) -> None:
    if not sound.all():
        row = rows[int(np.argmin(sound))] + 1
        raise DataError(f"perceptual hashes: row {row} holds something else than {_DIGITS} lower-case hexadecimal digits")


_VALUES = np.full(256, 255, np.uint8)
_VALUES[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)


@dataclass(frozen=True)
class _Distinct:
    """Rows brought together by hash.

    Args:
        order: int64 [rows], rows of one hash beside each other, in their order.
        again: bool [rows - 1], whether a row in that order has the hash of the one before.
        first: int64 [hashes], the first row of each different hash.
    """

    order: Rows
    again: Flags
    first: Rows


def _distinct(words: Words) -> _Distinct:
    order = np.lexsort(words.T[::-1])
    again = (words[order[1:]] == words[order[:-1]]).all(axis=1)
    return _Distinct(order, again, order[np.flatnonzero(np.r_[True, ~again][: len(order)])])


def _repeats(distinct: _Distinct, nodes: Rows, distance: Rows) -> tuple[Rows, Rows]:
    """The rows that repeat the hash of an earlier one, as far as links lead to that hash, and the link of each to the nearest.

    Args:
        distinct: of the list.
        nodes: int64 [links], the hash of the list to which a link leads.
        distance: int64 [links].
    """
    nearest = np.full(len(distinct.first), -1)
    falling = np.argsort(-distance, kind="stable")
    nearest[nodes[falling]] = falling  # of several, the last and so the nearest holds
    hash_of = np.cumsum(~distinct.again)[distinct.again]
    link = nearest[hash_of]
    return distinct.order[1:][distinct.again][link >= 0], link[link >= 0]


def _sorted(first: Rows, second: Rows, distance: Rows) -> NearPairs:
    order = np.lexsort((second, first))
    return NearPairs(first[order], second[order], distance[order])
