"""Stacked heads: one set of weights that runs as vision transformers of several widths (Haberer et al., NeurIPS 2024).

The network with k attention heads uses the first k heads of every layer, and so the first p = 64 k coordinates of
everything else (64 being the width of a head): of each parameter the leading block that a plain transformer of that width
has, see `cxr.model.leading`. It is that plain transformer, run on views of the weights, so it costs what the plain one
costs, forward and backward. Its depth never changes. The classification head is cut in the same way, or is its own for
each k.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cxr.config_model import ModelConfig
from cxr.errors import ConfigError
from cxr.model.classifier import Classifier, Part, build_head
from cxr.model.leading import share, shares
from cxr.model.stacked_layers import stack_heads
from cxr.model.weights import FROM_SCRATCH, initial_weights, read_weights


class StackedClassifier(Classifier):
    """A classifier that runs with any of several numbers of attention heads; by itself it is the widest of them.

    Args:
        config: with its `stacked` section. Weights to start from may be those of a narrower transformer with heads of the
            same width; they fill the leading block, and the rest is random.
        size: side of the canonical images, in pixels.
        labels: number of labels.

    Raises:
        ConfigError: the backbone cannot be built, is no plain vision transformer, or has not the largest number of heads.
    """

    def __init__(self, config: ModelConfig, size: int, labels: int) -> None:
        if config.stacked is None:
            raise ConfigError("model.stacked: the numbers of attention heads are not given")
        super().__init__(config.model_copy(update=FROM_SCRATCH), size, labels)
        stack_heads(self.backbone.model)
        self.heads = config.stacked.heads
        self._config, self._size, self._labels = config, size, labels
        self._widest: int = self.backbone.model.blocks[0].attn.heads
        self._head_width: int = self.backbone.width // self._widest
        if self.heads[-1] != self._widest:
            raise ConfigError(f"model.stacked.heads: {config.backbone} has {self._widest} attention heads; end with that")
        self._networks: dict[int, Classifier] = {}
        self.own_heads = nn.ModuleDict() if config.stacked.share_head else self._make_heads()
        start = initial_weights(config)
        if start is not None:
            self._start_from(start)

    def extract(self, heads: int) -> Classifier:
        """A plain classifier with a copy of the weights of `at(heads)`; its backbone is timm's, unchanged.

        Raises:
            ValueError: it cannot run with that number of heads.
        """
        state = self.at(heads).state_dict()
        plain = Classifier(self._narrow(heads), self._size, self._labels).to(self.backbone.dtype)
        plain.load_state_dict({name: tensor for name, tensor in state.items() if not name.startswith("own_heads.")})
        return plain.train(self.training)

    def parts(self, heads: int | None) -> Mapping[str, Part]:
        """The parameters that the network of `at` uses, under the names of this classifier's own."""
        blocks = dict(self.at(heads).named_parameters())
        return {self._own_name(name, heads): Part(whole, blocks[name]) for name, whole in self._used(heads).items()}

    def undecayed(self) -> set[str]:
        """Names of parameters that weight decay leaves alone although they have more than one dimension."""
        names = super().undecayed()
        own = {self._own_name(name, heads) for heads in self.heads for name in names if name.startswith("head.")}
        return names | own

    def _with(self, heads: int | None) -> Classifier:
        if heads is None or heads == self._widest:
            return self
        network = self._networks.get(heads)
        # moving or freezing the weights leaves the views behind
        if network is None or not shares(self._used(heads), network):
            network = self._networks[heads] = self._make(heads)
        for own, other in zip(self.backbone.model.blocks, network.backbone.model.blocks, strict=True):
            other.attn.fused_attn = own.attn.fused_attn
        return network if network.training == self.training else network.train(self.training)

    def _make(self, heads: int) -> Classifier:
        with torch.device("meta"):
            network = Classifier(self._narrow(heads), self._size, self._labels)
            stack_heads(network.backbone.model)
        share(self._used(heads), network)
        return network

    def _used(self, heads: int | None) -> dict[str, nn.Parameter]:
        """The parameters of which a network uses its part, by the network's names of them."""
        own = dict(self.named_parameters())
        return {name: own[self._own_name(name, heads)] for name in own if not name.startswith("own_heads.")}

    def _own_name(self, name: str, heads: int | None) -> str:
        part, _, rest = name.partition(".")
        own = part == "head" and str(heads) in self.own_heads
        return f"own_heads.{heads}.{rest}" if own else name

    def _make_heads(self) -> nn.ModuleDict:
        narrow = self.heads[:-1]  # the widest has `head`
        return nn.ModuleDict({str(k): build_head(self._config.head, k * self._head_width, self._labels) for k in narrow})

    def _narrow(self, heads: int) -> ModelConfig:
        options = self._config.options | {"embed_dim": heads * self._head_width, "num_heads": heads}
        return self._config.model_copy(update={"options": options, "stacked": None, **FROM_SCRATCH})

    def _start_from(self, start: Path) -> None:
        heads = self._heads_of(start)
        given = self._narrow(heads).model_copy(update={"weights": start})
        loaded = Classifier(given, self._size, self._labels)
        self._with(heads).backbone.load_state_dict(loaded.backbone.state_dict())

    def _heads_of(self, start: Path) -> int:
        """The number of attention heads of the transformer whose weights a file has."""
        norms = (tensor.shape[0] for name, tensor in read_weights(start).items() if name.endswith("blocks.0.norm1.weight"))
        width = next(norms, self.backbone.width)
        heads = width // self._head_width
        if not 0 < heads <= self._widest or width % self._head_width:
            widths = f"a multiple of {self._head_width} up to {self._widest * self._head_width}"
            raise ConfigError(f"model.weights: {start}: a transformer of width {width} does not fit; sought is {widths}")
        return heads

    def __getstate__(self) -> dict[str, Any]:
        """Without the views, which a copy makes of its own weights."""
        return {**self.__dict__, "_networks": {}}
