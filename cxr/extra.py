"""Packages of the extras, which an installation may lack."""

from __future__ import annotations

import importlib.util

from cxr.errors import CxrError


def require(extra: str, *packages: str) -> None:
    """Refuse to go on where a package of an extra is not installed.

    Raises:
        CxrError: names those that are missing, and how to install them.
    """
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise CxrError(f"{' and '.join(missing)} not installed; run: pip install 'cxr[{extra}]'")
