"""The layers of a vision transformer, with their weights laid so that every narrower network is one leading block.

Two things differ from timm in memory, not in the numbers that come out; files and state dicts keep timm's order.

* Linear layers keep their weights as [in, out]. The gradient of a block then comes out in the layout of the block; as
  [out, in] torch would copy it, transposed, at every step: a fifth of the time of a step in float32.
* The columns of the fused projection of queries, keys and values lie head by head, [head][q, k, v][64], where timm has
  [q, k, v][head][64]. The first k heads are then one piece instead of three.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional

from cxr.errors import ConfigError
from cxr.model.timm_gate import timm

Hook = Callable[..., None]
_TIMM: Any = timm
_PLAIN = "model.stacked: the backbone must be a plain vision transformer, such as vit_base_patch16_224"


class InOutLinear(nn.Module):
    """A linear layer whose weights lie as [in, out].

    Args:
        linear: whose parameters are taken over.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight = nn.Parameter(linear.weight.detach().t().contiguous())
        self.bias = linear.bias
        _keep_timm_order(self, _transpose_weight, _transpose_weight)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map float [..., in] to [..., out]."""
        return functional.linear(features, self.weight.t(), self.bias)


class HeadMajorAttention(nn.Module):
    """The attention of a timm block, with the columns of `qkv` head by head.

    Args:
        attention: whose parts are taken over.

    Raises:
        ConfigError: an attention with further parts than those of a plain vision transformer.
    """

    def __init__(self, attention: Any) -> None:
        super().__init__()
        plain = isinstance(getattr(attention, "norm", nn.Identity()), nn.Identity) and getattr(attention, "gate", None) is None
        if type(attention) is not _TIMM.models.vision_transformer.Attention or not plain:
            raise ConfigError(f"{_PLAIN}; the attention of this one has further parts")
        self.heads: int = attention.num_heads
        self.fused_attn: bool = attention.fused_attn
        state = attention.state_dict()
        self.qkv, self.proj = InOutLinear(attention.qkv), InOutLinear(attention.proj)
        self.q_norm, self.k_norm = attention.q_norm, attention.k_norm
        self.attn_drop, self.proj_drop = attention.attn_drop, attention.proj_drop
        _keep_timm_order(self, _to_timm_order, _from_timm_order)
        self.load_state_dict(state)
        self.train(attention.training)

    def forward(self, tokens: torch.Tensor, attn_mask: None = None, is_causal: bool = False) -> torch.Tensor:
        """Attend, float [batch, tokens, width] to the same.

        Raises:
            ValueError: a mask is asked for, which no plain vision transformer does.
        """
        if attn_mask is not None or is_causal:
            raise ValueError("attention masks are not supported")
        batch, length, width = tokens.shape
        parts = self.qkv(tokens).reshape(batch, length, self.heads, 3, -1)
        query, key, value = parts.permute(3, 0, 2, 1, 4).unbind(0)
        mixed = self._attend(self.q_norm(query), self.k_norm(key), value)
        return cast(torch.Tensor, self.proj_drop(self.proj(mixed.transpose(1, 2).reshape(batch, length, width))))

    def _attend(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        if self.fused_attn:
            drop = self.attn_drop.p if self.training else 0.0
            return functional.scaled_dot_product_attention(query, key, value, dropout_p=drop)
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1)
        return cast(torch.Tensor, self.attn_drop(scores.softmax(dim=-1)) @ value)


def stack_heads(model: Any) -> None:
    """Replace the layers of a timm vision transformer by those of this module, with the same outputs.

    Raises:
        ConfigError: another model than a plain vision transformer.
    """
    transformer = _TIMM.models.vision_transformer
    if type(model) is not transformer.VisionTransformer:
        raise ConfigError(f"{_PLAIN}, not a {type(model).__name__}")
    if getattr(model, "attn_pool", None) is not None:
        raise ConfigError(f"{_PLAIN}, without attention pooling")
    for block in model.blocks:
        if type(block) is not transformer.Block or type(block.mlp) is not _TIMM.layers.Mlp:
            raise ConfigError(f"{_PLAIN}; this one has blocks of another form")
        block.attn = HeadMajorAttention(block.attn)
        block.mlp.fc1, block.mlp.fc2 = InOutLinear(block.mlp.fc1), InOutLinear(block.mlp.fc2)


def _keep_timm_order(module: Any, saved: Hook, loaded: Hook) -> None:
    """Pass what a state dict says of a module through a function when it is made, and through another when it is read."""
    module.register_state_dict_post_hook(saved)
    module.register_load_state_dict_pre_hook(loaded)


def _transpose_weight(module: Any, state: dict[str, torch.Tensor], prefix: str, *_: Any) -> None:
    name = f"{prefix}weight"
    if name in state and state[name].ndim == 2:
        state[name] = state[name].t().contiguous()


def _to_timm_order(module: Any, state: dict[str, torch.Tensor], prefix: str, *_: Any) -> None:
    _reorder(state, prefix, (module.heads, 3))


def _from_timm_order(module: Any, state: dict[str, torch.Tensor], prefix: str, *_: Any) -> None:
    _reorder(state, prefix, (3, module.heads))


def _reorder(state: dict[str, torch.Tensor], prefix: str, order: tuple[int, int]) -> None:
    """Swap the two outer parts of the rows of the fused projection; entries of another form are left to the loader."""
    for name in (f"{prefix}qkv.weight", f"{prefix}qkv.bias"):
        rows = state.get(name)
        if rows is not None and rows.shape[0] % (order[0] * order[1]) == 0:
            parts = rows.reshape(*order, -1, *rows.shape[1:]).transpose(0, 1)
            state[name] = parts.reshape(rows.shape)
