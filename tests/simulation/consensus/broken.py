"""Nodes with one rule taken out each, to show that the simulation would notice. Never part of the node."""

from __future__ import annotations

from collections.abc import Iterable

from node.consensus import types as t
from node.consensus.core import Core
from pocl.v1.consensus_pb2 import NULLIFY, ConsensusMessage
from tests.simulation.consensus.nodes import HonestNode


def quorum_of_2f(n: int) -> int:
    """Return one vote too few for two quorums to share an honest validator."""
    return 2 * ((n - 1) // 3)


class SendsBeforeSync(HonestNode):
    """Writes the log after it has sent what should be in it."""

    def order(self, actions: list[t.Action]) -> list[t.Action]:
        """Put the records last."""
        return sorted(actions, key=lambda action: isinstance(action, t.Persist))


class _NullifiesLate(Core):
    def _on_timer(self, timer: t.Timer) -> None:
        super()._on_timer(timer)
        state = self._state
        over = timer.epoch == state.info.epoch and state.final_view < timer.view < state.view
        if timer.kind is t.TimerKind.LEADER and over and state.own(timer.view, NULLIFY) is None:
            self._cast(NULLIFY, timer.view, b"")


class NullifiesAfterFinalize(HonestNode):
    """Nullifies a view whose timer fires although it has left it, and perhaps finalized it."""

    core_class = _NullifiesLate


class ForgetsBodies(HonestNode):
    """Logs its votes, but not the blocks that it notarizes."""

    def logged(self, records: tuple[ConsensusMessage, ...]) -> Iterable[ConsensusMessage]:
        """Leave out proposals, which hold the blocks."""
        return [record for record in records if not record.HasField("proposal")]
