"""What of an attestation can be judged by itself: no state but the rules of the rounds and the winners."""

from __future__ import annotations

from collections.abc import Sequence

from pallets.aggregation.errors import InvalidMeasure, InvalidServerState, WrongWinners
from pallets.aggregation.rewards import FIXED_POINT
from pallets.round.aggregation_rules import max_server_state_bytes
from pocl.hashing import HASH_SIZE
from pocl.v1.aggregation_pb2 import AggregationCall, Measure
from pocl.v1.round_pb2 import RoundConfig

MAX_WEIGHT_DIFFERENCE = 1 << 48
"""Weights are within ±2^15, so two of them differ by at most 2^16: times 2^32."""


def check_server_state(config: RoundConfig, args: AggregationCall.Attest) -> None:
    """Raise InvalidServerState unless one is attested just when the chain's rule keeps one."""
    most = max_server_state_bytes(config)
    if len(args.server_state) != (HASH_SIZE if most else 0):
        raise InvalidServerState(f"a server state's name has {len(args.server_state)} bytes")
    if not min(1, most) <= args.server_state_size <= most:
        raise InvalidServerState(f"a server state has {args.server_state_size} bytes: at most {most}")


def check_measures(config: RoundConfig, winners: Sequence[bytes], measures: Sequence[Measure]) -> None:
    """Raise WrongWinners or InvalidMeasure unless there is one possible measure of each winner."""
    if [measure.winner for measure in measures] != list(winners):
        raise WrongWinners("measure each winner, in their order")
    if any(measure.weight_difference > MAX_WEIGHT_DIFFERENCE for measure in measures):
        raise InvalidMeasure(f"a weight difference is at most {MAX_WEIGHT_DIFFERENCE}")
    most = FIXED_POINT if config.reward == "contribution" else 0
    if any(measure.contribution > most for measure in measures):
        raise InvalidMeasure(f"a contribution is at most {most} under the reward {config.reward}")
