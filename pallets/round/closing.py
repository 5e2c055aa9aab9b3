"""The end of a round.

Settled or void, in the same block:
- the winners' transfers settle and the others return to the queue; in a void round all return;
- a settled round has a new global model and mints its rewards; after a void one the model is as before;
- the summary is written, and the books of the round that is now `keep_rounds` back leave the state: their
  digest, which pallets/round/view.py defines, takes their place in its summary;
- the next seed is drawn from the salts that the round's miners revealed:
      seed' = H("pocl/round-seed/1" || seed || u64be(round) || for each miner that revealed, sorted:
                account || predictions salt || weights salt || labels salt, zeros when it cast no ballot)
  No block hash is in it: an author could try many blocks. A salt is bound by a commitment made before any
  other is shown, so a miner can only withhold its own, which gives up its candidacy. A round void before
  anything was revealed moves the seed on by its number alone;
- the epoch closes, and with it the validator set may change (pallets/validators): to it, whoever made a call
  of the round took part. The next epoch's preferred leaders are the winners, or after a void round all its miners,
  in the order of H("pocl/leader/1" || seed' || account);
- a miner has delivered when it stood on the highest rung that the round gave it time for
  (pallets/round/phases.py). TRAIN of the next round waits for those that did; State.expected holds them until
  then.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pallets.round.view import digest
from pallets.validators import Validators
from pocl.extrinsics import u128
from pocl.hashing import hash256
from pocl.v1.round_pb2 import (
    PHASE_NONE,
    PREDICT,
    REVEAL,
    SETTLED,
    TRAIN,
    VOID,
    Reward,
    RoundConfig,
    RoundEvent,
    RoundState,
    RoundSummary,
)

if TYPE_CHECKING:
    from pallets.aggregation import Aggregation
    from pallets.aggregation.pallet import Agreement
    from pallets.coin import Coin
    from pallets.model_propose import ModelPropose
    from pallets.prediction import Prediction
    from pallets.round.pallet import Round
    from pallets.vote import Vote

_NO_SALT = bytes(32)


def settle(pallet: Round, state: RoundState, config: RoundConfig, agreement: Agreement) -> None:
    """Close a round whose new global model a quorum attested."""
    aggregation: Aggregation = pallet.pallet("aggregation")
    coin: Coin = pallet.pallet("coin")
    number = state.round
    winners = aggregation.winners(number)
    rewards = aggregation.adopt(number, agreement)
    coin.settle(number, winners)
    for miner, amount in rewards:
        coin.mint_reward(number, miner, amount)
    summary = RoundSummary(
        outcome=SETTLED,
        global_model=agreement.global_model,
        server_state=agreement.server_state,
        winners=winners,
        rewards=[Reward(miner=miner, amount=u128(amount)) for miner, amount in rewards],
        attesters=sorted(agreement.attestations),
    )
    pallet.deposit(
        RoundEvent.RoundSettled(round=number, winners=winners, global_model=agreement.global_model)
    )
    _close(pallet, state, config, summary, leaders=winners)


def void(pallet: Round, state: RoundState, config: RoundConfig, reason: str) -> None:
    """Close a round without winners."""
    coin: Coin = pallet.pallet("coin")
    coin.return_all(state.round)
    summary = RoundSummary(outcome=VOID, void_reason=reason, global_model=state.global_model)
    pallet.deposit(RoundEvent.RoundVoid(round=state.round, reason=reason))
    _close(pallet, state, config, summary, leaders=state.miners)


def next_seed(pallet: Round, state: RoundState) -> bytes:
    """Return the seed of the round after this one (rule in the module's text)."""
    prediction: Prediction = pallet.pallet("prediction")
    vote: Vote = pallet.pallet("vote")
    labels_salts = {owner: ballot.labels_salt for owner, ballot in vote.Ballots.items(state.round)}
    parts = [state.seed, state.round.to_bytes(8, "big")]
    for miner, reveal in prediction.Reveals.items(state.round):
        parts += [miner, reveal.predictions_salt, reveal.weights_salt, labels_salts.get(miner, _NO_SALT)]
    return hash256("pocl/round-seed/1", *parts)


def leader_order(seed: bytes, accounts: Iterable[bytes]) -> list[bytes]:
    """Return accounts in the order that a seed draws."""
    return sorted(accounts, key=lambda account: hash256("pocl/leader/1", seed, account))


def delivered(pallet: Round, state: RoundState) -> list[bytes]:
    """Return the miners that delivered all they could in a round that ends now, sorted."""
    model_propose: ModelPropose = pallet.pallet("model_propose")
    prediction: Prediction = pallet.pallet("prediction")
    vote: Vote = pallet.pallet("vote")
    if state.phase == TRAIN:
        return model_propose.proposers(state.round)
    if state.phase == PREDICT:
        return prediction.committers(state.round)
    if state.phase == REVEAL:
        return prediction.revealers(state.round)
    return vote.casters(state.round)


def took_part(pallet: Round, round: int) -> set[bytes]:
    """Return the miners that made a call of the round, whatever came of it: they are not offline."""
    model_propose: ModelPropose = pallet.pallet("model_propose")
    prediction: Prediction = pallet.pallet("prediction")
    vote: Vote = pallet.pallet("vote")
    aggregation: Aggregation = pallet.pallet("aggregation")
    books = (
        pallet.Ready, model_propose.Proposals, prediction.Commits, prediction.Reveals, vote.Ballots,
        aggregation.Audits, aggregation.Attestations,
    )  # fmt: skip
    return {miner for book in books for miner, _ in book.items(round)}


def _close(
    pallet: Round, state: RoundState, config: RoundConfig, summary: RoundSummary, leaders: Iterable[bytes]
) -> None:
    header = pallet.env.header
    seed = next_seed(pallet, state)
    summary.round = state.round
    summary.previous_model = state.global_model
    summary.started_ms, summary.ended_ms = state.started_ms, header.timestamp_ms
    summary.started_block, summary.ended_block = state.started_block, header.number
    pallet.Summaries.put(state.round, summary)
    expected = delivered(pallet, state)
    state.ClearField("expected")
    state.expected.extend(expected)
    state.ClearField("late_authors")
    state.phase, state.phase_clock_ms, state.phase_started_block = PHASE_NONE, 0, header.number
    pallet.State.put(state)
    active = took_part(pallet, state.round)
    _forget(pallet, state.round - config.keep_rounds)
    pallet.pallet(Validators).close_epoch(leader_order(seed, leaders), seed, active, config.min_miners)


def _forget(pallet: Round, number: int) -> None:
    """Replace a round's books by their digest."""
    summary: RoundSummary | None = pallet.Summaries.get(number) if number >= 1 else None
    if summary is None:
        return
    summary.digest = digest(pallet.env.pallets, number)
    pallet.Summaries.put(number, summary)
    for name in ("round", "model_propose", "prediction", "vote", "aggregation"):
        pallet.pallet(name).forget(number)
