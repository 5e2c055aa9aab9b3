"""The faults in progress: each in a thread of its own, over when finality goes on and its nodes are level again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from pocl.client import ClientError
from tests.faults.network import FaultNetwork, Validator
from tests.faults.schedule import Begun
from tests.faults.watch import Watch

LEVEL_S = 90.0
"""Within it the nodes must have caught up."""

CLOSE = 5
"""Blocks that a node may be behind and still count as level."""


@dataclass
class Outcome:
    """One fault and what came of it; times in seconds."""

    fault: str
    nodes: list[str]
    at: float
    at_once: int
    """How many faults were in progress when it began, itself among them."""
    harmed: float = 0.0
    """From the fault to the moment when everything was started or healed."""
    longest_pause: float = 0.0
    """Without a new final block, until it was over."""
    resumed: float = 0.0
    """From a quorum being able again to the next final block; 0 when there always was one."""
    level: float = 0.0
    """From healing to its nodes being level."""
    remark: str = ""


class Progress:
    """Begins faults and knows which are not over."""

    def __init__(self, network: FaultNetwork, watch: Watch, say: Callable[[Outcome], None]) -> None:
        """`say` is called with every fault that is over, by any thread."""
        self._network = network
        self._watch = watch
        self._say = say
        self.begun = time.monotonic()
        """The moment from which the report counts."""
        # Threads that outlive the faults: a node dies with the very thread that started it (`--die-with`).
        self._threads = ThreadPoolExecutor(thread_name_prefix="fault")
        self._futures: dict[Future[None], Begun] = {}
        self.outcomes: list[Outcome] = []
        self.failures: list[str] = []

    def going_on(self) -> list[Begun]:
        return [begun for future, begun in self._futures.items() if not future.done()]

    def begin(self, begun: Begun, rng: random.Random) -> None:
        nodes = [node for node in self._network.nodes if node.name in begun.nodes]
        now = time.monotonic()
        outcome = Outcome(begun.fault.name, list(begun.nodes), now - self.begun, len(self.going_on()) + 1)
        self.outcomes.append(outcome)
        self._futures[self._threads.submit(self._one, begun, nodes, outcome, rng)] = begun

    def wait(self) -> None:
        """Wait until all are over. Raise what none of them expected."""
        for future in list(self._futures):
            future.result()

    def close(self) -> None:
        """Let the threads go, and with them the nodes that they started."""
        self._threads.shutdown()

    def level(self, nodes: list[Validator]) -> bool:
        """Whether these nodes are up and close to the highest."""
        highest = max(node.height for node in self._network.nodes)
        return all(node.up and node.height >= highest - CLOSE for node in nodes)

    def _one(self, begun: Begun, nodes: list[Validator], outcome: Outcome, rng: random.Random) -> None:
        started = time.monotonic()
        try:
            outcome.remark = begun.fault.apply(self._network, nodes, rng)
            healed = time.monotonic()
            outcome.harmed = healed - started
            self._network.until(
                lambda: self._watch.advances[-1] > healed and self.level(self._waited_for(begun)),
                "finality goes on and all are level",
                LEVEL_S,
                nodes,
            )
            outcome.level = time.monotonic() - healed
        except (AssertionError, ClientError, OSError, RuntimeError, ValueError) as error:
            outcome.remark = f"FAILED: {type(error).__name__}: {error}"
            self.failures.append(f"{begun.fault.name} at {outcome.at:.0f} s: {error}")
        finally:
            over = time.monotonic()
            outcome.longest_pause = self._watch.longest_pause(started, over)
            outcome.resumed = self._watch.resumed(started, over)
            self._say(outcome)

    def _waited_for(self, begun: Begun) -> list[Validator]:
        """All nodes that no other fault has hold of; while links are cut, the fault's own."""
        others = [other for other in self.going_on() if other is not begun]
        taken = {name for other in others for name in other.nodes}
        return [
            node
            for node in self._network.nodes
            if node.name in begun.nodes or (node.name not in taken and not self._network.is_cut)
        ]
