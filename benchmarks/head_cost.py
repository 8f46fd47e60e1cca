"""What the multi-branch head costs beside its backbone, and beside the same branches computed one after another.

    python benchmarks/head_cost.py [--labels 14 30 100] [--repeats 15] [--batch 8]

First a training step: forward, backward and AdamW of a ViT-S at 224 pixels, without and with the head, and of the head by
itself, on features of that shape, down to their gradient. Then one image, forward only: all branches in one batched
operation, against a loop over the branches with the same weights. All of them take turns; medians over the repeats.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from datetime import datetime

import torch
from torch import nn
from torch.nn import functional

from cxr.model.backbone import Backbone, Features
from cxr.model.head import MultiBranchHead

WIDTH, TOKENS, SIZE = 384, 196, 224


class Loop(nn.Module):
    """The branches of a head, one after another: what is written first when a branch is a module."""

    def __init__(self, head: MultiBranchHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, features: Features) -> torch.Tensor:
        pool, branches = self.head.pool, self.head.branches
        assert pool is not None
        assert branches is not None
        keys, logits = pool.norm(features.tokens), []
        for j in range(len(pool.query)):
            weights = torch.softmax(keys @ pool.query[j] * WIDTH**-0.5, dim=1)
            pooled = (weights[:, None] @ keys)[:, 0]
            normalised = functional.layer_norm(pooled, (WIDTH,), branches.scale[j], branches.shift[j])
            hidden = functional.gelu(torch.addmm(branches.inner_bias[j], normalised, branches.inner[j]))
            logits.append(hidden @ branches.outer[j] + branches.outer_bias[j])
        return torch.stack(logits, dim=1)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def step(module: nn.Module, inputs: tuple[torch.Tensor, ...], forward: Callable[[], torch.Tensor]) -> Callable[[], None]:
    optimiser = torch.optim.AdamW(module.parameters(), lr=1e-4, fused=True)

    def run() -> None:
        forward().square().mean().backward()
        optimiser.step()
        optimiser.zero_grad()
        for tensor in inputs:
            tensor.grad = None

    return run


def training(labels: int, batch: int, repeats: int) -> None:
    backbone, head = Backbone("vit_small_patch16_224", SIZE, {}), MultiBranchHead(WIDTH, labels)
    images = torch.randn(batch, 1, SIZE, SIZE)
    features = Features(torch.randn(batch, WIDTH).requires_grad_(), torch.randn(batch, TOKENS, WIDTH).requires_grad_())
    bare = step(backbone, (), lambda: backbone(images).pooled)
    both = step(nn.ModuleList([backbone, head]), (), lambda: head(backbone(images)).combined)
    part = step(head, (features.pooled, features.tokens), lambda: head(features).combined)
    bare(), both(), part()
    rounds = [(seconds(bare), seconds(both), seconds(part)) for _ in range(repeats)]
    bare_ms, both_ms, head_ms = (statistics.median(column) * 1e3 for column in zip(*rounds, strict=True))
    more = statistics.median(two / one for one, two, _ in rounds) - 1
    share = statistics.median(alone / one for one, _, alone in rounds)
    print(
        f"{labels:4} labels, batch {batch}: ViT-S step {bare_ms:7.1f} ms, with the head {both_ms:7.1f} ms ({more:+.2%}); "
        f"the head by itself {head_ms:6.2f} ms ({share:.2%})"
    )


@torch.inference_mode()
def one_image(labels: int, repeats: int) -> None:
    head = MultiBranchHead(WIDTH, labels).eval()
    loop = Loop(head)
    features = Features(torch.randn(1, WIDTH), torch.randn(1, TOKENS, WIDTH))
    together = head(features).branch
    assert together is not None
    torch.testing.assert_close(together, loop(features), atol=1e-5, rtol=1e-4)
    pairs = [(seconds(lambda: head(features)), seconds(lambda: loop(features))) for _ in range(repeats)]
    ours, theirs = (statistics.median(column) * 1e3 for column in zip(*pairs, strict=True))
    ratio = statistics.median(mine / other for mine, other in pairs)
    print(f"{labels:4} labels, one image: batched {ours:6.3f} ms, loop {theirs:6.3f} ms, ratio {ratio:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", type=int, nargs="+", default=[14, 30, 100])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--batch", type=int, default=8)
    given = parser.parse_args()
    torch.manual_seed(0)
    threads, python = torch.get_num_threads(), platform.python_version()
    print(f"{datetime.now():%Y-%m-%d}, {threads} threads, {platform.machine()}, Python {python}, torch {torch.__version__}")
    for labels in given.labels:
        training(labels, given.batch, given.repeats)
    for labels in given.labels:
        one_image(labels, 20 * given.repeats)


if __name__ == "__main__":
    main()
