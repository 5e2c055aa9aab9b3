"""Blocks at their limit: what executing and committing one takes of the slot, for every kind of call that can fill it.

The slot is the heartbeat of the shipped chain specs: the time in which a block is due also where nobody has anything
to put in it. Nothing is verified beforehand, so the signatures are in the cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.framework import LOWER, Bench, Figure
from benchmarks.weights.chain import ACCOUNTS, VALIDATORS, WeighedChain
from benchmarks.weights.rounds import Miners, prepare_bonds, rules
from benchmarks.weights.users import Calls, fill_queue, prepare
from node import chain_spec
from pallets.coin import Coin, weights
from pocl.v1.round_pb2 import PHASE_NONE
from runtime.blocks import BlockLimits
from runtime.weights import BLOCK
from tests.pallets.round.scripted import STEPS

SPECS = ("dev", "local", "pocl-cifar10")
SAMPLES = 3
WARM_UP = 2
LONG = 64 * 1024
MOST = 2_000
"""Transfers: more than fit into a block."""
RECORDS = 50

FILLED = (
    "transfers",
    "cancels",
    "remarks",
    "joins",
    "reports of equivocation",
    "reports of twins",
    "payments",
)
PHASES = {"propose": "proposals", "commit": "commits", "reveal": "reveals", "cast": "ballots",
          "audit": "audits", "attest": "attestations"}  # fmt: skip

FIGURES = (
    *(Figure(f"full block of {kind}", "of the slot", floor=1.0, better=LOWER) for kind in FILLED),
    *(
        Figure(f"{VALIDATORS} {kind} and their end", "of the slot", floor=1.0, better=LOWER)
        for kind in PHASES.values()
    ),
    Figure("full block of transfers, cost", "µs / weight"),
    Figure("transfers in a full block", "transfers"),
)


def slot_s() -> float:
    """Return the shortest slot of the shipped chain specs."""
    return min(chain_spec.load(name).consensus.heartbeat_ms for name in SPECS) / 1000


def measure(bench: Bench) -> None:
    """Fill blocks with each kind of call, payments, and the calls of a phase."""
    with bench.folder() as folder:
        _users(bench, folder / "users")
        _payments(bench, folder / "payments")
        _phases(bench, folder / "phases")
    bench.note(
        f"limits: the slot is {slot_s():g} s. No chain has enough miners to fill a block with calls of a round, nor "
        "bonds to fill one with validators' rejoin or leave"
    )


def _users(bench: Bench, folder: Path) -> None:
    chain = WeighedChain(
        folder, accounts=ACCOUNTS, prepare=[prepare], limits=BlockLimits(),
        rules={"transfers_per_miner": 1, "train_ms": 10**9},
    )  # fmt: skip
    calls = Calls(chain)
    for _ in range(WARM_UP):
        chain.succeeding(*calls.transfers(200))
    for _ in range(SAMPLES):
        transfers = calls.transfers(MOST)
        many = _add(bench, chain, "transfers", transfers)
        bench.add("transfers in a full block", many)
        bench.add("full block of transfers, cost", chain.took_s * 1e6 / chain.head.weight)
        chain.block(*transfers[many:])
        _add(bench, chain, "cancels", calls.cancels())
        for kind, make in (
            ("remarks", lambda: calls.remark(LONG)),
            ("joins", calls.join),
            ("reports of equivocation", calls.report_equivocation),
            ("reports of twins", calls.report_twin),
        ):
            first = make()
            _add(bench, chain, kind, [first, *(make() for _ in range(chain.capacity(first)))])
    chain.close()


def _payments(bench: Bench, folder: Path) -> None:
    """Let on_idle pay for as long as it may."""
    limits = BlockLimits()
    enough = (limits.normal_weight + limits.operational_weight - BLOCK) // weights.PAY

    def settled(pallets: Mapping[str, Any]) -> None:
        fill_queue(pallets, enough)
        miners = pallets["validators"].members()
        pallets["coin"].deal(0, miners, enough)
        pallets["coin"].settle(0, miners)

    for sample in range(SAMPLES):
        chain = WeighedChain(folder / str(sample), accounts=ACCOUNTS // 5, prepare=[settled], limits=limits)
        chain.block()
        if not chain.pallet(Coin).payouts_pending():
            raise RuntimeError("the block has paid all, and is not full")
        bench.add("full block of payments", chain.took_s / slot_s())
        chain.close()


def _phases(bench: Bench, folder: Path) -> None:
    """Put a whole phase into a block: the calls of all miners and the end of the phase."""
    chain = WeighedChain(
        folder, accounts=ACCOUNTS // 5, prepare=[prepare_bonds], rules=rules(VALIDATORS // 2, RECORDS),
        limits=BlockLimits(),
    )  # fmt: skip
    miners = Miners(chain, RECORDS)
    for _ in range(SAMPLES):
        chain.block()
        for step in STEPS:
            before = chain.round.phase
            chain.block(*(getattr(miners, step)(who) for who in range(VALIDATORS)))
            assert chain.round.phase != before, step
            bench.add(f"{VALIDATORS} {PHASES[step]} and their end", chain.took_s / slot_s())
        assert chain.round.phase == PHASE_NONE
    chain.close()


def _add(bench: Bench, chain: WeighedChain, kind: str, calls: list[bytes]) -> int:
    """Put as many of the calls into a block as fit; return how many that were."""
    many = chain.capacity(calls[0])
    if many >= len(calls):
        raise RuntimeError(f"{len(calls)} {kind} do not fill a block")
    chain.block(*calls[:many])
    bench.add(f"full block of {kind}", chain.took_s / slot_s())
    return many
