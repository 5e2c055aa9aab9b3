"""What a cell with one seed came to, as plain data: from what the chain shows and what the workers report.

Nothing here asks whether the nodes were real or simulated: both give an `Observation`.

    rounds, wins, rewards, speed, who delivered what      the round's view: its books and summary
    duration of phases                                    events PhaseChanged, timestamps of blocks
    who the audit removed, free rides                     events
    accuracy of each new global model, of training and validation   the workers' reports
    score      of a miner's model on others' records      the tally: right of all that were counted
    samples    that a miner says it trained on            its proposal

Of each group `places` is how many places of winners a miner of it won a round, and `income_ratio` its income where an
honest miner's is 1.

Miners are called by their number in the partition, which is their place among the sorted accounts.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from node.dev_accounts import dev_name, dev_uri
from node.devnet.observer import Observation, is_void
from node.experiment.plan import HONEST_GROUP, Cell
from pocl.extrinsics import u128_int
from pocl.keys import Keypair, ss58_encode
from pocl.v1.aggregation_pb2 import Verdict
from pocl.v1.round_pb2 import Phase
from pocl.v1.rounds_service_pb2 import MinerView, RoundView
from pocl.v1.worker_service_pb2 import WorkerReport

DELIVERIES = ("proposal", "commit", "reveal", "ballot", "audit", "attestation")
LAST_ROUNDS = 5
"""The final accuracy is the median over so many last rounds: single ones swing by a point or two."""


@dataclass(frozen=True)
class Members:
    """The miners of a cell, by their number."""

    accounts: tuple[bytes, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, cell: Cell) -> Members:
        """Return a cell's miners: the first development accounts, sorted as the chain sorts them."""
        named = sorted(
            (Keypair.from_uri(dev_uri(index)).public, dev_name(index)) for index in range(cell.miners)
        )
        return cls(tuple(account for account, _ in named), tuple(name for _, name in named))

    def number(self, account: bytes) -> int:
        """Return a miner's number."""
        return self.accounts.index(account)

    def numbers(self, accounts: Sequence[bytes]) -> list[int]:
        """Return miners' numbers, in the same order."""
        return [self.number(account) for account in accounts]

    def name(self, account: bytes) -> str:
        """Return the name of a miner's node."""
        return self.names[self.number(account)]


def cell_result(
    cell: Cell,
    seed: int,
    members: Members,
    seen: Observation,
    *,
    genesis_hash: bytes,
    issued: tuple[int, int],
) -> dict[str, Any]:
    """Return the result of a cell with a seed. `issued` is the issuance at genesis and at the end.

    Times are milliseconds, amounts decimal strings of the smallest unit, hashes 0x and hexadecimal digits;
    what nobody measured is null.
    """
    rounds = [_round(number, members, seen) for number in range(1, cell.rounds + 1)]
    miners = _miners(cell, members, rounds)
    return {
        "cell": cell.index,
        "values": dict(cell.values),
        "label": cell.label,
        "seed": seed,
        "genesis_hash": "0x" + genesis_hash.hex(),
        "issuance": {"genesis": str(issued[0]), "final": str(issued[1])},
        "summary": _summary(rounds, miners),
        "miners": miners,
        "rounds": rounds,
    }


def _round(number: int, members: Members, seen: Observation) -> dict[str, Any]:
    view = seen.ended[number]
    summary = view.summary
    rows = {bytes(miner.miner): miner for miner in view.miners}
    return {
        "round": number,
        "void": is_void(view),
        "void_reason": summary.void_reason,
        "accuracy": _rounded(seen.accuracy(number)),
        "global_model": "0x" + summary.global_model.hex(),
        "duration_ms": summary.ended_ms - summary.started_ms,
        "phases_ms": phases_ms(number, view, seen),
        "winners": members.numbers(summary.winners),
        "provisional": members.numbers(view.tally.provisional),
        "screened_out": members.numbers(view.tally.screened_out),
        "disqualified": {
            str(members.number(lost.miner)): Verdict.Name(lost.reason).lower()
            for lost in seen.disqualified
            if lost.round == number
        },
        "free_rides": [members.number(winner) for round, winner in seen.free_rides if round == number],
        "rewards": {
            str(members.number(reward.miner)): str(u128_int(reward.amount)) for reward in summary.rewards
        },
        "miners": [
            _miner_round(number, index, rows.get(account), view, members, seen)
            for index, account in enumerate(members.accounts)
        ],
    }


def phases_ms(number: int, view: RoundView, seen: Observation) -> dict[str, int]:
    """Return how long each phase of an ended round took, by its name in small letters."""
    changes = [change for change in seen.phase_changes if change.round == number]
    ends = [change.timestamp_ms for change in changes[1:]] + [view.summary.ended_ms]
    return {
        Phase.Name(change.phase).lower(): end - change.timestamp_ms
        for change, end in zip(changes, ends, strict=True)
    }


def _miner_round(
    number: int, index: int, row: MinerView | None, view: RoundView, members: Members, seen: Observation
) -> dict[str, Any]:
    report = seen.reports.get(number, {}).get(members.names[index])
    tally = next((entry for entry in view.tally.miners if entry.miner == members.accounts[index]), None)
    delivered = [] if row is None else [name for name in DELIVERIES if row.HasField(name)]
    return {
        "miner": index,
        "delivered": delivered,
        "samples": row.proposal.sample_count if row is not None and row.HasField("proposal") else None,
        "training": _reported(report, "training_accuracy"),
        "validation": _reported(report, "local_accuracy"),
        "score": _rounded(tally.correct / tally.records) if tally is not None and tally.records else None,
        "train_ms": report.train_ms if report is not None else None,
        "predict_ms": report.predict_ms if report is not None else None,
        "audit_ms": report.audit_ms if report is not None else None,
        "error": report.error if report is not None else "",
    }


def _reported(report: WorkerReport | None, name: str) -> float | None:
    """Return a report's optional measure, None where there is none."""
    if report is None or not report.HasField(name):
        return None
    return _rounded(getattr(report, name))


def _miners(cell: Cell, members: Members, rounds: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for index, account in enumerate(members.accounts):
        group = cell.group_of(index)
        own = [round["miners"][index] for round in rounds]
        samples = [row["samples"] for row in own if row["samples"] is not None]
        rows.append(
            {
                "miner": index,
                "account": ss58_encode(account),
                "node": members.names[index],
                "group": group.name,
                "behaviour": str(group.behaviour),
                "samples": statistics.median_low(samples) if samples else 0,
                "wins": sum(index in round["winners"] for round in rounds),
                "provisional": sum(index in round["provisional"] for round in rounds),
                "disqualified": sum(str(index) in round["disqualified"] for round in rounds),
                "free_rides": sum(index in round["free_rides"] for round in rounds),
                "income": str(sum(int(round["rewards"].get(str(index), "0")) for round in rounds)),
                "proposed": len(samples),
            }
        )
    whole = sum(row["samples"] for row in rows)
    return [row | {"share": _rounded(row["samples"] / whole) if whole else 0.0} for row in rows]


def _summary(rounds: Sequence[Mapping[str, Any]], miners: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    accuracies = [round["accuracy"] for round in rounds if round["accuracy"] is not None]
    groups: dict[str, dict[str, Any]] = {}
    for row in miners:
        group = groups.setdefault(row["group"], {"miners": 0, "wins": 0, "income": 0, "disqualified": 0})
        group["miners"] += 1
        group["wins"] += row["wins"]
        group["income"] += int(row["income"])
        group["disqualified"] += row["disqualified"]
    honest = groups.get(HONEST_GROUP, {})
    earned = honest["income"] / honest["miners"] if honest else 0.0
    for group in groups.values():
        group["places"] = _rounded(group["wins"] / group["miners"] / len(rounds))
        group["income_ratio"] = _rounded(group["income"] / group["miners"] / earned) if earned else None
    for group in groups.values():
        group["income_a_miner"] = str(group["income"] // group["miners"])
        group["income"] = str(group["income"])
    return {
        "final_accuracy": _rounded(statistics.median(accuracies[-LAST_ROUNDS:])) if accuracies else None,
        "best_accuracy": max(accuracies, default=None),
        "settled": sum(not round["void"] for round in rounds),
        "void": sum(round["void"] for round in rounds),
        "mean_round_ms": round_mean([round["duration_ms"] for round in rounds]),
        "groups": dict(sorted(groups.items())),
    }


def round_mean(values: Sequence[int]) -> int:
    """Return a mean as a whole number, 0 of nothing."""
    return round(statistics.fmean(values)) if values else 0


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
