"""What this node holds for its peers, in all, and who goes when it is too much.

Worst case of one connection: MAX_BUFFERED unread, a frame of each subject that has not come whole (8 + 8 + 1 MiB),
and what waits to be sent to it (64 + 32 + 8 MiB; 8 MiB of consensus for a stranger). Of the pages of sync, which
are not counted here, 2 * 4 are under way at a time, at 6 MiB. Times 64 peers that would be gigabytes, so the sum is
bounded: beyond MAX_HELD, the peer behind most of it goes, strangers before validators of the set.
"""

from __future__ import annotations

from collections.abc import Callable

from node.network.session import Session

MAX_HELD = 48 * 2**20
"""Bytes received and not used yet, and bytes not sent yet, of all connections; frames that wait for several
peers count once."""

MAX_BUFFERED = 16 * 2**20
"""Bytes that one connection may have unread in all its streams: the library holds no peer to its windows."""


def swamping(sessions: list[Session]) -> list[Session]:
    """Return the sessions whose peers send far more than they may."""
    return [session for session in sessions if session.link.buffered > MAX_BUFFERED]


def too_much(sessions: list[Session], is_validator: Callable[[Session], bool]) -> list[Session]:
    """Return the sessions to end so that the others hold no more than MAX_HELD together."""
    if sum(session.held + session.waiting_bytes for session in sessions) <= MAX_HELD:
        return []
    kept = sorted(sessions, key=lambda one: (not is_validator(one), one.held + one.waiting_bytes))
    ended = []
    while kept and _held(kept) > MAX_HELD:
        ended.append(kept.pop())
    return ended


def _held(sessions: list[Session]) -> int:
    waiting = {id(frame): len(frame) for session in sessions for frame in session.waiting()}
    return sum(session.held for session in sessions) + sum(waiting.values())
