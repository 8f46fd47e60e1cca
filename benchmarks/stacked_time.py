"""What it costs that a network is a slice of a wider one, paired with a plain timm model of the same width.

    python benchmarks/stacked_time.py [--heads 3 6 12] [--repeats 7] [--published]

The stacked model is ViT-B/16 with 3 to 12 attention heads. A step is forward, backward and AdamW, ours on the slice alone.
The plain model is there twice: the two copies show what two equal models differ by. --published adds the usual form, which
slices inside the forward pass and steps over all weights. All of them take turns in one run; medians over the repeats.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import datetime

import torch
from torch import nn
from torch.func import functional_call

from cxr.config_model import HeadConfig, ModelConfig, StackedConfig
from cxr.model.classifier import Classifier
from cxr.model.stacked import StackedClassifier
from cxr.train.adamw import PartAdamW

LABELS, DECAY, RATE = 14, 0.05, 1e-4
Work = Callable[[], object]


def images(size: int, batch: int) -> torch.Tensor:
    return torch.randint(0, 256, (batch, size, size), dtype=torch.uint8)


def forward(network: Classifier, batch: torch.Tensor) -> Work:
    def run() -> None:
        with torch.inference_mode():
            network(batch)

    return run


def plain_step(network: nn.Module, batch: torch.Tensor) -> Work:
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY, fused=True)

    def run() -> None:
        network(batch).combined.square().mean().backward()
        optimiser.step()
        optimiser.zero_grad()

    return run


def our_step(stacked: StackedClassifier, heads: int, batch: torch.Tensor) -> Work:
    optimiser = PartAdamW([{"params": [*stacked.parameters()], "weight_decay": DECAY}], lr=RATE)

    def run() -> None:
        stacked.at(heads)(batch).combined.square().mean().backward()
        blocks = dict(stacked.parts(heads).values())
        optimiser.step(blocks=blocks)
        for block in blocks.values():
            block.grad = None

    return run


def published_step(stacked: StackedClassifier, heads: int, batch: torch.Tensor) -> Work:
    """Slices of whole parameters inside the graph: gradients and optimiser go over all weights."""
    plain = stacked.extract(heads).train()
    shapes = {name: parameter.shape for name, parameter in plain.named_parameters()}
    whole = {name: nn.Parameter(value.detach().clone()) for name, value in stacked.state_dict().items()}
    optimiser = torch.optim.AdamW(whole.values(), lr=RATE, weight_decay=DECAY, fused=True)

    def cut(name: str) -> torch.Tensor:
        parameter, shape = whole[name], shapes[name]
        if ".qkv." in name:
            parts = parameter.reshape(3, -1, *parameter.shape[1:])[:, : shape[0] // 3]
            return (parts if parameter.ndim == 1 else parts[..., : shape[1]]).reshape(shape)
        return parameter[tuple(slice(0, length) for length in shape)]

    def run() -> None:
        functional_call(plain, {name: cut(name) for name in shapes}, (batch,)).combined.square().mean().backward()
        optimiser.step()
        optimiser.zero_grad()

    return run


def seconds(work: Work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(works: dict[str, Work], repeats: int) -> Iterator[str]:
    """Milliseconds of each, and its time relative to that of `plain`, pair by pair."""
    for work in works.values():
        work(), work()
    rounds = [{name: seconds(work) for name, work in works.items()} for _ in range(repeats)]
    for name in works:
        time_ms = statistics.median(one[name] for one in rounds) * 1e3
        yield f"{name} {time_ms:7.1f} ms ({statistics.median(one[name] / one['plain'] for one in rounds):.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--heads", type=int, nargs="+", default=[3, 6, 12])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--published", action="store_true")
    given = parser.parse_args()
    torch.manual_seed(0)
    threads, python = torch.get_num_threads(), platform.python_version()
    print(f"{datetime.now():%Y-%m-%d}, {threads} threads, {platform.machine()}, Python {python}, torch {torch.__version__}")
    config = ModelConfig(backbone="vit_base_patch16_224", stacked=StackedConfig(), head=HeadConfig(kind="aggregated"))
    for size, batch_size, heads in [(224, 8, k) for k in given.heads] + [(64, 16, 3)]:
        stacked, batch = StackedClassifier(config, size, LABELS), images(size, batch_size)
        plain, again = stacked.extract(heads), stacked.extract(heads)
        repeats = given.repeats if size > 64 else 10 * given.repeats
        stacked.eval(), plain.eval(), again.eval()
        works = {"plain": forward(plain, batch), "again": forward(again, batch), "ours": forward(stacked.at(heads), batch)}
        print(f"{size} px, batch {batch_size}, k = {heads:2}, forward: ", ", ".join(compare(works, repeats)), flush=True)
        stacked.train(), plain.train(), again.train()
        works = {"plain": plain_step(plain, batch), "again": plain_step(again, batch), "ours": our_step(stacked, heads, batch)}
        if given.published:
            works["published form"] = published_step(stacked, heads, batch)
        print(f"{size} px, batch {batch_size}, k = {heads:2}, step:    ", ", ".join(compare(works, repeats)), flush=True)


if __name__ == "__main__":
    main()
