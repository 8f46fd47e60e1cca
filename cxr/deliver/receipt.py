"""What a destination says of each object: it has it, or why not. Nothing counts as delivered that was not acknowledged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pydicom.dataset import Dataset

FAILURES = {
    0x0106: "an attribute has an invalid value",
    0x0110: "a processing failure",
    0x0111: "it has another object of the same UID",
    0x0112: "it does not know the object",
    0x0117: "the UID is invalid",
    0x0119: "the class and the object contradict each other",
    0x0120: "an attribute is missing",
    0x0122: "it does not take objects of this kind",
    0x0124: "it does not permit this sender to store",
    0x0211: "it does not know the operation",
    0x0272: "it does not take this encoding",
}
"""Failure reasons of a store (PS3.18 table I.2-2, PS3.7 annex C)."""
_RANGES = (
    (0xA700, 0xA7FF, "it is out of resources"),
    (0xA900, 0xA9FF, "the object does not match its kind"),
    (0xC000, 0xCFFF, "it cannot understand the object"),
)


@dataclass(frozen=True)
class Receipt:
    """One object.

    Args:
        uid: its SOPInstanceUID.
        problem: why the destination does not have it; empty where it has.
    """

    uid: str
    problem: str = ""


class Destination(Protocol):
    """Where results go."""

    def send(self, objects: Sequence[Dataset]) -> tuple[Receipt, ...]:
        """Deliver the objects of a study.

        Returns:
            A receipt for each, in their order.

        Raises:
            DataError: the destination as a whole cannot be reached, or refuses everything.
            ConfigError: it cannot be used as configured.
        """


def failure_text(status: int) -> str:
    """A status of failure in words, with its number."""
    ranged = next((words for low, high, words in _RANGES if low <= status <= high), "it refuses the object")
    return f"{FAILURES.get(status, ranged)} (status {status:#06x})"
