from __future__ import annotations

import pytest
import torch

from cxr.errors import ConfigError
from cxr.ranks import ALONE, Crew, Ranks, joined, launched


def test_a_process_alone_keeps_its_sums_and_tensors() -> None:
    tensor = torch.tensor([1.0, 2.0])
    assert ALONE.sum(tensor) is tensor
    ALONE.share([tensor])
    assert tensor.tolist() == [1.0, 2.0]
    assert ALONE.first


def test_only_rank_0_is_first() -> None:
    assert [Ranks(rank, 3).first for rank in range(3)] == [True, False, False]


def test_without_torchrun_a_command_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    assert not launched()
    with joined() as crew:
        assert crew.ranks == ALONE
        crew.call()


def test_torchrun_is_known_by_what_it_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    assert launched()


class _Told(Ranks):
    """Two ranks of which this is the first, without a second; keeps what is said."""

    words: list[int] = []  # noqa: RUF012 (one test alone looks)

    def share(self, tensors) -> None:  # type: ignore[no-untyped-def]
        self.words.extend(int(tensor) for tensor in tensors)


def test_the_others_are_called_or_dismissed_once() -> None:
    told = _Told(0, 2)
    called = Crew(told)
    called.call()
    called.call()
    called.dismiss()
    assert told.words == [1], "who was called is not dismissed, which would meet a sum of the training"
    told.words.clear()
    idle = Crew(told)
    idle.dismiss()
    assert told.words == [0]


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TORCHELASTIC_RUN_ID": "none", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match="2 processes, but 1 GPUs on this machine"), joined():
        pass
