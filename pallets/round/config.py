"""The rules of the rounds, as genesis takes them (proto/pocl/v1/round.proto, RoundConfig)."""

from __future__ import annotations

from pallets.round.aggregation_rules import RULES as AGGREGATION_RULES
from pallets.round.aggregation_rules import flaw, given_parameters
from pocl.extrinsics import U128_SIZE
from pocl.v1.round_pb2 import AGGREGATE, AUDIT, PREDICT, REVEAL, TRAIN, VOTE, Phase, RoundConfig
from runtime.frame import GenesisError

VOTING_RULES = ("borda", "median", "screened")
REWARD_RULES = ("accuracy", "weight_difference", "contribution")

MAX_CONTRIBUTION_WINNERS = 16
"""Most winners under the reward `contribution`: every attester makes and runs one model more than there are."""

BASIS_POINTS = 10_000
MAX_CLASSES = 255
"""Labels are bytes, and 255 stands for "not predicted"."""


def check_config(config: RoundConfig, validators: int) -> None:
    """Raise GenesisError when no round could be held, or won, under these rules with so many validators."""
    for name in ("winners", "min_miners"):
        if not 1 <= getattr(config, name) <= validators:
            raise GenesisError(
                f"round.config: {name} is {getattr(config, name)}: it may be 1 to {validators}"
            )
    if not 2 <= config.classes <= MAX_CLASSES:
        raise GenesisError(f"round.config: classes is {config.classes}: it may be 2 to {MAX_CLASSES}")
    for name in (
        "test_records", "train_ms", "predict_ms", "reveal_ms", "vote_ms", "audit_ms", "aggregate_ms",
        "heartbeat_ms", "transfers_per_miner", "max_weights_bytes", "max_records_bytes", "keep_rounds",
    ):  # fmt: skip
        if getattr(config, name) < 1:
            raise GenesisError(f"round.config: {name} is 0: it must be at least 1")
    if config.aggregate_cap_ms < config.aggregate_ms:
        raise GenesisError("round.config: aggregate_cap_ms is below aggregate_ms")
    for name, rules in (
        ("voting", VOTING_RULES), ("reward", REWARD_RULES), ("aggregation", AGGREGATION_RULES),
    ):  # fmt: skip
        if getattr(config, name) not in rules:
            raise GenesisError(
                f"round.config: {name} is {getattr(config, name)!r}: it may be one of {', '.join(rules)}"
            )
    if config.reward == "contribution" and config.winners > MAX_CONTRIBUTION_WINNERS:
        raise GenesisError(
            f"round.config: winners is {config.winners}: the reward contribution allows "
            f"{MAX_CONTRIBUTION_WINNERS}, for every attester runs a model for each"
        )
    wrong = flaw(config.aggregation, given_parameters(config), config.winners)
    if wrong is not None:
        raise GenesisError(f"round.config: aggregation_parameters.{wrong[0]} {wrong[1]}")
    for name in ("base_share_bp", "audit_tolerance_bp", "screen_margin_bp"):
        if getattr(config, name) > BASIS_POINTS:
            raise GenesisError(f"round.config: {name} is above {BASIS_POINTS}, which is all of it")
    if len(config.emission) != U128_SIZE:
        raise GenesisError(f"round.config: emission is a u128 of {U128_SIZE} bytes")


def deadline_ms(config: RoundConfig, phase: Phase) -> int:
    """Return where on the phase clock a phase ends if it has not ended early.

    AGGREGATE's own `aggregate_ms` is a target: the round is given up only at its cap.
    """
    return {
        TRAIN: config.train_ms,
        PREDICT: config.predict_ms,
        REVEAL: config.reveal_ms,
        VOTE: config.vote_ms,
        AUDIT: config.audit_ms,
        AGGREGATE: config.aggregate_cap_ms,
    }[phase]
