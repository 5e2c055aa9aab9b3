"""Rounds under attack: three honest validators that train, and the fourth one Byzantine in every known way.

    python -m tests.hostile.rounds                          every attack, one after the other: `make byzantine`
    python -m tests.hostile.rounds --attack DoubleVoter --attack far_ahead
    python -m tests.hostile.rounds --list

Attacks are of two kinds. Names in small letters are those of tests/hostile/attacks: the traitor's validator is silent
in agreement, and a peer with its key attacks all three nodes at once. Names in capitals are those of
tests/hostile/traitor.py: a whole node that breaks the rules of agreement; who signs what no honest validator signs is
slashed, put out of the set, and asks back in before the next attack.

While each lasts, blocks must become final and a round must settle. Afterwards: the honest nodes agree at every
height, none of them was charged, slashed or banned by another, none voted twice, the issuance holds, and every offence
was punished. Fails when any of this does not hold.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.network import FaultError, until
from tests.hostile.attacks import ATTACKS, INSIDER_ATTACKS
from tests.hostile.four import Four
from tests.hostile.traitor import KINDS, OFFENDERS, PROPOSERS

MAX_RESIDENT_MB = 300
MAX_PAUSE_S = 30.0
"""Longest time without a new final block. A view of the traitor's costs a leader's timer, which doubles."""

PATIENCE_S = 120.0
"""How long an attack goes on at most until a round has settled and, with it, what is to be shown was seen."""

ALL = (*ATTACKS, *INSIDER_ATTACKS, *KINDS)
"""Offenders last."""


@dataclass
class Row:
    """What was measured during one attack."""

    attack: str
    done: str
    seconds: float
    blocks: int
    rounds: int
    void: int
    pause_s: float
    resident_mb: int
    slashed: int


HEAD = f"{'attack':24} {'s':>5} {'blocks':>6} {'rounds':>6} {'void':>4} {'pause s':>7} {'RSS MB':>6}  done"


def line(row: Row) -> str:
    """Return a row of the table."""
    numbers = f"{row.seconds:5.0f} {row.blocks:6} {row.rounds:6} {row.void:4} {row.pause_s:7.1f} {row.resident_mb:6}"
    return f"{row.attack:24} {numbers}  {row.done}{', slashed' if row.slashed else ''}"


def attack(network: Four, name: str) -> Row:
    """Make one attack until a round has settled under it."""
    network.let_the_traitor_in()
    begun = time.monotonic()
    if name in KINDS:
        network.attack_with(name)
    else:
        network.attack_as_peer(name)
    height, round = min(network.heights()), network.ended()
    resident = [0]

    def shown() -> bool:
        resident.append(max(node.resident_mb for node in network.nodes))
        if not network.settled(round):
            return False
        # Who votes falsely as well may be found out, and out of the set, before it is its turn.
        if name in PROPOSERS and not network.led() and not network.slashes(height):
            return False
        if name in OFFENDERS:
            return bool(network.slashes(height))
        return name in KINDS or min(network.attacked().values()) > 0

    try:
        until(shown, f"{name}: a round settles under it", PATIENCE_S)
    finally:
        done = network.end_attack()
    now = time.monotonic()
    ended = list(network.client.rounds(round + 1))
    settled = network.settled(round)
    return Row(
        name,
        done,
        now - begun,
        min(network.heights()) - height,
        settled,
        len(ended) - settled,
        network.watch.longest_pause(begun, now),
        max(resident),
        len(network.slashes(height)),
    )


def check(network: Four, rows: Sequence[Row]) -> list[str]:
    """Stop the network; return what was wrong with it."""
    wrong = [
        f"{row.attack}: no final block for {row.pause_s:.0f} s" for row in rows if row.pause_s > MAX_PAUSE_S
    ]
    wrong += [
        f"{row.attack}: {row.resident_mb} MB resident" for row in rows if row.resident_mb >= MAX_RESIDENT_MB
    ]
    for row in rows:
        if bool(row.slashed) != (row.attack in OFFENDERS):
            wrong.append(f"{row.attack}: slashed {row.slashed} times")
    height = network.client.info().final_number
    until(lambda: min(network.heights()) >= height, "all honest nodes come to the same height")
    network.check_issuance()
    innocent = [slash for slash in network.slashes() if slash.who != network.traitor.key.public]
    wrong += [f"an honest validator was slashed for {slash.offence}" for slash in innocent]
    network.watch.stop()
    statuses = network.stop()
    if any(statuses):
        wrong.append(f"the honest nodes ended with {statuses}")
    network.watch.read_logs()
    if network.watch.check_databases([]) < height:
        wrong.append(f"not all have block {height}")
    wrong += network.charges_among_honest()
    return wrong + network.watch.violations + network.watch.contradictions()


def run(folder: Path, names: Sequence[str]) -> tuple[list[Row], list[str]]:
    """Make the attacks; return the table, and what was wrong."""
    rows = []
    with Four(folder) as network:
        network.begin()
        print(HEAD, flush=True)
        for name in names:
            rows.append(attack(network, name))
            print(line(rows[-1]), flush=True)
        return rows, check(network, rows)


def main() -> int:
    """Run, print, and tell whether all held."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.rounds", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--attack", action="append", choices=ALL, metavar="NAME", help="only these (see --list)"
    )
    parser.add_argument("--list", action="store_true", help="print the attacks' names")
    parser.add_argument("--folder", type=Path, help="keep logs and databases here, which must be empty")
    given = parser.parse_args()
    if given.list:
        print("\n".join(ALL))
        return 0
    with tempfile.TemporaryDirectory(prefix="pocl-byzantine-") as temporary:
        try:
            rows, wrong = run(given.folder or Path(temporary), given.attack or ALL)
        except (FaultError, AssertionError) as error:
            print(f"failed: {error}", file=sys.stderr)
            return 1
    for text in wrong:
        print(f"wrong: {text}", file=sys.stderr)
    if not wrong:
        rounds, blocks = sum(row.rounds for row in rows), sum(row.blocks for row in rows)
        print(f"{len(rows)} attacks, {rounds} rounds settled and {blocks} blocks final under them; all held")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
