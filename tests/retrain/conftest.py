"""An older model with random weights, and configurations that start from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cxr.config_model import HeadConfig, ModelConfig
from cxr.labels.label_set import LabelSet
from cxr.model.build import build_classifier
from cxr.model.card import ModelCard, Preprocessing
from cxr.model.file import save_model

MADE = Preprocessing(size=32, fit="pad", normaliser=3, canonical=2)
PLAIN: dict[str, Any] = {
    "backbone": "vit_tiny_patch16_224",
    "options": {"patch_size": 8, "embed_dim": 32, "depth": 2, "num_heads": 2},
    "head": {"hidden": 8},
}
STACKED: dict[str, Any] = PLAIN | {
    "options": {"patch_size": 8, "embed_dim": 128, "depth": 1, "num_heads": 2},
    "stacked": {"heads": (1, 2), "share_head": False},
}
MODELS = {
    "multi-branch": PLAIN,
    "aggregated": PLAIN | {"head": {"kind": "aggregated"}},
    "branches on the token": PLAIN | {"head": {"kind": "branches", "pooling": "token", "hidden": 8}},
    "pyramid": {"backbone": "pvt_v2_b0", "options": {"embed_dims": [8, 16, 20, 32]}, "head": {"hidden": 8}},
    "stacked, a head for each": STACKED,
    "stacked, one head": STACKED | {"stacked": {"heads": (1, 2)}},
}


@pytest.fixture(autouse=True)
def _one_thread(one_torch_thread: None) -> None:
    """Every test of this folder."""


@pytest.fixture
def older_model(tmp_path: Path) -> Callable[..., Path]:
    """Writes a model file with random weights, its combination weights uneven."""

    def make(model: dict[str, Any], labels: LabelSet, seed: int = 0, **card: Any) -> Path:
        torch.manual_seed(seed)
        config = ModelConfig.model_validate(model)
        classifier = build_classifier(config, MADE.size, len(labels.names))
        with torch.no_grad():
            for name, parameter in classifier.named_parameters():
                if "theta" in name or name.endswith("_bias") or "scale" in name:
                    parameter.add_(torch.randn_like(parameter))
        header = {"cxr_version": "0", "run_id": "older-run", "data_sha256": "d", "epoch": 3, "preprocessing": MADE} | card
        path = tmp_path / "older.safetensors"
        save_model(path, classifier.state_dict(), ModelCard(labels=labels, model=config, **header))
        return path

    return make


@pytest.fixture
def head_of() -> Callable[[dict[str, Any]], HeadConfig]:
    return lambda model: ModelConfig.model_validate(model).head
