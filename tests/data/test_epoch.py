from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cxr.data.epoch import EpochBatches, Places
from cxr.data.sampling import Sampling
from cxr.errors import ConfigError

ROWS, SIZES, WORLDS = st.integers(1, 200), st.integers(1, 40), st.integers(1, 5)


def _rows(batches: EpochBatches) -> list[int]:
    return [int(row) for places in batches for row in places.rows]


def _shares(rows: int, size: int, world: int, sampling: Sampling | None = None) -> list[list[Places]]:
    """The batches of each rank."""
    try:
        return [list(EpochBatches(rows, size, 2, 7, sampling=sampling, rank=rank, world=world)) for rank in range(world)]
    except ConfigError:
        assume(False)
        raise


@given(ROWS, SIZES)
def test_every_image_comes_once_in_batches_of_nearly_one_size(rows: int, size: int) -> None:
    batches = EpochBatches(rows, size, 1, 3)
    assert sorted(_rows(batches)) == list(range(rows))
    sizes = [len(places.rows) for places in batches]
    assert len(sizes) == len(batches) == -(-rows // size)
    assert max(sizes) <= size
    assert max(sizes) - min(sizes) <= 1


@given(ROWS, SIZES, WORLDS, st.booleans())
def test_the_shares_of_the_ranks_make_the_batch_of_one_process(rows: int, size: int, world: int, sampled: bool) -> None:
    sampling = Sampling(np.linspace(1, 3, rows), np.arange(rows)) if sampled else None
    alone = list(EpochBatches(rows, size, 2, 7, sampling=sampling))
    shares = _shares(rows, size, world, sampling)
    assert {len(share) for share in shares} == {len(alone)}
    for whole, *parts in zip(alone, *shares, strict=True):
        assert np.array_equal(np.concatenate([part.rows for part in parts]), whole.rows)
        positions = [part.first + index for part in parts for index in range(len(part.rows))]
        assert positions == list(range(whole.first, whole.first + len(whole.rows)))
        sizes = [len(part.rows) for part in parts]
        assert min(sizes) >= 1
        assert max(sizes) - min(sizes) <= 1


@given(ROWS, WORLDS, st.integers(2, 8))
def test_a_batch_size_of_twice_the_processes_always_suffices(rows: int, world: int, factor: int) -> None:
    assume(rows >= world)
    assert len(EpochBatches(rows, factor * world, world=world)) == -(-rows // (factor * world))


def test_a_rank_without_images_is_refused_with_what_to_change() -> None:
    with pytest.raises(ConfigError, match=r"batches of 2, fewer than the 4 processes.*batch_size to at least 8"):
        EpochBatches(5, 4, world=4)


@pytest.mark.parametrize("start", [0, 1, 4, 6, 9])
def test_an_epoch_goes_on_where_it_was_left(start: int) -> None:
    whole, rest = list(EpochBatches(21, 4, 1, 3)), EpochBatches(21, 4, 1, 3, start=start)
    assert len(rest) == len(list(rest)) == max(6 - start, 0)
    for one, other in zip(whole[start:], rest, strict=True):
        assert (one.epoch, one.first, one.rows.tolist()) == (other.epoch, other.first, other.rows.tolist())


def test_the_order_changes_with_epoch_and_seed_and_repeats_with_both() -> None:
    orders = [_rows(EpochBatches(21, 4, epoch, seed)) for epoch, seed in ((0, 4), (0, 4), (1, 4), (0, 5))]
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]
    assert orders[0] != orders[3]
    assert _rows(EpochBatches(21, 4)) == list(range(21))


def test_a_sampled_epoch_changes_with_epoch_and_seed_and_has_what_the_sampling_says() -> None:
    sampling = Sampling(np.r_[np.full(20, 1.0), 20.0], np.arange(21))
    orders = [_rows(EpochBatches(21, 4, epoch, seed, sampling=sampling)) for epoch, seed in ((0, 4), (0, 4), (1, 4), (0, 5))]
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]
    assert orders[0] != orders[3]
    assert all(len(order) == 21 and order.count(20) in (10, 11) for order in orders)


def test_no_images_make_no_batches() -> None:
    assert list(EpochBatches(0, 4, 0, 3, world=2)) == []


def test_sampling_without_a_seed_or_for_other_images_is_refused() -> None:
    sampling = Sampling(np.ones(5), np.arange(5))
    with pytest.raises(ValueError, match="needs a seed"):
        EpochBatches(5, 2, sampling=sampling)
    with pytest.raises(ValueError, match="for each row"):
        EpochBatches(6, 2, seed=0, sampling=sampling)
