"""Whether a stage has to run, and why: what its folder holds, against what it would be made from now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cxr.record import CLEARED, Fingerprint, StageRecord, read_attempt, read_record


@dataclass(frozen=True)
class StageState:
    """Whether a stage has to run.

    Args:
        stage: its name.
        state: "done"; "interrupted", to be gone on with; "due"; or "waiting" for an earlier stage.
        reason: in words.
        record: of a stage that is done.
        fingerprint: of the stage as it would run now; None while it waits.
    """

    stage: str
    state: Literal["done", "interrupted", "due", "waiting"]
    reason: str
    record: StageRecord | None = None
    fingerprint: Fingerprint | None = None


def state_of(name: str, fingerprint: Fingerprint, folder: Path) -> StageState:
    """Whether a stage whose inputs are all there has to run, by what its folder holds."""
    record, attempt = read_record(folder), read_attempt(folder)
    if record is None:
        if attempt is not None and attempt.digest == fingerprint.digest:
            return StageState(name, "interrupted", "it was begun and not finished; it goes on", fingerprint=fingerprint)
        begun = "it was begun otherwise and not finished; what of that still serves is kept"
        reason = begun if attempt is not None and attempt.digest != CLEARED else "it has not run yet"
        return StageState(name, "due", reason, fingerprint=fingerprint)
    changed = fingerprint.differences(record.fingerprint)
    reason = _summary(changed) or record.damage(folder)
    if reason:
        return StageState(name, "due", reason, fingerprint=fingerprint)
    return StageState(name, "done", "inputs, configuration and code are unchanged", record, fingerprint)


def _summary(changed: Sequence[str], most: int = 3) -> str:
    more = f" and {len(changed) - most} more" if len(changed) > most else ""
    return "; ".join(changed[:most]) + more
