"""Attack one node in every way, again and again: see `--help`."""

from __future__ import annotations

import argparse
import logging
import random
import secrets
from collections import Counter

import trio

from node import chain_spec
from node.genesis import build_genesis
from node.network.frames import StreamEnd
from node.network.link import LinkError
from pallets.assembly import RUNTIME
from pocl.keys import Keypair
from tests.hostile.attacks import ATTACKS, INSIDER_ATTACKS, Attack
from tests.hostile.peer import HostilePeer, Target

AT_A_TIME = 6
"""Attacks under way at a time by strangers; one more by the validator whose key is given."""

_REFUSED_S = 1.0


def target_of(address: str, chain: str) -> Target:
    """Return the target at an address, on a chain spec's chain."""
    genesis = build_genesis(chain_spec.load(chain), RUNTIME)
    return Target(address, genesis.hash, tuple(genesis.header.next_epoch.validators))


async def attack_for(target: Target, seconds: float, names: list[str], key: Keypair | None) -> Counter[str]:
    """Attack until the time is up; return how often each attack was made, and how often it was refused."""
    made: Counter[str] = Counter()

    async def loop(attacks: dict[str, Attack], key: Keypair | None) -> None:
        seed = b""
        while True:
            name = random.choice(sorted(attacks))
            # Under its old name every other time: bans are told from finished business so.
            seed = seed if seed and random.random() < 0.5 else secrets.token_bytes(32)
            try:
                await attacks[name](HostilePeer(target, key=key, seed=seed))
                made[name] += 1
            except* (LinkError, StreamEnd, trio.TooSlowError, OSError):
                made["(refused)"] += 1
                seed = b""
                await trio.sleep(_REFUSED_S)
            except* Exception as error:
                made[f"({name}: {error.exceptions[0]!r})"[:120]] += 1

    with trio.move_on_after(seconds):
        async with trio.open_nursery() as nursery:
            for _ in range(AT_A_TIME):
                nursery.start_soon(loop, {name: ATTACKS[name] for name in names}, None)
            if key is not None:
                nursery.start_soon(loop, INSIDER_ATTACKS, key)
    return made


def main() -> None:
    """Read the options, attack, and print what was done."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--target", required=True, help="multiaddr of the node, ending in /p2p/<peer id>")
    parser.add_argument("--chain", default="local", help="the node's chain spec (default: local)")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--key", help="secret URI of a validator, for the attacks of an insider")
    parser.add_argument("--attack", action="append", choices=sorted(ATTACKS), help="only these")
    given = parser.parse_args()
    logging.basicConfig(level=logging.CRITICAL)
    key = Keypair.from_uri(given.key) if given.key else None
    target = target_of(given.target, given.chain)
    made = trio.run(attack_for, target, given.minutes * 60, given.attack or sorted(ATTACKS), key)
    for name, count in sorted(made.items()):
        print(f"{count:6}  {name}")


if __name__ == "__main__":
    main()
