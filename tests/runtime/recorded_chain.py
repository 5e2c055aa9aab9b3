"""A recorded chain: some hundred blocks of every kind of call, and what each of them must hash to.

No optimisation may change a block's bytes, its events or its state. The calls follow from a counter alone, so the
chain can be made again at any time; `recorded_chain.json` holds what it was when it was recorded. A change of the
protocol changes it on purpose: then `python -m tests.runtime.recorded_chain` records it anew, in the same commit.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.message import Message

from pallets.coin import Coin
from pallets.validators import Validators
from pocl.extrinsics import u128
from pocl.hashing import hash256
from pocl.keys import Keypair
from pocl.v1.coin_pb2 import CoinCall
from pocl.v1.consensus_pb2 import NOTARIZE
from pocl.v1.round_pb2 import PHASE_NONE, TRAIN
from pocl.v1.system_pb2 import SystemCall
from pocl.v1.validators_pb2 import ValidatorsCall
from runtime.blocks import ExecutedBlock
from tests.evidence import report, vote
from tests.pallets.harness import TestChain, set_rules
from tests.pallets.round.scripted import STEPS, Scripted, config

RECORD = Path(__file__).with_suffix(".json")

ROUNDS = 24
MINERS = [Keypair.from_uri(f"//Miner{index}") for index in range(5)]
USERS = [Keypair.from_uri(f"//User{index}") for index in range(40)]
CANDIDATE = Keypair.from_uri("//Candidate")
BOND = 10**9


class Recorder:
    """Makes the chain: rounds of scripted miners, with calls of users in every block."""

    def __init__(self) -> None:
        self.rounds = Scripted(len(MINERS), skills=[9, 8, 7, 6, 5, 4])
        self.chain = TestChain(
            validators=MINERS,
            balances=dict.fromkeys([*MINERS, *USERS, CANDIDATE], 10**13),
            config={"round": {"config": config()}},
            rules=set_rules(bond=BOND, slash=BOND // 4, unbonding_epochs=2, offline_rounds=3),
        )
        self.rounds.chain = self.chain
        self._picked = 0

    def blocks(self) -> Iterator[ExecutedBlock]:
        """Make the chain and yield its blocks, block 0 first."""
        yield self.chain.head
        for round in range(1, ROUNDS + 1):
            yield self._block(*self._about_validators(round))
            self._follow_set()
            done = PHASE_NONE
            while (phase := self.rounds.state.phase) != PHASE_NONE:
                # First users alone, then the miners too; who is silent makes the phase last until its deadline.
                yield self._block()
                if phase != done:
                    yield self._block(*self._miners_calls(round, STEPS[phase - TRAIN]))
                    done = phase

    def _miners_calls(self, round: int, step: str) -> list[bytes]:
        members = range(len(self.rounds.miners))
        silent = {self.rounds.accounts.index(CANDIDATE.public)} if CANDIDATE in self.rounds.miners else set()
        if round % 6 == 0 and step not in ("audit", "attest"):
            silent.add(0)
        return [getattr(self.rounds, step)(who) for who in members if who not in silent]

    def _follow_set(self) -> None:
        self.rounds.accounts = self.chain.pallet(Validators).members()
        self.rounds.miners = [self.chain.keys[account] for account in self.rounds.accounts]

    def _block(self, *calls: bytes) -> ExecutedBlock:
        members = self.chain.pallet(Validators).members()
        authors = [miner for miner in MINERS if miner.public in members]
        users = [self._user_call() for _ in range(self._pick(12))]
        return self.chain.block(*calls, *users, author=authors[self._pick(len(authors))])

    def _user_call(self) -> bytes:
        """Return a user's next call: most are transfers, some of which fail; the rest cancel or remark."""
        who, other = USERS[self._pick(len(USERS))], USERS[self._pick(len(USERS))]
        kind = self._pick(20)
        args: Message
        if kind < 3:
            newest = self.chain.pallet(Coin).NextIndex.get()
            args = CoinCall.Cancel(index=max(0, newest - 1 - self._pick(40)))
            return self.chain.sign(self._sender(args.index) or who, "coin", "cancel", args)
        if kind == 3:
            return self.chain.sign(
                who, "system", "remark", SystemCall.Remark(remark=bytes(self._pick(300))), tip=7
            )
        amount = 10**14 if kind == 4 else self._pick(10**6)
        dest = hash256("test/newcomer", bytes([self._pick(200)])) if kind < 8 else other.public
        args = CoinCall.Transfer(dest=dest[: 31 if kind == 5 else 32], amount=u128(amount))
        tip, until = (self._pick(1000), 10**6) if kind > 15 else (0, 0)
        return self.chain.sign(who, "coin", "transfer", args, tip=tip, valid_until=until)

    def _sender(self, index: int) -> Keypair | None:
        """Return who queued a transfer; in one of four cases None, so that another tries to cancel it."""
        entry = self.chain.pallet(Coin).queued(index)
        return self.chain.keys.get(entry.sender) if entry is not None and self._pick(4) else None

    def _about_validators(self, round: int) -> list[bytes]:
        sign = self.chain.sign
        if round == 3:
            return [sign(CANDIDATE, "validators", "join", ValidatorsCall.Join(bond=u128(BOND)))]
        if round == 9:
            # The candidate never delivers, is put out, and comes for its bond.
            return [sign(CANDIDATE, "validators", "rejoin", ValidatorsCall.Rejoin())]
        if round in (14, 18):
            return [sign(CANDIDATE, "validators", "leave", ValidatorsCall.Leave())]
        if round == 16:
            culprit, epoch, genesis = MINERS[4], round - 1, self.chain.genesis_hash
            index = self.chain.pallet(Validators).set_of(epoch).index(culprit.public)
            votes = (
                vote(culprit, index, genesis, epoch, 1, NOTARIZE, hash) for hash in (b"a" * 32, b"b" * 32)
            )
            args = ValidatorsCall.ReportEquivocation(**report(culprit, *votes))
            return [sign(USERS[0], "validators", "report_equivocation", args)]
        return []

    def _pick(self, below: int) -> int:
        """Return the next number of a fixed sequence, below a bound."""
        self._picked += 1
        return int.from_bytes(hash256("test/pick", self._picked.to_bytes(8, "big"))[:8], "big") % below


def lines(blocks: Iterator[ExecutedBlock]) -> Iterator[str]:
    """Yield what is recorded of each block: its hash, the roots of its state and its events."""
    for block in blocks:
        yield " ".join(part.hex() for part in (block.hash, block.header.state_root, block.header.events_root))


if __name__ == "__main__":
    RECORD.write_text(json.dumps(list(lines(Recorder().blocks())), indent=0) + "\n")
