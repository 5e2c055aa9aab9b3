"""What is to be seen of a round: the RoundView that clients, explorers and the off-chain halves work from.

A round's *books* are its view without what changes from block to block: `round`, `miners`, `tally` and
`confirmed`. When they leave the state, the summary keeps
    digest = BLAKE2b-256("pocl/books/1" || canonical RoundView with just these four fields)
so that whoever kept the books can show later that they are the chain's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from pocl.hashing import hash256
from pocl.v1.round_pb2 import PHASE_NONE, RoundState, RoundSummary
from pocl.v1.rounds_service_pb2 import MinerView, RoundView
from runtime.codec import encode
from runtime.frame import Pallet

if TYPE_CHECKING:
    from pallets.aggregation import Aggregation
    from pallets.coin import Coin
    from pallets.model_propose import ModelPropose
    from pallets.prediction import Prediction
    from pallets.round.pallet import Round
    from pallets.vote import Vote


def round_view(
    pallets: Mapping[str, Pallet], number: int, block_hash: bytes, round: int | None = None
) -> RoundView:
    """Return a round as a state has it; the current one when `round` is None.

    `pallets` are bound to the state after block `number`, whose hash is `block_hash`. Between two rounds the
    current one is the round that ended last. A round older than keep_rounds has its summary alone; round 0,
    the current one before block 1, has nothing but the configuration and its state. Raise KeyError for a
    round that has not begun.
    """
    rounds = cast("Round", pallets["round"])
    state: RoundState = rounds.State.get()
    wanted = state.round if round is None else round
    if not 0 <= wanted <= state.round or (wanted == 0 and state.round > 0):
        raise KeyError(f"round {wanted} has not begun" if wanted else "rounds begin with 1")
    view = books(pallets, wanted)
    view.config.CopyFrom(rounds.config())
    view.at_block, view.at_block_hash = number, block_hash
    summary: RoundSummary | None = rounds.Summaries.get(wanted)
    if summary is not None:
        view.summary.CopyFrom(summary)
    if wanted == state.round:
        view.state.CopyFrom(state)
        if state.phase != PHASE_NONE:
            view.assignments.CopyFrom(cast("Coin", pallets["coin"]).Assignments.get())
    return view


def books(pallets: Mapping[str, Pallet], number: int) -> RoundView:
    """Return a round's books; all but the number is missing when they have left the state."""
    rounds = cast("Round", pallets["round"])
    view = RoundView(round=number)
    views = {miner: view.miners.add(miner=miner) for miner in rounds.miners(number)}
    if not views:
        return view
    vote = cast("Vote", pallets["vote"])
    aggregation = cast("Aggregation", pallets["aggregation"])
    for miner, ready in rounds.Ready.items(number):
        views[miner].ready = ready
    _fill(pallets, number, views)
    tally = vote.Tallies.get(number)
    if tally is not None:
        view.tally.CopyFrom(tally)
    confirmed = aggregation.Confirmed.get(number)
    if confirmed is not None:
        view.confirmed.CopyFrom(confirmed)
    return view


def digest(pallets: Mapping[str, Pallet], number: int) -> bytes:
    """Return the digest of a round's books (rule in the module's text)."""
    return hash256("pocl/books/1", encode(books(pallets, number)))


def _fill(pallets: Mapping[str, Pallet], number: int, views: Mapping[bytes, MinerView]) -> None:
    """Put what each miner delivered into its view."""
    model_propose = cast("ModelPropose", pallets["model_propose"])
    prediction = cast("Prediction", pallets["prediction"])
    vote = cast("Vote", pallets["vote"])
    aggregation = cast("Aggregation", pallets["aggregation"])
    for miner, proposal in model_propose.Proposals.items(number):
        views[miner].proposal.CopyFrom(proposal)
    for miner, commit in prediction.Commits.items(number):
        views[miner].commit.CopyFrom(commit)
    for miner, reveal in prediction.Reveals.items(number):
        views[miner].reveal.CopyFrom(reveal)
    for miner, ballot in vote.Ballots.items(number):
        views[miner].ballot.CopyFrom(ballot)
    for miner, audit in aggregation.Audits.items(number):
        views[miner].audit.CopyFrom(audit)
    for miner, attestation in aggregation.Attestations.items(number):
        views[miner].attestation.CopyFrom(attestation)
