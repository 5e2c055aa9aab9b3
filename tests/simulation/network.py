"""A network in virtual time: one heap of what happens when, everything else drawn from the seed."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from pocl.v1.consensus_pb2 import FINALIZE, ConsensusMessage

Deliver = Callable[[int, int, Any], None]
"""Takes sender, receiver, message."""


@dataclass
class Conditions:
    """What links are like. Milliseconds and probabilities."""

    min_delay: float = 2
    max_delay: float = 30
    slow: float = 0.0
    slow_delay: float = 0.0
    loss: float = 0.0
    duplication: float = 0.0
    no_finality: bool = False
    """Nearly all FINALIZE votes and certificates get lost: notarized blocks pile up."""
    sides: list[set[int]] = field(default_factory=list)
    """Groups of nodes that do not hear each other; a node in none hears nobody."""


class VirtualNetwork:
    """Clock and links."""

    def __init__(self, random: Random, nodes: int, deliver: Deliver) -> None:
        self.now = 0.0
        self.conditions = Conditions()
        self.delivered = 0
        self._random = random
        self._nodes = nodes
        self._deliver = deliver
        self._heap: list[tuple[float, int, Callable[..., None], tuple[object, ...]]] = []
        self._order = 0

    def later(self, delay: float, what: Callable[..., None], *arguments: object) -> None:
        """Have something happen after a delay in milliseconds; ties in the order they were made."""
        self._order += 1
        heapq.heappush(self._heap, (self.now + delay, self._order, what, arguments))

    def linked(self, one: int, other: int) -> bool:
        """Tell whether two nodes hear each other now."""
        sides = self.conditions.sides
        return not sides or any(one in side and other in side for side in sides)

    def send(self, sender: int, receiver: int, message: Any, extra: float = 0.0) -> None:
        """Send over a link as it is now."""
        link, draw = self.conditions, self._random.random
        if not self.linked(sender, receiver):
            return
        if link.loss and draw() < link.loss:
            return
        if link.no_finality and finalizes(message) and draw() < 0.9:
            return
        copies = 2 if link.duplication and draw() < link.duplication else 1
        for _ in range(copies):
            delay = link.min_delay + draw() * (link.max_delay - link.min_delay) + extra
            if link.slow and draw() < link.slow:
                delay += draw() * link.slow_delay
            self.later(delay, self._deliver, sender, receiver, message)

    def broadcast(self, sender: int, message: Any, extra: float = 0.0) -> None:
        """Send to everybody else."""
        for receiver in range(self._nodes):
            if receiver != sender:
                self.send(sender, receiver, message, extra)

    def run(self, until: float, done: Callable[[], bool] = lambda: False) -> None:
        """Let things happen until a time, or until `done`."""
        while self._heap and self._heap[0][0] <= until and not done():
            self.now, _, what, arguments = heapq.heappop(self._heap)
            self.delivered += 1
            what(*arguments)
        if not done():
            self.now = max(self.now, until)


def finalizes(message: Any) -> bool:
    """Tell whether a message is of a FINALIZE vote or certificate."""
    if not isinstance(message, ConsensusMessage):
        return False
    return FINALIZE in (message.vote.kind, message.certificate.kind)


def draw_conditions(random: Random, nodes: int) -> Conditions:
    """Return links that are bad in some way, in half of the cases cut between two groups of nodes."""
    sides: list[set[int]] = []
    if random.random() < 0.5:
        cut = set(random.sample(range(nodes), random.randint(1, nodes - 1)))
        sides = [cut, set(range(nodes)) - cut]
    return Conditions(
        min_delay=1,
        max_delay=random.choice((20, 60, 200)),
        slow=random.choice((0, 0.1, 0.3)),
        slow_delay=random.choice((300, 1500)),
        loss=random.choice((0, 0.05, 0.3)),
        duplication=random.choice((0, 0.1)),
        no_finality=random.random() < 0.25,
        sides=sides,
    )
