"""UIDs of what is delivered: the same for the same content, so that sending twice gives a PACS nothing twice."""

from __future__ import annotations

import hashlib


def derived_uid(*parts: str) -> str:
    """A UID below 2.25 (PS3.5 B.2) that is the same for the same parts, and tells nothing of them."""
    digest = hashlib.sha256("\0".join(("cxr deliver", *parts)).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"
