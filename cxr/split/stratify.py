"""Patients dealt among folds so that each label is as frequent in one fold as in another, rare labels first.

Of each patient only its counts matter: how many images, how many positive for each label. Patients of equal counts are one
kind. Of each kind every fold gets its share; what cannot be shared goes one by one, heaviest first, to the fold that lacks it
most; then patients are exchanged between folds for as long as that brings the folds nearer to their shares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from cxr.errors import DataError
from cxr.labels.values import NEGATIVE, POSITIVE

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# Weights are whole multiples of one quantum. Then all sums of products are exact whatever their order, so that the folds are
# the same on every machine and with every BLAS, and equal costs are recognised as equal.
QUANTUM = 2.0**-22
LEAST_GAIN = 1e-13  # above what division rounds, below what one of a million images counts
CANDIDATES = 128  # patients of one fold that are tried against as many of another
TRIALS = 2000  # pairs of folds that are looked at, at most
SMALL = 2000  # with fewer patients several beginnings are tried, as the end depends on it


@dataclass(frozen=True)
class _Kinds:
    """Groups of equal counts taken together.

    Args:
        of: int64 [groups], the kind of each group.
        numbers: int64 [kinds], how many groups there are of each.
        counts: float64 [kinds, columns], each column divided by its total over all groups, to the QUANTUM; columns without
            any are left out. So the positives of a rare label weigh more than those of a common one.
    """

    of: Ints
    numbers: Ints
    counts: Floats

    @property
    def squares(self) -> Floats:
        """float64 [kinds]: the weight of a group, as the sum of its squared counts."""
        return _squares(self.counts)


Beginning = Callable[[_Kinds, Floats, np.random.Generator], Ints]


def group_counts(groups: Ints, codes: npt.NDArray[np.int8]) -> Ints:
    """What each group has, for `stratify`.

    Args:
        groups: int64 [images], the group (patient) of each image, 0 to G-1.
        codes: int8 [images, labels], 0 negative, 1 positive, 2 uncertain, 3 unknown.

    Returns:
        int64 [G, columns]: images; per label the positive images; then, per label that is uncertain or unknown in some image,
        the images where it is known (negative or positive).
    """
    number = int(groups.max()) + 1 if len(groups) else 0
    images = np.bincount(groups, minlength=number)
    positives, known = [], []
    for label in codes.T:
        positive = label == POSITIVE
        positives.append(np.bincount(groups[positive], minlength=number))
        decided = positive | (label == NEGATIVE)
        if not decided.all():
            known.append(np.bincount(groups[decided], minlength=number))
    return np.stack([images, *positives, *known], axis=1).astype(np.int64)


def stratify(counts: Ints, shares: Floats, seed: int) -> Ints:
    """Divide groups (patients) among folds, each column of `counts` by the shares as nearly as can be.

    What is kept small is the sum over columns and folds of (x - s t)^2 / (s t^2), with x of a column in a fold, t of it in
    all and s the share of the fold: squared deviations relative to the column, so that one positive too many counts more the
    rarer its label. The idea of rare labels first is that of iterative stratification (Sechidis, Tsoumakas and Vlahavas,
    "On the stratification of multi-label data", ECML PKDD 2011), which divides images and not patients.

    Args:
        counts: int64 [groups, columns], 0 or more; see `group_counts`.
        shares: float64 [folds], above 0, with the sum 1.
        seed: decides between divisions that are equally good. The same counts, shares and seed give the same folds; groups
            in another order give other folds with the same counts in each.

    Returns:
        int64 [groups], the fold of each group; no fold is empty.

    Raises:
        DataError: there are fewer groups than folds.
        ValueError: the shares are not above 0 with the sum 1, or a count is below 0.
    """
    _check(counts, shares)
    generator = np.random.default_rng(seed)
    kinds = _kinds(counts)
    beginnings = [_begin_evenly, _begin_by_chance] * 10
    tries = [_divide(kinds, shares, generator, begin) for begin in beginnings[: 1 + SMALL // len(counts)]]
    best = min(tries, key=lambda dealt: float((_squares(dealt.T @ kinds.counts) / shares).sum()))
    labels = np.repeat(np.tile(np.arange(len(shares)), len(best)), best.ravel())
    result = np.empty(len(counts), np.int64)
    result[np.lexsort((generator.random(len(counts)), kinds.of))] = labels
    return result


def _check(counts: Ints, shares: Floats) -> None:
    if not (len(shares) and np.all(shares > 0) and abs(shares.sum() - 1) < 1e-9):
        raise ValueError(f"shares of folds have to be above 0 with the sum 1, not {shares.tolist()}")
    if (counts < 0).any():
        raise ValueError("a count below 0")
    if len(counts) < len(shares):
        raise DataError(
            f"split: {len(counts)} patients cannot be divided into {len(shares)} parts: all images of a patient stay in one "
            f"part, and no part may be without a patient; ask for fewer parts, or bring more patients"
        )


def _kinds(counts: Ints) -> _Kinds:
    order = np.lexsort(counts.T)
    ordered = counts[order]
    first = np.r_[True, (ordered[1:] != ordered[:-1]).any(axis=1)]
    of = np.empty(len(counts), np.int64)
    of[order] = np.cumsum(first) - 1
    totals = counts.sum(axis=0)
    weights = np.maximum(1, np.round(1 / QUANTUM / totals[totals > 0])) * QUANTUM
    return _Kinds(of, np.bincount(of), ordered[first][:, totals > 0] * weights)


def _divide(kinds: _Kinds, shares: Floats, generator: np.random.Generator, begin: Beginning) -> Ints:
    """int64 [kinds, folds]: how many groups of each kind go to each fold."""
    dealt = begin(kinds, shares, generator)
    _fill_empty(kinds, dealt, shares)
    _exchange(kinds, dealt, shares)
    return dealt


def _begin_by_chance(kinds: _Kinds, shares: Floats, generator: np.random.Generator) -> Ints:
    each = np.repeat(np.arange(len(kinds.numbers)), kinds.numbers)
    drawn = np.searchsorted(np.cumsum(shares)[:-1], generator.random(len(each)), side="right")
    dealt = np.zeros((len(kinds.numbers), len(shares)), np.int64)
    np.add.at(dealt, (each, drawn), 1)
    return dealt


def _begin_evenly(kinds: _Kinds, shares: Floats, generator: np.random.Generator) -> Ints:
    """Of each kind each fold's share; what is left one group after another, each to where it raises the cost least."""
    dealt = np.floor(kinds.numbers[:, None] * shares + 1e-9).astype(np.int64)
    rest = generator.permutation(np.repeat(np.arange(len(dealt)), kinds.numbers - dealt.sum(axis=1)))
    squares = kinds.squares
    # the heaviest first, but of about the same weight in any order, so that another seed gives another division
    rest = rest[np.argsort(-np.frexp(squares[rest])[1], kind="stable")]
    folds = generator.permutation(len(shares))  # of equal costs argmin takes the first
    held, inverse, halves = dealt[:, folds].T @ kinds.counts, 1 / shares[folds], squares / 2
    chosen = np.empty(len(rest), np.int64)
    for place, kind in enumerate(rest):
        group = kinds.counts[kind]
        fold = ((held @ group + halves[kind]) * inverse).argmin()
        held[fold] += group
        chosen[place] = fold
    np.add.at(dealt, (rest, folds[chosen]), 1)
    return dealt


def _fill_empty(kinds: _Kinds, dealt: Ints, shares: Floats) -> None:
    """Give each empty fold the one group whose move from a fold of several costs least."""
    squares = kinds.squares[:, None]
    for empty in np.flatnonzero(dealt.sum(axis=0) == 0):
        cost = (squares - 2 * kinds.counts @ (dealt.T @ kinds.counts).T) / shares + squares / shares[empty]
        cost[(dealt == 0) | (dealt.sum(axis=0) < 2)] = np.inf
        kind, giver = np.unravel_index(cost.argmin(), cost.shape)
        dealt[kind, giver] -= 1
        dealt[kind, empty] += 1


def _exchange(kinds: _Kinds, dealt: Ints, shares: Floats) -> None:
    """Between two folds at a time, exchange the two groups (or move the one) that help most, until none helps."""
    # one more kind, of groups with nothing in them, which every fold has: to exchange a group for one of these is to move it
    counts = np.vstack([kinds.counts, np.zeros(kinds.counts.shape[1])])
    by_weight = np.argsort(np.append(kinds.squares, 0.0), kind="stable")
    held = dealt.T @ kinds.counts
    pairs = list(combinations(range(len(shares)), 2))
    in_vain = 0
    for trial in range(TRIALS):
        if in_vain == len(pairs):
            break
        one, other = pairs[trial % len(pairs)]
        gives, takes = _candidates(dealt, one, other, by_weight), _candidates(dealt, other, one, by_weight)
        cost = _costs(counts[gives], counts[takes], held[[one, other]], shares[[one, other]])
        given, taken = np.unravel_index(cost.argmin(), cost.shape)
        in_vain += 1
        if cost[given, taken] < -LEAST_GAIN:
            gain = counts[takes[taken]] - counts[gives[given]]
            held[one] += gain
            held[other] -= gain
            _move(dealt, gives[given], one, other)
            _move(dealt, takes[taken], other, one)
            in_vain = 0


def _candidates(dealt: Ints, fold: int, partner: int, by_weight: Ints) -> Ints:
    """int64 [candidates]: the lightest kinds in a fold, as these correct what is left to be corrected, and some of the rest."""
    # nothing may be given only to a partner that keeps a group
    there = np.append(dealt[:, fold] > 0, dealt[:, partner].sum() > 1)
    have = by_weight[there[by_weight]]
    light, rest = np.split(have, [CANDIDATES // 2])
    return np.concatenate([light, rest[:: 1 + len(rest) // (CANDIDATES // 2)]])


def _costs(given: Floats, taken: Floats, held: Floats, shares: Floats) -> Floats:
    """float64 [given, taken]: by how much the cost rises if one group is given for another.

    Args:
        given: float64 [given, columns], groups of the first fold.
        taken: float64 [taken, columns], groups of the second.
        held: float64 [2, columns], what both folds have.
        shares: float64 [2].
    """
    squares = _squares(given)[:, None] + _squares(taken) - 2 * given @ taken.T
    first, second = (np.diff(groups @ held.T / shares)[:, 0] for groups in (given, taken))
    cost: Floats = squares * (1 / shares).sum() + 2 * (first[:, None] - second)
    return cost


def _squares(groups: Floats) -> Floats:
    """float64 [groups]: the sum of the squares of each."""
    squares: Floats = (groups**2).sum(axis=1)
    return squares


def _move(dealt: Ints, kind: np.int64, giver: int, receiver: int) -> None:
    if kind < len(dealt):  # the last is nothing
        dealt[kind, giver] -= 1
        dealt[kind, receiver] += 1
