"""How a miner of an experiment behaves: the one place where experiments and worker behaviours meet.

Miners of one cell whose behaviours have the same name are accomplices, whatever their groups and parameters, as
those of a devnet are. Real workers share a folder (node/devnet/runner.py); simulated ones a `TimedGang`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from node.experiment.network import MemoryNode
from node.worker.behaviours import HONEST, BehaviourError, Collusion, DataLearner, Gang, Seat, make, word
from pallets.offchain import Half, Miner


@dataclass(frozen=True)
class Behaviour:
    """A behaviour by its name (node/worker/behaviours), with those parameters that are not its defaults."""

    name: str = HONEST
    parameters: tuple[tuple[str, Any], ...] = ()

    @property
    def honest(self) -> bool:
        """Whether it does what the task says."""
        return self.name == HONEST

    def __str__(self) -> str:
        """Return the word for it, as --worker-behaviour takes it: sign_flip:scale=10."""
        return word(self.name, dict(self.parameters))


def read_behaviour(value: object) -> Behaviour:
    """Return the behaviour that a plan names: "knn", or {name = "sign_flip", scale = 10} with parameters.

    Raise ValueError, which says what is wrong with it.
    """
    if isinstance(value, str):
        value = {"name": value}
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        raise ValueError("must be a behaviour's name, or a table with its name and its parameters")
    name, parameters = value["name"], {key: part for key, part in value.items() if key != "name"}
    try:
        make(name, parameters)
    except BehaviourError as error:
        raise ValueError(f"cannot be used: {error}") from None
    return Behaviour(name, tuple(sorted(parameters.items())))


def behaving(behaviour: Behaviour, node: MemoryNode, learner: DataLearner, collusion: Collusion) -> Half:
    """Return the simulated miner on `node` that behaves that way."""
    if behaviour.honest:
        return Miner(node, learner, parallel_fetches=1)
    attack = make(behaviour.name, dict(behaviour.parameters))
    return attack.miner(Seat(node, learner, collusion, parallel_fetches=1))


class TimedGang:
    """Accomplices of a simulation. What one says can be heard when the others' clocks have come to that time.

    Miners are computed one after the other, each ahead by what its training takes: without the times of words
    one would hear today what another says tomorrow.
    """

    def __init__(self, accounts: Iterable[bytes]) -> None:
        self.gang = Gang(accounts)
        self.said_ms: dict[tuple[int, bytes, str], int] = {}

    def member(self, node: MemoryNode) -> Collusion:
        """Return the channel of the accomplice on `node`."""
        return _TimedMember(self, node)


class _TimedMember:
    def __init__(self, timed: TimedGang, node: MemoryNode) -> None:
        self._timed = timed
        self._node = node
        self._member = timed.gang.member(node.account)
        self.account = node.account
        self.accounts: Sequence[bytes] = timed.gang.accounts

    def tell(self, round: int, topic: str, data: bytes) -> None:
        self._member.tell(round, topic, data)
        said, kept = self._timed.said_ms, self._timed.gang.words
        said[round, self.account, topic] = self._node.now_ms()
        for place in [place for place in said if place not in kept]:
            del said[place]

    def heard(self, round: int, account: bytes, topic: str) -> bytes | None:
        said_ms = self._timed.said_ms.get((round, account, topic))
        if said_ms is None or said_ms > self._node.now_ms():
            return None
        return self._member.heard(round, account, topic)
