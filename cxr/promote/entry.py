"""One decision about a registered model as it is kept: what, by whom, when, why, and which version was in use before."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from cxr.errors import ConfigError, DataError
from cxr.promote.grounds import Grounds
from cxr.tracking.registry import LONGEST

LONGEST_WHY = 500
"""Characters of a reason."""
What = Literal["promoted", "refused", "rolled back"]
_TAG = re.compile(r"decision\.(\d{4,})")
_MORE = "and {} more, which decision.json of the run has"
_LEFT = re.compile(_MORE.format(r"(\d+)"))


class Entry(BaseModel):
    """One decision.

    Args:
        number: from 1, without gaps, of the registered model.
        what: what was decided.
        alias: the alias that it was about.
        version: the version that it put the alias on; None where it was refused, or came to nothing.
        before: the version that the alias was on; None where there was none.
        run_id: the pipeline's run that it was about; of a rollback, the run of the version it went back to.
        who: the user.
        when: UTC, ISO 8601, to the second.
        why: the reason that was given, one line.
        failed: what stood against it, a sentence each.
        grounds: by what it was decided.
        gone: the version that was to have the alias, where it was deleted before all was written: it came to nothing.
        done: whether everything that follows from it is written: alias, pages and tags.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    number: int
    what: What
    alias: str
    version: int | None
    before: int | None
    run_id: str
    who: str
    when: str
    why: str
    failed: tuple[str, ...] = ()
    grounds: Grounds = Grounds()
    gone: int | None = None
    done: bool = False

    @property
    def key(self) -> str:
        """The tag that it is kept in."""
        return f"decision.{self.number:04d}"

    @property
    def moment(self) -> str:
        """When, as people read it, UTC; in one piece where lines are broken."""
        return f"{datetime.fromisoformat(self.when):%d %b %Y %H:%M} UTC".replace(" ", "\u00a0")

    @property
    def outcome(self) -> str:
        """What became of the alias."""
        if self.gone is not None:
            return (
                f"{self.what} as {self.alias}, but it came to nothing: version {self.gone} was deleted before it came into use"
            )
        before = f", in place of version {self.before}" if self.before else ""
        stays = f", version {self.before} stays" if self.before else ""
        return {
            "promoted": f"promoted: version {self.version} is {self.alias}{before}",
            "refused": f"refused as {self.alias}{stays}",
            "rolled back": f"rolled back: version {self.version} is {self.alias} again{before}",
        }[self.what]

    @property
    def line(self) -> str:
        """What, by whom, when, why and by which rule, in one line."""
        rule = f"; by the rule: {self.grounds.words}" if self.grounds.words else ""
        return f"{self.outcome}; by {self.who}, {self.moment}: {self.why}{rule}"

    @property
    def objections(self) -> str:
        """The first thing that stood against it, and how many more; empty where there was none."""
        if not self.failed:
            return ""
        left = _LEFT.fullmatch(self.failed[-1])
        more = len(self.failed) - 1 if left is None else len(self.failed) - 2 + int(left[1])
        return f"{self.failed[0]}{f' (and {more} more)' if more else ''}"

    def dump(self) -> str:
        """The text of its tag, at most `LONGEST` characters: of very many sentences the first ones, and how many more."""
        for kept in range(len(self.failed), -1, -1):
            left = len(self.failed) - kept
            more = (_MORE.format(left),) if left else ()
            text = self.model_copy(update={"failed": (*self.failed[:kept], *more)}).model_dump_json()
            if len(text) <= LONGEST:
                return text
        raise DataError(f"decision {self.number}: too long to be kept")

    @classmethod
    def load(cls, text: str, place: str) -> Self:
        """Read what `dump` wrote.

        Raises:
            DataError: it was changed by hand.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise DataError(f"{place}: not a decision of cxr; its tag was changed by hand: restore or delete it") from error


def is_entry(tag: str) -> bool:
    """Whether a tag of a registered model holds a decision."""
    return _TAG.fullmatch(tag) is not None


def reason(text: str | None) -> str:
    """A reason as it is kept: one line.

    Raises:
        ConfigError: none, blank, or longer than `LONGEST_WHY`.
    """
    why = " ".join((text or "").split())
    if not why:
        raise ConfigError("--why TEXT: missing; every decision is kept with its reason")
    if len(why) > LONGEST_WHY:
        raise ConfigError(f"--why: {len(why)} characters; at most {LONGEST_WHY} are kept, name the document that says more")
    return why
