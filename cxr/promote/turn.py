"""One decision at a time about a registered model: commands draw numbers, and the lowest number that is left decides.

MLflow has no lock and no compare-and-set, but it gives every version of a registered model a number of its own, greater
than all before, on every database and through every server. So a number is a version of `NAME.being-decided`, deleted
when its command ends; who is alone deletes the whole queue while it is still its turn, so that nobody else can have come
to decide in it. A command that was killed leaves its number; after `STALE` seconds the next one deletes it.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from cxr.errors import CxrError
from cxr.tracking.registry import Registry, Source, Version

SUFFIX = ".being-decided"
STALE = 120.0
"""Seconds since a number was drawn; far more than `PATIENCE`, the longest wait, and a decision, which takes a few, together."""
PATIENCE = 20.0
"""Seconds that a command waits for its turn."""
_PAUSE = 0.25
_TRIES = 4
_TEXT = (
    "This is here only while `cxr promote` decides about {name}: it keeps two people from deciding at once. Nothing here "
    "is a model."
)
_TOKEN, _WHO = "cxr.token", "cxr.who"


@dataclass(frozen=True)
class Turn:
    """The right to decide, while the number is the lowest.

    Args:
        registry: where the numbers are drawn.
        name: of the registered model that is decided about.
        who: decides.
        run_id: a run that the decision is about; the number's page leads to it.
        token: tells this command's numbers from all others.
    """

    registry: Registry
    name: str
    who: str
    run_id: str
    token: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def queue(self) -> str:
        """The registered model whose versions are the numbers."""
        return self.name + SUFFIX

    def check(self) -> None:
        """Make sure, before a write, that it is still this command's turn.

        Raises:
            CxrError: another command has taken this one for killed, as after a sleep of the machine.
        """
        numbers = self.registry.versions(self.queue)
        if not numbers or not self.owns(numbers[0]):
            raise CxrError(
                f"{self.name}: this command stood still for more than {STALE:.0f} s, and another one may decide since; run "
                "the same command again: it goes on from what is on record"
            )

    def owns(self, number: Version) -> bool:
        """Whether a number is this command's."""
        return number.tags.get(_TOKEN) == self.token

    def draw(self) -> None:
        """Draw a number; see `_persistently`."""
        _persistently(self._draw)

    def _draw(self) -> None:
        self.registry.make_model(self.queue, _TEXT.format(name=self.name))
        tags = {_TOKEN: self.token, _WHO: self.who}
        self.registry.make_version(self.queue, Source(f"runs:/{self.run_id}", self.run_id), tags)

    def give_back(self) -> None:
        """Let the next one decide; see `_persistently`."""
        _persistently(self._give_back)

    def _give_back(self) -> None:
        numbers = self.registry.versions(self.queue)
        if numbers and all(map(self.owns, numbers)):
            self.registry.delete_model(self.queue)
            return
        # where a server's answer got lost, the request was sent twice, and two numbers were drawn
        for number in filter(self.owns, numbers):
            self.registry.delete_version(self.queue, number.number)


def _persistently(step: Callable[[], None]) -> None:
    """Do a step, again where it fails since another command has just deleted the queue, or drawn a number in it.

    Raises:
        CxrError: it failed `_TRIES` times.
    """
    for left in reversed(range(_TRIES)):
        try:
            step()
            return
        except CxrError:
            if not left:
                raise
            time.sleep(_PAUSE)


@contextmanager
def turn(registry: Registry, name: str, run_id: str, who: str, say: Callable[[str], None]) -> Iterator[Turn]:
    """Wait until nobody else decides about a model, and keep others from it.

    Args:
        registry: of the store.
        name: of the registered model.
        run_id: a run that the decision is about.
        who: decides.
        say: told what is waited for, and of a command that was killed.

    Raises:
        CxrError: somebody else's decision takes longer than `PATIENCE`.
    """
    mine = Turn(registry, name, who, run_id)
    try:
        _wait(mine, say)
        yield mine
    finally:
        mine.give_back()


def _wait(mine: Turn, say: Callable[[str], None]) -> None:
    """Draw a number, and wait until it is the lowest."""
    began = drawn = time.monotonic()
    told = 0
    while True:
        numbers = mine.registry.versions(mine.queue)
        own = next(filter(mine.owns, numbers), None)
        if own is not None and own is numbers[0]:
            return
        now = time.monotonic()
        if own is None:
            mine.draw()
            drawn = now
        else:
            # both ages by the clock of the store: those of two machines may differ
            age = (own.made - numbers[0].made) / 1000 + now - drawn
            told = _mind(mine, numbers[0], age, told, say)
        if now - began > PATIENCE:
            raise CxrError(f"{mine.name}: others are deciding about it; try again, or, if one was killed, in {STALE:.0f} s")
        if own is not None:
            time.sleep(_PAUSE)


def _mind(mine: Turn, head: Version, age: float, told: int, say: Callable[[str], None]) -> int:
    """Tell whom this command waits for; delete the number of one that was killed. Gives the number that was told of."""
    who = head.tags.get(_WHO, "somebody")
    if age > STALE:
        say(f"a decision that {who} began {age:.0f} s ago was never ended: its command counts as killed")
        mine.registry.delete_version(mine.queue, head.number)
    elif told != head.number:
        say(f"waiting for {who}, who is deciding")
    return head.number
