"""Who asks in and out of the validator set, and who accuses whom, in runs whose set changes.

Everybody asks for himself, honest validators too: to leave, to come in, to come back after being put out. Nobody
but an honest node's reporter (node/offence_reporter.py) shows offences that happened; clients show some that did
not. The rules of such a chain (`changing_world`) keep four in the set, of all keys one is faulty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from google.protobuf.message import Message

from node.pool import PoolError
from pallets.system import System
from pocl.extrinsics import u128
from pocl.v1.consensus_pb2 import ConsensusMessage
from pocl.v1.validators_pb2 import Validator, ValidatorsCall
from runtime.frame import InvalidTransaction
from runtime.offences import essence
from tests.simulation.whole.world import BOND, RICH

if TYPE_CHECKING:
    from tests.simulation.whole.node import WholeNode
    from tests.simulation.whole.simulation import Simulation


class Members:
    """The calls of one run."""

    def __init__(self, simulation: Simulation) -> None:
        self._run = simulation
        self._random = simulation.random

    def start(self) -> None:
        """Call from now on."""
        self._run.network.later(self._random.uniform(100, 600), self._ask)
        self._run.network.later(self._random.uniform(500, 2000), self._accuse)

    def _ask(self) -> None:
        self._run.network.later(self._random.uniform(200, 900), self._ask)
        node = self._random.choice(self._run.nodes)
        if node.up and self._votes(node):
            node.guarded(self._submit, node)

    @staticmethod
    def _votes(node: WholeNode) -> bool:
        """Tell whether a node would take part: one that abstains would count among the faulty."""
        if node.core is None or node.journal is None:
            return False
        return bool(node.journal.abstain_until <= node.chain.epoch_change.epoch)

    def _submit(self, node: WholeNode) -> None:
        function, args = self._call(self._run.watch.status(node.account))
        system = cast(System, node.chain.pallets(node.chain.final_state())[System.name])
        data = self._run.runtime.sign(
            node.key,
            "validators",
            function,
            args,
            genesis_hash=self._run.genesis_hash,
            nonce=node.pool.next_nonce(node.account, system.account(node.account).nonce),
        )
        self._run.trace(f"node {node.index} asks for validators.{function}")
        try:
            node.pool.submit(data)
        except (InvalidTransaction, PoolError):
            return

    def _call(self, status: Validator.Status | None) -> tuple[str, Message]:
        """Return what an account of this status asks for; now and then what is refused."""
        draw = self._random.random()
        if draw < 0.1:
            status = self._random.choice((None, Validator.OUT, Validator.ACTIVE))
        if status in (None, Validator.UNBONDING):
            bond = self._random.choice((b"", u128(BOND), u128(3 * BOND), u128(BOND - 1), u128(RICH + 1)))
            return "join", ValidatorsCall.Join(bond=bond)
        if status == Validator.OUT and draw < 0.9:
            return "rejoin", ValidatorsCall.Rejoin()
        return "leave", ValidatorsCall.Leave()

    def _accuse(self) -> None:
        self._run.network.later(self._random.uniform(500, 2000), self._accuse)
        said = self._run.watch.said(self._random)
        if said is not None:
            self._run.client_call("validators", "report_equivocation", self._false_report(*said))

    def _false_report(
        self, account: bytes, one: ConsensusMessage, other: ConsensusMessage
    ) -> ValidatorsCall.ReportEquivocation:
        """Return a report of what an honest validator said, or did not say."""
        shown = ConsensusMessage()
        shown.CopyFrom(other)
        content = shown.vote if shown.HasField("vote") else shown.proposal
        way = self._random.randrange(4)
        if way == 1:
            content.view = one.vote.view or one.proposal.view
        elif way == 2:
            content.epoch += self._random.choice((-1, 1)) if content.epoch > 1 else 1
        elif way == 3:
            shown.CopyFrom(one)
            if shown.HasField("vote") and shown.vote.block_hash:
                shown.vote.block_hash = bytes(reversed(shown.vote.block_hash))
            else:
                shown.proposal.parent_view += 1
        return ValidatorsCall.ReportEquivocation(offender=account, first=essence(one), second=essence(shown))
