"""Who leads a view.

Let `leaders` be the epoch's preferred leaders (the last settled round's winners, in an order drawn from that
round's revealed salts) and `validators` its whole set, sorted.
- view % 3 != 0: the preferred leaders take turns: views 1, 2, 4, 5, 7, ... are leaders 0, 1, 2, 3, 4, ...
- view % 3 == 0: all validators take turns, beginning at index `epoch` (short epochs would otherwise never
  reach the high indices).
So no set of winners, however faulty, can hold up the chain: within 3n views every validator has led.
Without preferred leaders (nobody won) all views go to all validators.
"""

from __future__ import annotations

from node.consensus.types import EpochInfo


def leader(epoch: EpochInfo, view: int) -> bytes:
    """Return the account that leads this view (1, 2, ...) of the epoch."""
    validators = epoch.validators
    if not epoch.leaders:
        return validators[(epoch.epoch + view) % len(validators)]
    if view % 3 == 0:
        return validators[(epoch.epoch + view // 3 - 1) % len(validators)]
    return epoch.leaders[(view - 1 - view // 3) % len(epoch.leaders)]
