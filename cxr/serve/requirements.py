"""What a served model needs installed: of the package's own requirements those that scoring a file imports."""

from __future__ import annotations

import importlib.metadata
import re

from cxr.errors import CxrError

_NEEDED = (
    *("torch", "torchvision", "timm", "safetensors", "huggingface-hub", "opencv-python-headless", "pydicom", "imagecodecs"),
    *("numpy", "scipy", "scikit-learn", "pandas", "mlflow", "pydantic", "PyYAML"),
)
"""torchvision is imported by timm, and has to fit torch."""


def requirements() -> list[str]:
    """Requirements as pip takes them, with the ranges that the package states.

    Raises:
        CxrError: the package is not installed, so that nothing states them.
    """
    try:
        stated = importlib.metadata.requires("cxr") or []
    except importlib.metadata.PackageNotFoundError as error:
        raise CxrError("cxr is not installed as a package, so its requirements are not known; run: pip install -e .") from error
    named = {re.split(r"[^\w.-]", line, maxsplit=1)[0]: line for line in stated if "extra ==" not in line}
    return [named.get(name, name) for name in _NEEDED]  # an editable installation may be older than the code
