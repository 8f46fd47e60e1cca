"""Which of many hashes are near each other: all pairs within a Hamming distance, without comparing all pairs.

Cut into bands, two hashes that differ in few bits differ in one bit at most in some band (the pigeonhole principle; Norouzi,
Punjani and Fleet, "Fast Search in Hamming Space with Multi-Index Hashing", 2012). So only hashes that share a band, or a band
but for one bit, are compared in full. Nothing is estimated: no pair within the limit is missed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from cxr.perceptual import HASH_BITS

MAX_CLUSTER = 32
"""Different hashes of one cluster up to which all near pairs are given; of a larger cluster, links that hold it together."""


_CHUNK = 1 << 16
"""Pairs that are compared at a time: of these a few arrays are held."""
_BUFFER = 1 << 22
"""Pairs that are kept before large clusters are reduced to their links."""

Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint64]
"""uint64 [hashes, 4]: the bits of each hash, the first one highest."""


@dataclass(frozen=True)
class NearPairs:
    """Pairs of rows whose hashes are near.

    Args:
        first, second: int64 [pairs], rows counted from 0, sorted by first, then second.
        distance: int64 [pairs], bits in which the two hashes differ.
    """

    first: Rows
    second: Rows
    distance: Rows

    def __len__(self) -> int:
        return len(self.first)


def connected(rows: int, first: Rows, second: Rows) -> Rows:
    """Which rows hang together through pairs.

    Args:
        rows: how many there are.
        first, second: int64 [pairs], each 0..rows - 1.

    Returns:
        int64 [rows]: the number of each row's component, from 0, in the order of their first rows.

    Raises:
        ValueError: a pair names a row that is not there.
    """
    graph = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(rows, rows))
    labels = connected_components(graph, directed=False)[1]
    _, places, numbers = np.unique(labels, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(places))[numbers], np.int64)


@dataclass(frozen=True)
class _Band:
    """Some of the bits of all hashes, sorted by their value, and by place where that is the same.

    Args:
        width: how many bits.
        value: int64 [hashes], rising.
        place: int64 [hashes], which hash has it.
        starts: int64 [2 ** width + 1], where each value begins.
        words: four arrays uint64 [hashes], all bits of the hashes in this order.
    """

    width: int
    value: Rows
    place: Rows
    starts: Rows
    words: tuple[npt.NDArray[np.uint64], ...]

    def at(self, value: Rows, place: Rows) -> Rows:
        """int64: where a hash of some value and place stands, or would stand."""
        shift = len(self.place).bit_length()
        return np.asarray(np.searchsorted(self.value << shift | self.place, value << shift | place))


def search(words: Words, limit: int, split: int | None = None) -> NearPairs:
    """The near pairs of different hashes: all, or with `split` those between the hashes before it and the others.

    Args:
        words: [hashes, 4]. Equal ones are only ever paired across the split.
        limit: see `near_duplicates`.
        split: how many belong to the first of two lists; None for one list.
    """
    if not 0 <= limit < HASH_BITS // 2:
        raise ValueError(f"a limit is 0..{HASH_BITS // 2 - 1}, not {limit}")
    found = _Found(len(words))
    if len(words) < 2:
        return found.pairs()
    count = _bands(len(words), limit)
    for number in range(count):
        band = _band(words, number, count)
        first, second, distance = _near(band, *_neighbours(band, split), limit)
        found.add(band.place[first], band.place[second], distance)
    # by now what hangs together in large clusters is known to: their inner pairs need not be looked at
    order, *clusters = _by_cluster(found.labels())
    asks = None if split is None else (np.arange(len(words)) < split) == (2 * split <= len(words))  # the shorter list
    for number in range(count):
        band = _band(words[order], number, count)
        for first, second in _candidates(band, (clusters[0], clusters[1]), None if asks is None else asks[order]):
            first, second, distance = _near(band, first, second, limit)
            found.add(order[band.place[first]], order[band.place[second]], distance)
    return found.pairs()


def _bands(hashes: int, limit: int) -> int:
    """How many bands: one bit of each may differ, so two hashes within the limit agree so far in one of limit // 2 + 1.

    More of them than that, and so narrower ones, where the hashes are few: the starts of all values have to be written down.
    """
    widest = max(8, hashes.bit_length() + 2)
    return max(limit // 2 + 1, -(-HASH_BITS // min(widest, 24)))


def _band(words: Words, number: int, count: int) -> _Band:
    """Every `count`-th bit, from bit `number` on: neighbouring frequencies, which are alike, come into different bands."""
    bits = range(number, HASH_BITS, count)
    value = np.zeros(len(words), np.int64)
    for bit in bits:
        value = value << 1 | (words[:, bit // 64] >> np.uint64(63 - bit % 64) & np.uint64(1)).astype(np.int64)
    shift = len(words).bit_length()
    both = np.sort(value << shift | np.arange(len(words)))
    place = both & ((1 << shift) - 1)
    value = both >> shift
    starts = np.r_[0, np.cumsum(np.bincount(value, minlength=1 << len(bits)))]
    return _Band(len(bits), value, place, starts, tuple(column[place] for column in words.T))


def _neighbours(band: _Band, split: int | None) -> tuple[Rows, Rows]:
    """A few pairs of positions of one value, enough to hold a crowd together: each with the next, or one across the split."""
    if split is None:
        first = np.flatnonzero(band.value[1:] == band.value[:-1])
        return first, first + 1
    # of one value, those of the first list come first
    middle = band.at(band.value, np.full(len(band.place), split))
    partner = np.where(band.place < split, middle, middle - 1)
    here = np.flatnonzero((partner >= band.starts[band.value]) & (partner < band.starts[band.value + 1]))
    return here, partner[here]


def _by_cluster(labels: Rows) -> tuple[Rows, Rows, Rows]:
    """The hashes ordered by cluster, and where in that order the large cluster of each begins and ends.

    Returns:
        int64 [hashes] each: which hash comes where; and, in the new order, two places, both 0 where the cluster is small.
    """
    size = np.bincount(labels)
    large = size[labels] > MAX_CLUSTER
    order = np.lexsort((labels, large))
    sizes = size[np.unique(labels[large])]
    ends = np.cumsum(sizes) + int((~large).sum())
    begin, end = np.zeros((2, len(labels)), np.int64)
    begin[large[order]], end[large[order]] = np.repeat(ends - sizes, sizes), np.repeat(ends, sizes)
    return order, begin, end


def _candidates(band: _Band, clusters: tuple[Rows, Rows], asks: Flags | None) -> Iterator[tuple[Rows, Rows]]:
    """Positions in a band whose hashes share its value, or all but one bit of it, in chunks; none within a large cluster.

    Args:
        band: of the hashes ordered by cluster.
        clusters: see `_by_cluster`.
        asks: bool [hashes], whether a hash is of that one of two lists which is held against the other; None for one list.
    """
    for flip in (0, *(1 << bit for bit in range(band.width))):
        ask = np.flatnonzero(band.value & flip == 0 if asks is None else asks[band.place])
        value = band.value[ask] ^ flip
        start, stop = band.starts[value], band.starts[value + 1]
        if asks is None and not flip:
            start = ask + 1
        some = stop > start
        for first, second in _outside(band, clusters, ask[some], start[some], stop[some]):
            other = slice(None) if asks is None else ~asks[band.place[second]]
            yield first[other], second[other]


def _outside(band: _Band, clusters: tuple[Rows, Rows], ask: Rows, start: Rows, stop: Rows) -> Iterator[tuple[Rows, Rows]]:
    """Each position in `ask` with those from its `start` to its `stop`, of one value, less those of its large cluster."""
    begin, end = (places[band.place[ask]] for places in clusters)
    large = end > 0
    if not large.any():
        yield from _spelt_out(ask, start, stop)
        return
    value, before = band.value[start[large]], stop.copy()
    before[large] = np.clip(band.at(value, begin[large]), start[large], stop[large])
    behind = np.clip(band.at(value, end[large]), start[large], stop[large])
    yield from _spelt_out(ask, start, before)
    yield from _spelt_out(ask[large], behind, stop[large])


def _spelt_out(ask: Rows, start: Rows, stop: Rows) -> Iterator[tuple[Rows, Rows]]:
    """Each position in `ask` with all from its `start` to its `stop`, in chunks."""
    count = stop - start
    total = np.cumsum(count)
    cuts = np.searchsorted(total, np.arange(_CHUNK, total[-1] if len(total) else 0, _CHUNK), "right")
    for piece in np.split(np.arange(len(ask)), np.unique(cuts)):
        counts = count[piece]
        offset = start[piece] - (np.cumsum(counts) - counts)
        yield np.repeat(ask[piece], counts), np.arange(counts.sum()) + np.repeat(offset, counts)


def _near(band: _Band, first: Rows, second: Rows, limit: int) -> tuple[Rows, Rows, Rows]:
    """Those pairs of positions whose hashes are near, and their distances."""
    distance = np.zeros(len(first), np.int64)
    for column in band.words:  # most differ enough in the first quarter
        distance = distance + np.bitwise_count(column[first] ^ column[second])
        keep = distance <= limit
        first, second, distance = first[keep], second[keep], distance[keep]
    return first, second, distance


class _Found:
    """The near pairs found so far, each once; of large clusters only the links of a tree, as soon as pairs become many."""

    def __init__(self, hashes: int) -> None:
        self._hashes = hashes
        self._codes: list[Rows] = [np.zeros(0, np.int64)]
        self._distances: list[Rows] = [np.zeros(0, np.int64)]
        self._room = _BUFFER

    def add(self, first: Rows, second: Rows, distance: Rows) -> None:
        """Take pairs of different hashes, either way round."""
        self._codes.append(np.minimum(first, second) * self._hashes + np.maximum(first, second))
        self._distances.append(distance)
        self._room -= len(first)
        if self._room < 0:
            self._room = _BUFFER + len(self.pairs())

    def pairs(self) -> NearPairs:
        """All of them."""
        codes, places = np.unique(np.concatenate(self._codes), return_index=True)
        distance = np.concatenate(self._distances)[places]
        keep = _small_or_tree(self._hashes, codes, distance)
        codes, distance = codes[keep], distance[keep]
        self._codes, self._distances = [codes], [distance]
        return NearPairs(codes // max(self._hashes, 1), codes % max(self._hashes, 1), distance)

    def labels(self) -> Rows:
        """int64 [hashes]: which hang together."""
        pairs = self.pairs()
        return connected(self._hashes, pairs.first, pairs.second)


def _small_or_tree(hashes: int, codes: Rows, distance: Rows) -> Flags:
    """bool [pairs]: the pair is of a small cluster, or in the spanning tree of a large one that prefers near pairs."""
    first, second = codes // max(hashes, 1), codes % max(hashes, 1)
    labels = connected(hashes, first, second)
    keep = np.bincount(labels, minlength=1)[labels[first]] <= MAX_CLUSTER
    large = np.flatnonzero(~keep)
    # each weight once, so that there is one smallest tree
    ranked = large[np.lexsort((codes[large], distance[large]))]
    weights = np.arange(1, len(ranked) + 1, dtype=np.float64)
    tree = minimum_spanning_tree(coo_array((weights, (first[ranked], second[ranked])), shape=(hashes, hashes)).tocsr())
    keep[ranked[tree.data.astype(np.int64) - 1]] = True
    return np.asarray(keep, np.bool_)
