"""Attack one node in every way, again and again: see `--help`."""

from __future__ import annotations

import argparse
import logging
import random
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

import trio

from node import chain_spec
from node.genesis import build_genesis
from node.network.frames import StreamEnd
from node.network.link import LinkError
from pallets.assembly import RUNTIME
from pocl.keys import Keypair
from tests.hostile.attacks import ATTACKS, INSIDER_ATTACKS, Attack
from tests.hostile.peer import HostilePeer, Target

ALL: dict[str, Attack] = ATTACKS | INSIDER_ATTACKS

AT_A_TIME = 6
"""Attacks under way at a time by strangers; one more by the validator whose key is given."""

_REFUSED_S = 1.0


def target_of(address: str, chain: str) -> Target:
    """Return the target at an address, on a chain spec's chain."""
    genesis = build_genesis(chain_spec.load(chain), RUNTIME)
    return Target(address, genesis.hash, tuple(genesis.header.next_epoch.validators))


async def attack_for(
    target: Target,
    seconds: float,
    names: Sequence[str],
    key: Keypair | None,
    *,
    inside: Sequence[str] = (),
    told: Callable[[str], None] = lambda name: None,
) -> Counter[str]:
    """Attack until the time is up; return how often each attack was made, and how often it was refused.

    Strangers make the attacks of `names`, the validator with the key those of `inside`; `told` hears of each one
    that came to its end.
    """
    made: Counter[str] = Counter()

    async def loop(attacks: Sequence[str], key: Keypair | None) -> None:
        seed = b""
        while True:
            name = random.choice(attacks)
            # Under its old name every other time: bans are told from finished business so.
            seed = seed if seed and random.random() < 0.5 else secrets.token_bytes(32)
            try:
                await ALL[name](HostilePeer(target, key=key, seed=seed))
                made[name] += 1
                told(name)
            except* (LinkError, StreamEnd, trio.TooSlowError, OSError):
                made["(refused)"] += 1
                seed = b""
                await trio.sleep(_REFUSED_S)
            except* Exception as error:
                made[f"({name}: {error.exceptions[0]!r})"[:120]] += 1

    with trio.move_on_after(seconds):
        async with trio.open_nursery() as nursery:
            for _ in range(AT_A_TIME if names else 0):
                nursery.start_soon(loop, names, None)
            if key is not None and inside:
                nursery.start_soon(loop, inside, key)
    return made


def main() -> None:
    """Read the options, attack, and print what was done."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument(
        "--target", required=True, action="append", help="multiaddr of a node, ending in /p2p/<peer id>"
    )
    parser.add_argument("--chain", default="local", help="the nodes' chain spec (default: local)")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--key", help="secret URI of a validator, for the attacks of an insider")
    parser.add_argument("--attack", action="append", choices=sorted(ALL), help="only these")
    parser.add_argument(
        "--inside",
        action="store_true",
        help="make all of them as the validator, one at a time at each target",
    )
    parser.add_argument("--tell", action="store_true", help="print the target of each attack that was made")
    given = parser.parse_args()
    logging.basicConfig(level=logging.CRITICAL)
    key = Keypair.from_uri(given.key) if given.key else None
    strangers, inside = given.attack or sorted(ATTACKS), sorted(INSIDER_ATTACKS)
    if given.inside:
        strangers, inside = [], given.attack or sorted(ALL)
    made: Counter[str] = Counter()

    async def attack(address: str) -> None:
        told = partial(print, address, flush=True) if given.tell else lambda name: None
        target = target_of(address, given.chain)
        made.update(await attack_for(target, given.minutes * 60, strangers, key, inside=inside, told=told))

    async def attack_all() -> None:
        async with trio.open_nursery() as nursery:
            for address in given.target:
                nursery.start_soon(attack, address)

    trio.run(attack_all)
    for name, count in sorted(made.items()):
        print(f"{count:6}  {name}")


if __name__ == "__main__":
    main()
