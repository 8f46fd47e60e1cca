"""The one way to MONAI, which imports torchvision; it is an extra, and its import takes seconds."""

from __future__ import annotations

from cxr.extra import require

from cxr.model import torchvision_cure  # noqa: F401  isort: skip

require("monai", "monai")

import monai  # noqa: E402

__all__ = ["monai"]
