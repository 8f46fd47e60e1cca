"""What is asked for, by whom and why, and what came of it."""

from __future__ import annotations

import getpass
import re
from dataclasses import dataclass
from typing import Literal

from cxr.errors import ConfigError
from cxr.promote.entry import Entry, What, reason
from cxr.promote.grounds import Grounds
from cxr.promote.history import History
from cxr.session import now

_ALIAS = re.compile(r"[A-Za-z0-9_-]{1,100}")
_RESERVED = re.compile(r"latest|v\d+", re.IGNORECASE)


@dataclass(frozen=True)
class Wish:
    """What is asked for.

    Args:
        alias: that the version in use has.
        who: asks.
        why: the reason, one line.
    """

    alias: str
    who: str
    why: str


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Args:
        what: "kept" where the model has the alias already, so that there was nothing to decide.
        name: of the registered model.
        alias: that it was about.
        version: the version that has the alias now; None where there is none.
        entry: the decision on record; None where there was nothing to decide.
        again: the very same was decided before, and that decision stands for this one.
    """

    what: Literal["promoted", "refused", "rolled back", "kept"]
    name: str
    alias: str
    version: int | None
    entry: Entry | None
    again: bool = False


def wish(alias: str, why: str | None) -> Wish:
    """What is asked for, by the user of this process.

    Raises:
        ConfigError: an alias that MLflow does not take, no reason, or nobody knows who asks.
    """
    if not _ALIAS.fullmatch(alias) or _RESERVED.fullmatch(alias):
        raise ConfigError(f"--alias: '{alias}': letters, digits, _ and - make an alias; 'latest' and 'v1' are MLflow's own")
    text = reason(why)
    try:
        return Wish(alias, getpass.getuser(), text)
    except (KeyError, OSError, ImportError) as error:
        raise ConfigError("the system does not tell who you are; set the environment variable USER") from error


def new_entry(
    history: History,
    what: What,
    asked: Wish,
    run_id: str,
    *,
    version: int | None,
    before: int | None,
    failed: tuple[str, ...] = (),
    grounds: Grounds | None = None,
) -> Entry:
    """A decision that is taken now, not done yet; see `Entry`."""
    return Entry(
        number=history.next_number,
        what=what,
        alias=asked.alias,
        version=version,
        before=before,
        run_id=run_id,
        who=asked.who,
        when=now(),
        why=asked.why,
        failed=failed,
        grounds=grounds or Grounds(),
    )


def outcome_of(name: str, entry: Entry, *, again: bool = False) -> Outcome:
    """What came of a request by a decision on record."""
    return Outcome(entry.what, name, entry.alias, entry.before if entry.version is None else entry.version, entry, again)
