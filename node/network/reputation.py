"""Penalties: points for what a peer does wrong, a ban at 100, all forgotten with time.

Points fall by 10 a minute, a ban lasts 10 minutes. Peers are told apart by their peer id, not by address:
several nodes may share one, and who changes its key for every connection pays a handshake each time and
never reaches the places that are kept for validators.
"""

from __future__ import annotations

from collections.abc import Callable

BAN_AT = 100
BAN_S = 600.0
DECAY_PER_S = 10 / 60

MALFORMED = 60
"""For what no honest node sends: frames that are too large or not canonical, false proofs, false chunks. A bug
may do it once; the second time within two minutes is the last."""

_MAX_PEERS = 4096


class Reputation:
    """The points of all peers; `now` is a clock in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._points: dict[str, tuple[float, float]] = {}
        self._banned: dict[str, float] = {}

    def charge(self, peer_id: str, points: int) -> bool:
        """Add points. Return True when that bans the peer."""
        now = self._now()
        total = self.points(peer_id) + points
        self._points.pop(peer_id, None)
        if total < BAN_AT:
            self._points[peer_id] = (total, now)
            _bound(self._points)
            return False
        self._banned.pop(peer_id, None)
        self._banned[peer_id] = now + BAN_S
        _bound(self._banned)
        return True

    def points(self, peer_id: str) -> float:
        """Return the points that a peer has left."""
        total, at = self._points.get(peer_id, (0.0, 0.0))
        return max(0.0, total - (self._now() - at) * DECAY_PER_S)

    def banned(self, peer_id: str) -> bool:
        """Tell whether a peer is banned now."""
        until = self._banned.get(peer_id)
        if until is not None and until <= self._now():
            del self._banned[peer_id]
            return False
        return until is not None


def _bound(entries: dict[str, tuple[float, float]] | dict[str, float]) -> None:
    # Oldest first: an attacker with many identities must not fill the memory.
    if len(entries) > _MAX_PEERS:
        del entries[next(iter(entries))]
