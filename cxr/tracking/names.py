"""Names as MLflow takes them."""

from __future__ import annotations

import re

_NOT_IN_NAMES = re.compile(r"[^\w\-. :/]", re.ASCII)


def metric_name(name: str) -> str:
    """A name that MLflow takes: letters, digits and _-. :/ of ASCII; anything else becomes _."""
    return _NOT_IN_NAMES.sub("_", name)
