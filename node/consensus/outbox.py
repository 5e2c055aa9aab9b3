"""Collects what a step of the core wants done, records for the log in front."""

from __future__ import annotations

from node.consensus.types import Action, Broadcast, Persist
from pocl.v1.consensus_pb2 import Certificate, ConsensusMessage, Proposal, Vote


def wrap(message: Proposal | Vote | Certificate) -> ConsensusMessage:
    """Return the message as it travels and as it is logged."""
    if isinstance(message, Proposal):
        return ConsensusMessage(proposal=message)
    if isinstance(message, Vote):
        return ConsensusMessage(vote=message)
    return ConsensusMessage(certificate=message)


class Outbox:
    """The actions of a step. `drain` puts all its records into one Persist in front: one sync a step."""

    def __init__(self) -> None:
        self._records: list[ConsensusMessage] = []
        self._actions: list[Action] = []

    def persist(self, message: Proposal | Vote | Certificate) -> None:
        """Log a message before anything of this step is carried out."""
        self._records.append(wrap(message))

    def broadcast(self, message: Proposal | Vote | Certificate) -> None:
        """Send a message to everybody."""
        self._actions.append(Broadcast(wrap(message)))

    def do(self, action: Action) -> None:
        """Add any other action."""
        self._actions.append(action)

    def drain(self) -> list[Action]:
        """Return the step's actions and forget them."""
        head: list[Action] = [Persist(tuple(self._records))] if self._records else []
        actions = head + self._actions
        self._records, self._actions = [], []
        return actions
