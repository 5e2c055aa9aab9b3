"""How long a view may take.

A view's timers are the chain spec's, doubled for every view since the last final one beyond the two that are
normal (the view before this one is notarized, the one before that is final), up to the spec's maximum. Counted
from the last final view and not from a node's own history, so nodes that came to a view in different ways have
the same timers, and finality brings them back.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """The timers of agreement, in milliseconds."""

    leader_ms: int
    """Until the leader's proposal is here; must exceed heartbeat plus execution limit."""
    view_ms: int
    """Until the view is over; more than leader_ms."""
    max_ms: int
    """No timer is doubled beyond this."""
    stall_ms: int
    """Until what is known of a view that does not move is sent again."""

    def leader_timeout(self, view: int, final_view: int) -> int:
        """Return the time for the leader's proposal of a view, when `final_view` is the last final one."""
        return self._doubled(self.leader_ms, view, final_view)

    def view_timeout(self, view: int, final_view: int) -> int:
        """Return the time for leaving a view."""
        return self._doubled(self.view_ms, view, final_view)

    def _doubled(self, base: int, view: int, final_view: int) -> int:
        doublings = min(max(view - final_view - 2, 0), 32)
        return min(base << doublings, max(base, self.max_ms))
