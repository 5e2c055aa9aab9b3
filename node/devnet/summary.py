"""A devnet's result as one JSON object, and whether it may count as a success."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from node.devnet.observer import Observation, is_void
from node.devnet.remote import RemoteNode
from node.errors import DevnetError
from pocl.client import ClientError
from pocl.extrinsics import u128_int
from pocl.keys import ss58_encode
from pocl.v1.aggregation_pb2 import Verdict


def build(
    chain: str, seen: Observation, nodes: Sequence[RemoteNode], height: int, rounds: int
) -> dict[str, Any]:
    """Return the summary of the first `rounds` rounds, the nodes compared at the final block `height`.

    Times are milliseconds, amounts decimal strings of the smallest unit, hashes 0x and hexadecimal digits.
    `accuracy` is that of the round's new global model on the data set's own test part, null when nobody
    measured it.
    """
    rows = [_node(node, seen, height) for node in nodes]
    places = {(row["finalized_hash"], row["state_root"]) for row in rows}
    finality = seen.finality_ms()
    first = rows[0]
    return {
        "chain": chain,
        "validators": len(rows),
        "agree": len(places) == 1,
        "finalized": {"number": height, "hash": first["finalized_hash"], "state_root": first["state_root"]},
        "finality_ms": {"p50": percentile(finality, 50), "p99": percentile(finality, 99)},
        "nodes": rows,
        "rounds": [_round(seen, number) for number in sorted(seen.ended) if number <= rounds],
        "transfers": {
            "submitted": len(seen.submitted),
            "included": len(seen.included),
            "settled": seen.settled_count,
        },
    }


def failures(summary: dict[str, Any]) -> list[str]:
    """Return why a devnet failed, one line each; nothing when it succeeded."""
    lines = []
    if not summary["agree"]:
        places = ", ".join(f"{row['name']} {row['finalized_hash'][:14]}" for row in summary["nodes"])
        lines.append(f"the nodes disagree at block {summary['finalized']['number']}: {places}")
    lines += [f"round {row['round']} was void" for row in summary["rounds"] if row["void"]]
    transfers = summary["transfers"]
    if transfers["included"] < transfers["submitted"]:
        missing = transfers["submitted"] - transfers["included"]
        lines.append(f"{missing} of {transfers['submitted']} transfers were not included")
    return lines


def percentile(values: Sequence[int], percent: int) -> int | None:
    """Return the nearest-rank percentile of ascending values; None of no values."""
    if not values:
        return None
    return values[max(0, math.ceil(len(values) * percent / 100) - 1)]


def _node(node: RemoteNode, seen: Observation, height: int) -> dict[str, Any]:
    try:
        view = node.block(height)
    except ClientError as error:
        raise DevnetError(f"node {node.name} does not answer: {error}") from None
    return {
        "name": node.name,
        "finalized_number": view.block.header.number,
        "finalized_hash": "0x" + view.hash.hex(),
        "state_root": "0x" + view.block.header.state_root.hex(),
        "peers": seen.infos[node.name].peers,
    }


def _round(seen: Observation, number: int) -> dict[str, Any]:
    summary = seen.ended[number].summary
    duration, compute = summary.ended_ms - summary.started_ms, seen.compute_ms(number)
    return {
        "round": number,
        "void": is_void(seen.ended[number]),
        "winners": [ss58_encode(winner) for winner in summary.winners],
        "rewards": {ss58_encode(reward.miner): str(u128_int(reward.amount)) for reward in summary.rewards},
        "accuracy": seen.accuracy(number),
        "duration_ms": duration,
        "train_ms": seen.train_ms(number),
        "compute_ms": compute,
        "overhead_ms": duration - compute,
        "disqualified": {
            ss58_encode(lost.miner): Verdict.Name(lost.reason).lower()
            for lost in seen.disqualified
            if lost.round == number
        },
    }
