"""Whom a phase waits for: for people who ask why a round does not go on. Nothing on chain depends on it.

The rules are those of phases.py. AUDIT and AGGREGATE end before everybody has delivered: who is named there need
not deliver for the phase to end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from pallets.validators import Validators
from pocl.v1.round_pb2 import AUDIT, PHASE_NONE, PREDICT, REVEAL, TRAIN, VOTE, RoundState
from runtime.frame import Pallet

if TYPE_CHECKING:
    from pallets.aggregation import Aggregation
    from pallets.model_propose import ModelPropose
    from pallets.prediction import Prediction
    from pallets.round.pallet import Round
    from pallets.vote import Vote


def awaited(pallets: Mapping[str, Pallet]) -> list[bytes]:
    """Return the miners that the current phase waits for, sorted; `pallets` are bound to a state."""
    rounds = cast("Round", pallets["round"])
    state: RoundState = rounds.State.get()
    number, miners = state.round, list(state.miners)
    model_propose = cast("ModelPropose", pallets["model_propose"])
    prediction = cast("Prediction", pallets["prediction"])
    if state.phase == PHASE_NONE:
        return []
    if state.phase == TRAIN:
        proposers = set(model_propose.proposers(number))
        needed = max(cast(Validators, pallets[Validators.name]).f + 1, rounds.config().min_miners)
        expected = [miner for miner in state.expected if miner not in proposers]
        # When too few are expected, anybody else may make up the number.
        return sorted(expected or (set(miners) - proposers if len(proposers) < needed else []))
    if state.phase == PREDICT:
        return [m for m in model_propose.proposers(number) if not prediction.has_committed(number, m)]
    if state.phase == REVEAL:
        return [m for m in prediction.may_reveal(number) if not prediction.has_revealed(number, m)]
    if state.phase == VOTE:
        vote = cast("Vote", pallets["vote"])
        return [m for m in prediction.revealers(number) if not vote.has_cast(number, m)]
    aggregation = cast("Aggregation", pallets["aggregation"])
    done = aggregation.Audits if state.phase == AUDIT else aggregation.Attestations
    delivered = {miner for miner, _ in done.items(number)}
    return [miner for miner in miners if miner not in delivered]
