"""Nodes, runtimes and checks with one rule taken out each, to show that the simulation would notice."""

from __future__ import annotations

from collections.abc import Sequence

from node.consensus.call_record import CallRecord, CallWithheld
from pallets.coin import Coin
from pocl.v1.consensus_pb2 import ConsensusMessage, Vote, VoteKind
from pocl.v1.extrinsic_pb2 import Call
from runtime.certificates import vote_message
from runtime.offences import OffenceKind
from runtime.transactions import check_due
from tests.simulation.whole.disk import SimulatedLog
from tests.simulation.whole.node import WholeNode
from tests.simulation.whole.worker import Worker

_mint_reward = Coin.mint_reward


def no_header_check(*args: object) -> None:
    """Let a proposal be on any parent, closing blocks included, by anybody (node.consensus.intake.header_fault)."""


def no_nonce_check(what: str, given: int, due: int) -> None:
    """Let an old nonce pass (runtime.transactions.check_due)."""
    if what != "nonce" or given > due:
        check_due(what, given, due)


def reward_minted_twice(coin: Coin, round: int, miner: bytes, amount: int) -> None:
    """Mint every reward twice (Coin.mint_reward)."""
    _mint_reward(coin, round, miner, amount)
    _mint_reward(coin, round, miner, amount)


def vote_of_any_epoch(genesis_hash: bytes, epoch: int, view: int, kind: VoteKind, block_hash: bytes) -> bytes:
    """Sign a vote as if it were of no epoch, so of no set (runtime.certificates.vote_message)."""
    return vote_message(genesis_hash, 0, view, kind, block_hash)


def any_two_votes_contradict(one: Vote, other: Vote) -> OffenceKind:
    """Take any two votes of a validator for an offence (runtime.offences._kind_of_votes)."""
    return OffenceKind.TWO_NOTARIZE


class _LogInMemory(SimulatedLog):
    def append(self, records: Sequence[ConsensusMessage]) -> None:
        self.disk.point("before the log")


class NoSyncedLog(WholeNode):
    """Never has on disk what it voted."""

    log_class = _LogInMemory


class NoSyncedDatabase(WholeNode):
    """Reports blocks final that a crash takes back: its database is that of its start."""

    def _start(self) -> None:
        entries = self.disk.db.entries
        if self.life == 1:
            super()._start()
            self.__dict__["first"] = entries.copy()
        else:
            self.disk.db.entries = self.__dict__["first"]
            super()._start()


class _CarelessWorker(Worker):
    def note(self, call: Call, round: int) -> None:
        pass


class SignsTwice(WholeNode):
    """Signs whatever its worker makes, also a second model of one round."""

    worker_class = _CarelessWorker


class _ForgetfulLog(SimulatedLog):
    def note(self, call: CallRecord) -> None:
        with self.disk.writing("the log"):
            if call.key in self._calls and self._calls[call.key] != call:
                raise CallWithheld("signed before")
            self._calls[call.key] = call


class NotesInMemory(WholeNode):
    """Knows in one life only what it signed for its worker."""

    log_class = _ForgetfulLog
