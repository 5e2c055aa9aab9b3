"""When a fault begins, which, and of which nodes. Pure: the caller says what time it is and how things are.

- One is due every `every` seconds, whether or not earlier ones are over; at most `at_once` are open.
- Those that are open are of different kinds and on different nodes.
- Kinds that take away more than f nodes begin when nothing else is open, and nothing begins until they are over.
  Whoever is drawn next and waits for that lets no other pass. A cut is of links, not of nodes, and goes with all.
- At most f validators of the set in force are unsound: without a log, abstaining since, or doubled.
- What is due and cannot begin is made up for as soon as it can, but for at most `at_once` of them.
- Kinds are drawn from a shuffled deck: each comes before any comes twice. One that cannot begin now stays in it.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from runtime.quorum import faulty
from tests.faults.harm import ALONE, Fault
from tests.faults.sets import Situation


@dataclass(frozen=True)
class Begun:
    """A fault that has begun."""

    fault: Fault
    nodes: tuple[str, ...]


class Schedule:
    """Draws the faults of one run."""

    def __init__(
        self, kinds: Sequence[Fault], *, every: float, at_once: int, rng: random.Random, begin: float
    ) -> None:
        """`begin` is when the first one is due, in the seconds that `next` is given."""
        self._kinds = list(kinds)
        self._every = every
        self._at_once = at_once
        self._rng = rng
        self._due = begin
        self._deck: list[Fault] = []

    def next(self, now: float, going_on: Collection[Begun], situation: Situation) -> Begun | None:
        """Return what begins now, if anything does."""
        if now < self._due or len(going_on) >= self._at_once or any(map(_alone, going_on)):
            return None
        self._refill()
        for kind in list(self._deck):
            if kind.most in ALONE and going_on:
                return None
            nodes = self._draw(kind, going_on, situation)
            if nodes is not None:
                self._deck.remove(kind)
                self._due = max(self._due + self._every, now - self._every * (self._at_once - 2))
                return Begun(kind, tuple(nodes))
        return None

    def _refill(self) -> None:
        """Put the kinds that are not in the deck below those that are."""
        # The unsound may have to wait long: the others do not wait for them.
        if all(kind.unsound for kind in self._deck):
            missing = [kind for kind in self._kinds if kind not in self._deck]
            self._rng.shuffle(missing)
            self._deck += missing

    def _draw(self, kind: Fault, going_on: Collection[Begun], situation: Situation) -> list[str] | None:
        if any(begun.fault.name == kind.name for begun in going_on):
            return None
        if kind.most == "none":
            return []
        taken = {name for begun in going_on for name in begun.nodes}
        free = [name for name in situation.nodes if name not in taken]
        n = len(situation.nodes)
        f = faulty(n)
        count = {
            "one": 1,
            "f": self._rng.randint(1, max(1, f)),
            "many": self._rng.randint(min(f + 1, n), n),
            "all": n,
        }[kind.most]
        if kind.unsound:
            unsound = situation.abstaining.union(*(begun.nodes for begun in going_on if begun.fault.unsound))
            free = [name for name in free if name in situation.members - unsound]
            count = min(count, faulty(len(situation.members)) - len(unsound))
        count = min(count, len(free))
        return self._rng.sample(free, count) if count > 0 else None


def _alone(begun: Begun) -> bool:
    return begun.fault.most in ALONE
