"""How attacks are written down, and what several of them do."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable

from node.network.link import LinkError
from tests.hostile.peer import HostilePeer

Attack = Callable[[HostilePeer], Awaitable[None]]

ATTACKS: dict[str, Attack] = {}
"""Every attack that a peer without a validator's key can make."""

INSIDER_ATTACKS: dict[str, Attack] = {}
"""Those that need the key of a validator of the set."""

PATIENCE_S = 8.0
"""How long an attacker waits to be dropped that should be."""

BORNE_S = 1.5
"""How long one stays that is borne."""


def attack(function: Attack) -> Attack:
    """List an attack under the name of its function."""
    ATTACKS[function.__name__] = function
    return function


def insider(function: Attack) -> Attack:
    """List an attack of a validator under the name of its function."""
    INSIDER_ATTACKS[function.__name__] = function
    return function


async def say(peer: HostilePeer, name: str, *frames: bytes, stay_s: float = PATIENCE_S) -> None:
    """Become a peer, write frames on one stream, and wait for the end of it."""
    async with peer.joined() as line:
        with contextlib.suppress(LinkError):
            for frame in frames:
                await line.write(name, frame)
        await line.ended(stay_s)
