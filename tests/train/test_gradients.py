from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn

from cxr.config_model import HeadConfig, ModelConfig, StackedConfig
from cxr.config_training import StackedTraining, TrainConfig
from cxr.data.dataset import Batch
from cxr.model.build import build_classifier
from cxr.ranks import ALONE, Ranks
from cxr.train.gradients import average_statistics, sum_over_ranks
from cxr.train.losses import MultiBranchLoss
from cxr.train.task import TrainingTask

CPU = torch.device("cpu")
OPTIONS = {"embed_dim": 48, "depth": 2, "num_heads": 6, "patch_size": 8}
MODEL = ModelConfig(options=OPTIONS, head=HeadConfig(hidden=8, dropout=0))
STACKED = MODEL.model_copy(update={"stacked": StackedConfig(heads=(2, 3, 6))})
TRAIN = TrainConfig(epochs=4, batch_size=8, warmup_epochs=1, ema_decay=0.8, device="cpu")


def _batch() -> Batch:
    """Of the second half, no cell of the second label is known, and of the third label none at all."""
    generator = torch.Generator().manual_seed(3)
    targets = torch.randint(0, 2, (8, 3), generator=generator).float()
    targets[4:, 1], targets[:, 2] = torch.nan, torch.nan
    return Batch(torch.randint(0, 256, (8, 32, 32), dtype=torch.uint8, generator=generator), targets)


def _share(batch: Batch, ranks: Ranks) -> Batch:
    return Batch(*(tensor.tensor_split(ranks.world)[ranks.rank] for tensor in (batch.images, batch.targets)))


def _trained(ranks: Ranks, model: ModelConfig, **changes: Any) -> dict[str, Any]:
    """Figures of four steps and the weights after them."""
    torch.manual_seed(1 + ranks.rank)  # the weights of rank 0 count
    classifier = build_classifier(model, 32, 3)
    loss = MultiBranchLoss(torch.full((3,), 3.0), model.head.loss_weights)
    task = TrainingTask(classifier, loss, TRAIN.model_copy(update=changes), 5, CPU, ranks=ranks)
    results = [task.step(_share(_batch(), ranks)) for _ in range(4)]
    weights = {name: tensor.clone() for name, tensor in task.average.model.state_dict().items()}
    return {"results": [vars(result) for result in results], "weights": weights}


CASES: dict[str, Callable[[Ranks], dict[str, Any]]] = {
    "plain": lambda ranks: _trained(ranks, MODEL),
    "micro-batches": lambda ranks: _trained(ranks, MODEL, micro_batch=3),
    "sandwich": lambda ranks: _trained(ranks, STACKED),
    "uniform": lambda ranks: _trained(ranks, STACKED, stacked=StackedTraining(regime="uniform")),
    "frozen": lambda ranks: _trained(ranks, MODEL, freeze_epochs=1),
}


def _rank_of_two(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    limit = timedelta(seconds=60)  # a rank that waits for another fails the test, and does not hang it
    dist.init_process_group("gloo", init_method=f"file://{folder / 'meet'}", rank=rank, world_size=2, timeout=limit)
    ranks = Ranks(rank, 2)
    found: dict[str, Any] = {name: case(ranks) for name, case in CASES.items()}
    found["gradients"] = _summed(ranks)
    found["statistics"] = _averaged(ranks)
    torch.save(found, folder / f"{rank}.pt")
    dist.destroy_process_group()


def _summed(ranks: Ranks) -> list[torch.Tensor | None]:
    """Of four parameters one has its gradient on rank 1 alone, one nowhere, one is frozen."""
    parameters = [nn.Parameter(torch.zeros(size)) for size in (2, 3, 1, 4)]
    parameters[3].requires_grad_(requires_grad=False)
    parameters[0].grad = torch.full((2,), 1.0 + ranks.rank)
    parameters[1].grad = torch.full((3,), 5.0) if ranks.rank else None
    figures = sum_over_ranks(parameters, [torch.tensor(0.25), torch.tensor(float(ranks.rank))], ranks)
    return [parameter.grad for parameter in parameters] + figures


def _averaged(ranks: Ranks) -> torch.Tensor:
    norm = nn.BatchNorm1d(2)
    assert norm.running_mean is not None
    norm.running_mean.fill_(float(ranks.rank))
    average_statistics(nn.Sequential(norm), ranks)
    return norm.running_mean


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two processes found."""
    folder = tmp_path_factory.mktemp("ranks")
    torch.multiprocessing.spawn(_rank_of_two, (folder,), nprocs=2)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.parametrize("case", CASES)
def test_two_ranks_step_as_one_even_where_one_knows_nothing_of_a_label(two: list[dict[str, Any]], case: str) -> None:
    alone = CASES[case](ALONE)
    for found in two:
        for step, expected in zip(found[case]["results"], alone["results"], strict=True):
            assert step == pytest.approx(expected, rel=1e-5), "the figures of the whole batch"
        for name, tensor in alone["weights"].items():
            torch.testing.assert_close(found[case]["weights"][name], tensor, atol=1e-5, rtol=0, msg=name)


@pytest.mark.parametrize("case", CASES)
def test_ranks_hold_the_same_weights_to_the_bit(two: list[dict[str, Any]], case: str) -> None:
    first, second = (found[case]["weights"] for found in two)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_gradient_of_one_rank_reaches_the_other_and_none_stays_none(two: list[dict[str, Any]]) -> None:
    for found in two:
        both, one, nowhere, frozen, same, rank = found["gradients"]
        assert both.tolist() == [3.0, 3.0]
        assert one.tolist() == [5.0, 5.0, 5.0]
        assert nowhere is None, "with zeros for a gradient, weight decay would move it"
        assert frozen is None
        assert (same.item(), rank.item()) == (0.5, 1.0)


def test_statistics_of_batch_norm_are_the_mean_over_the_ranks(two: list[dict[str, Any]]) -> None:
    assert [found["statistics"].tolist() for found in two] == [[0.5, 0.5]] * 2


def test_alone_nothing_is_exchanged() -> None:
    parameter = nn.Parameter(torch.zeros(2))
    gradient = parameter.grad = torch.ones(2)
    assert sum_over_ranks([parameter], [torch.tensor(2.0)], ALONE) == [torch.tensor(2.0)]
    assert parameter.grad is gradient
