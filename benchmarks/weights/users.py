"""The calls of anybody, weighed on the state that makes each of them cost most."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from benchmarks.weights.chain import BOND, VALIDATORS, Prepare, WeighedChain, user
from pallets.coin import Coin
from pocl.extrinsics import u128
from pocl.hashing import hash256
from pocl.keys import Keypair
from pocl.v1.coin_pb2 import CoinCall
from pocl.v1.model_propose_pb2 import ModelProposeCall
from pocl.v1.system_pb2 import SystemCall
from pocl.v1.validators_pb2 import Validator, ValidatorsCall
from runtime.frame import Origin
from tests.evidence import proposal, report

BONDED = 780
"""Accounts with a bond beside the validators: as many as MaxBonded leaves room for, less those that join here."""
RANGES = 3_200
"""Ranges of waiting transfers: what 64 miners are dealt in a round, each between two cancelled ones."""
LONG = 16 * 1024
BLOCKS = 5
"""Blocks of each kind of call."""
WARM_UP = 2
QUEUED = 2_000
"""Transfers that are dealt, or paid, in one block."""


def prepare(pallets: Mapping[str, Any]) -> None:
    """Bond accounts, and leave holes in the queue of transfers."""
    coin = pallets["coin"]
    for number in range(BONDED):
        bond(pallets, hash256("bench/account", b"%d" % number), Validator.WAITING)
    for number in range(SPECIAL):
        bond(pallets, user(number).public, Validator.WAITING)
        bond(pallets, user(SPECIAL + number).public, Validator.OUT)
    fill_queue(pallets, 2 * RANGES)
    for index in range(0, 2 * RANGES, 2):
        entry = coin.queued(index)
        coin.cancel(Origin(entry.sender), CoinCall.Cancel(index=index))
    miners = pallets["validators"].members()
    coin.deal(0, miners, RANGES // len(miners))
    coin.return_all(0)


def bond(pallets: Mapping[str, Any], who: bytes, status: Validator.Status) -> None:
    """Give an account a bond."""
    pallets["coin"].reserve(who, BOND)
    pallets["validators"].Bonded.put(who, Validator(bond=u128(BOND), status=status))


def fill_queue(pallets: Mapping[str, Any], count: int) -> None:
    """Queue transfers to accounts that do not exist yet."""
    for number in range(count):
        sender = hash256("bench/account", b"%d" % (number % 10_000))
        dest = hash256("bench/dest", b"%d" % number)
        pallets["coin"].transfer(Origin(sender), CoinCall.Transfer(dest=dest, amount=u128(10**9 + number)))


SPECIAL = 60
"""Users whose bonds are in a certain state."""


class Calls:
    """Makes calls that can be included and succeed. Every one of an account that no block has touched before."""

    def __init__(self, chain: WeighedChain) -> None:
        self.chain = chain
        self._users = iter(chain.users[2 * SPECIAL :])
        self._waiting = iter(chain.users[:SPECIAL])
        self._out = iter(chain.users[SPECIAL : 2 * SPECIAL])
        self._offenders = cycle(chain.validators)
        self._transfers: list[tuple[int, Keypair]] = []

    def remark(self, size: int = 0) -> bytes:
        """Return a remark of so many bytes."""
        return self.chain.sign(next(self._users), "system", "remark", SystemCall.Remark(remark=bytes(size)))

    def transfers(self, count: int) -> list[bytes]:
        """Return transfers, to be included before `cancels` are made."""
        index = self.chain.pallet(Coin).NextIndex.get()
        self._transfers = [(index + n, next(self._users)) for n in range(count)]
        return [
            self.chain.sign(who, "coin", "transfer", CoinCall.Transfer(
                dest=hash256("bench/account", b"%d" % index), amount=u128(10**9 + index)))
            for index, who in self._transfers
        ]  # fmt: skip

    def cancels(self) -> list[bytes]:
        """Return calls that cancel the last transfers."""
        return [
            self.chain.sign(who, "coin", "cancel", CoinCall.Cancel(index=index))
            for index, who in self._transfers
        ]

    def join(self) -> bytes:
        """Return the call of an account without a bond."""
        return self.chain.sign(next(self._users), "validators", "join", ValidatorsCall.Join())

    def rejoin(self) -> bytes:
        """Return the call of an account that is out of the set."""
        return self.chain.sign(next(self._out), "validators", "rejoin", ValidatorsCall.Rejoin())

    def leave(self) -> bytes:
        """Return the call of an account that gets its bond back at once."""
        return self.chain.sign(next(self._waiting), "validators", "leave", ValidatorsCall.Leave())

    def report_equivocation(self) -> bytes:
        """Return a report of a validator that made two proposals."""
        key = next(self._offenders)
        pair = (proposal(key, self.chain.genesis_hash, 1, 1, number) for number in (7, 8))
        args = ValidatorsCall.ReportEquivocation(**report(key, *pair))
        return self.chain.sign(next(self._users), "validators", "report_equivocation", args)

    def report_twin(self) -> bytes:
        """Return a report of a miner that proposed two models."""
        key = next(self._offenders)
        first, second = (
            self.chain.sign(key, "model_propose", "propose", ModelProposeCall.Propose(
                weights_commitment=bytes(32), labels_commitment=bytes(32), records_hash=bytes(32),
                records_size=1, weights_size=1, sample_count=samples), round=1)
            for samples in (1, 2)
        )  # fmt: skip
        args = ValidatorsCall.ReportTwin(first=first, second=second, spec_version=1, transaction_version=1)
        return self.chain.sign(next(self._users), "validators", "report_twin", args)

    def all(self) -> dict[str, list[bytes]]:
        """Return a block of each kind of call, but for `cancels`."""
        return {
            "system.remark": [self.remark() for _ in range(100)],
            "system.remark long": [self.remark(LONG) for _ in range(30)],
            "coin.transfer": self.transfers(100),
            "validators.join": [self.join() for _ in range(10)],
            "validators.rejoin": [self.rejoin() for _ in range(SPECIAL // BLOCKS)],
            "validators.leave": [self.leave() for _ in range(SPECIAL // BLOCKS)],
            "validators.report_equivocation": [self.report_equivocation() for _ in range(6)],
            "validators.report_twin": [self.report_twin() for _ in range(6)],
        }


def weigh(folder: Path) -> dict[str, float]:
    """Return what a call of each kind weighs, with all that an extrinsic does beside its call."""
    chain = WeighedChain(folder, prepare=[prepare], rules={"transfers_per_miner": 1, "train_ms": 10**9})
    calls = Calls(chain)
    for _ in range(WARM_UP):
        chain.succeeding(*calls.transfers(200))
    samples: dict[str, list[float]] = {}
    # One after the other and again: what disturbs the machine for a while disturbs a sample of each.
    for _ in range(BLOCKS):
        empty = chain.empty()
        for name, made in calls.all().items():
            samples.setdefault(name, []).append((chain.succeeding(*made) - empty) / len(made))
            if name == "coin.transfer":
                made = calls.cancels()
                samples.setdefault("coin.cancel", []).append((chain.succeeding(*made) - empty) / len(made))
    chain.close()
    return {name: statistics.median(found) for name, found in samples.items()}


def weigh_queue(folder: Path) -> dict[str, float]:
    """Return what dealing a transfer weighs, and paying one to an account that did not exist."""

    def waiting(pallets: Mapping[str, Any]) -> None:
        fill_queue(pallets, QUEUED)

    def settled(pallets: Mapping[str, Any]) -> None:
        fill_queue(pallets, QUEUED)
        miners = pallets["validators"].members()
        pallets["coin"].deal(0, miners, QUEUED)
        pallets["coin"].settle(0, miners)

    cases: dict[str, Sequence[Prepare]] = {"": [], "coin.deal": [waiting], "coin.pay": [settled]}
    weights = {}
    for name, prepare in cases.items():
        samples = []
        for attempt in range(BLOCKS):
            chain = WeighedChain(
                folder / f"{name}{attempt}", validators=VALIDATORS, accounts=20_000, prepare=prepare,
                rules={"transfers_per_miner": QUEUED},
            )  # fmt: skip
            samples.append(chain.block()[0])
            if name == "coin.pay" and chain.pallet(Coin).payouts_pending():
                raise RuntimeError("some transfers are not paid")
            chain.close()
        weights[name] = statistics.median(samples)
    return {name: (weight - weights[""]) / QUEUED for name, weight in weights.items() if name}
