"""When a block is due at once, although no extrinsic waits for it; otherwise the heartbeat brings it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from pallets.round.config import deadline_ms
from pallets.round.pallet import clock_at
from pocl.v1.round_pb2 import PHASE_NONE, RoundConfig, RoundState
from runtime.frame import Pallet

if TYPE_CHECKING:
    from pallets.coin import Coin
    from pallets.round.pallet import Round


def needs_block(pallets: Mapping[str, Pallet], timestamp_ms: int) -> bool:
    """Return whether a block of that time would do something by itself.

    It would open a round, count its author towards the end of a phase whose deadline is over, or pay settled
    transfers. `pallets` are bound to the state after the parent; `timestamp_ms` is the time now.
    """
    rounds = cast("Round", pallets["round"])
    state: RoundState = rounds.State.get()
    if state.phase == PHASE_NONE or cast("Coin", pallets["coin"]).payouts_pending():
        return True
    config: RoundConfig = rounds.config()
    return clock_at(state, config, timestamp_ms) >= deadline_ms(config, state.phase)
