"""The one way to timm, which imports torchvision."""

from __future__ import annotations

from cxr.model import torchvision_cure  # noqa: F401  isort: skip

import timm

__all__ = ["timm"]
