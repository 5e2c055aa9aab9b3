"""How phases end: what each waits for, and what its end decides.

| phase     | complete when                                           | its end decides                     |
| --------- | ------------------------------------------------------- | ----------------------------------- |
| TRAIN     | all expected proposed, and max(f+1, min_miners) did     | void below min_miners proposals     |
| PREDICT   | every proposer committed                                | owners that f+1 marked are removed  |
| REVEAL    | every committer that is not removed revealed            |                                     |
| VOTE      | every miner that revealed cast its ballot               | the tally and provisional winners   |
| AUDIT     | it is certain who the winners are                       | the winners                         |
| AGGREGATE | a quorum attested the same new global model             | settled; void at the cap            |

A miner climbs a ladder: who proposed may commit, who committed and was not removed may reveal, who revealed
may cast, who cast is a candidate. A phase waits for those on its rung, faulty ones to its deadline only. When
a rung is empty nobody can pass the audit any more, and the round is void at once.

TRAIN needs f+1 proposals to end early: of those one is honest and took the time that training takes. Else a
single miner that was left over from a bad round could propose at once and shut the others out for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pallets.round import closing
from pallets.validators import Validators
from pocl.v1.round_pb2 import (
    AGGREGATE,
    AUDIT,
    PREDICT,
    REVEAL,
    TRAIN,
    VOTE,
    Phase,
    RoundConfig,
    RoundEvent,
    RoundState,
)

if TYPE_CHECKING:
    from pallets.aggregation import Aggregation
    from pallets.model_propose import ModelPropose
    from pallets.prediction import Prediction
    from pallets.round.pallet import Round
    from pallets.vote import Vote

TOO_FEW_PROPOSALS = "fewer proposals than min_miners"
NO_COMMITS = "nobody whose records could be had committed predictions"
NO_REVEALS = "nobody opened its commitments"
NO_BALLOTS = "nobody cast a ballot"
NO_WINNERS = "no provisional winner passed the audit"
NO_QUORUM = "no quorum attested one global model in time"


def complete(pallet: Round, state: RoundState, config: RoundConfig) -> bool:
    """Return whether the current phase has all that it waits for."""
    number = state.round
    model_propose: ModelPropose = pallet.pallet("model_propose")
    prediction: Prediction = pallet.pallet("prediction")
    vote: Vote = pallet.pallet("vote")
    aggregation: Aggregation = pallet.pallet("aggregation")
    if state.phase == TRAIN:
        proposers = model_propose.proposers(number)
        needed = max(pallet.pallet(Validators).f + 1, config.min_miners)
        return len(proposers) >= needed and set(state.expected) <= set(proposers)
    if state.phase == PREDICT:
        return all(prediction.has_committed(number, miner) for miner in model_propose.proposers(number))
    if state.phase == REVEAL:
        return all(prediction.has_revealed(number, miner) for miner in prediction.may_reveal(number))
    if state.phase == VOTE:
        return all(vote.has_cast(number, miner) for miner in prediction.revealers(number))
    if state.phase == AUDIT:
        return aggregation.audit_decided(number)
    assert state.phase == AGGREGATE
    return aggregation.agreement(number) is not None


def end(pallet: Round, state: RoundState, config: RoundConfig, early: bool) -> None:
    """End the current phase, complete or past its deadline: on to the next one, settled, or void."""
    number = state.round
    if state.phase == TRAIN:
        model_propose: ModelPropose = pallet.pallet("model_propose")
        if len(model_propose.proposers(number)) < config.min_miners:
            return closing.void(pallet, state, config, TOO_FEW_PROPOSALS)
        return _enter(pallet, state, PREDICT, early)
    prediction: Prediction = pallet.pallet("prediction")
    if state.phase == PREDICT:
        for owner in prediction.remove_owners(number):
            pallet.deposit(RoundEvent.OwnerUnavailable(round=number, owner=owner))
        if not prediction.may_reveal(number):
            return closing.void(pallet, state, config, NO_COMMITS)
        return _enter(pallet, state, REVEAL, early)
    if state.phase == REVEAL:
        if not prediction.revealers(number):
            return closing.void(pallet, state, config, NO_REVEALS)
        return _enter(pallet, state, VOTE, early)
    vote: Vote = pallet.pallet("vote")
    if state.phase == VOTE:
        if not vote.count(number):
            return closing.void(pallet, state, config, NO_BALLOTS)
        return _enter(pallet, state, AUDIT, early)
    aggregation: Aggregation = pallet.pallet("aggregation")
    if state.phase == AUDIT:
        if not aggregation.confirm(number):
            return closing.void(pallet, state, config, NO_WINNERS)
        return _enter(pallet, state, AGGREGATE, early)
    agreement = aggregation.agreement(number)
    if agreement is None:
        return closing.void(pallet, state, config, NO_QUORUM)
    return closing.settle(pallet, state, config, agreement)


def _enter(pallet: Round, state: RoundState, phase: Phase, early: bool) -> None:
    state.phase = phase
    state.phase_clock_ms = 0
    state.phase_started_block = pallet.env.header.number
    state.ClearField("late_authors")
    pallet.State.put(state)
    pallet.deposit(RoundEvent.PhaseChanged(round=state.round, phase=phase, early=early))
