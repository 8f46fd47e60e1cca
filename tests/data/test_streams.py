from __future__ import annotations

import itertools

from cxr.data.streams import EpochStreams


def test_a_stream_is_that_of_seed_epoch_and_position_alone() -> None:
    def numbers(seed: int, epoch: int, position: int) -> bytes:
        return EpochStreams(seed, epoch).of(position).bytes(32)

    places = list(itertools.product((0, 1, 2**70), (0, 1, 2), (0, 1, 999_999_999)))
    assert len({numbers(*place) for place in places}) == len(places)
    assert [numbers(*place) for place in places] == [numbers(*place) for place in places]


def test_a_stream_starts_anew_at_each_call() -> None:
    streams = EpochStreams(3, 4)
    streams.of(5).random(1000)
    assert streams.of(5).random() == EpochStreams(3, 4).of(5).random()


def test_streams_stay_those_that_earlier_runs_had() -> None:
    """A resumed training must see the images that it would have seen: the numbers are those of this file's first version."""
    assert EpochStreams(2, 7).of(11).integers(0, 2**32, 2).tolist() == [2138489260, 1511998262]
