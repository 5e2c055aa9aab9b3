"""Proofs of the state tree: their sizes in bytes, and how long checking them takes.

Inclusion, absence, and ranges of 100 entries, of states of several sizes whose entries are as large as an account's.
Everything is in memory: making proofs costs reads of tree nodes, which bench_tree and the node's database decide.

    python benchmarks/bench_proofs.py [--keys 1000,100000] [--samples N]
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from google.protobuf.message import Message

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pocl.hashing import hash256  # noqa: E402
from pocl.v1.proof_pb2 import StateProof, StateRange  # noqa: E402
from runtime.codec import encode  # noqa: E402
from runtime.proof import key_path, verify_state_proof  # noqa: E402
from runtime.range_proof import verify_range  # noqa: E402
from runtime.tree import prove, prove_range, update  # noqa: E402

KEY_BYTES, VALUE_BYTES = 48, 40
"""Of the entry of an account with a balance."""

RANGE_ENTRIES = 100


class Nodes(dict[bytes, bytes]):
    """Tree nodes in memory."""

    def get_node(self, key: bytes) -> bytes | None:
        return self.get(key)


class State:
    """A state of so many entries."""

    def __init__(self, keys: int) -> None:
        self.entries = {_key(number): bytes(VALUE_BYTES) for number in range(keys)}
        self.nodes = Nodes()
        made = update(self.nodes, None, self.entries, 0)
        self.nodes.update(made.nodes)
        self.root = made.root

    def proof(self, number: int) -> StateProof:
        """Return the proof of a key; there are none of negative numbers."""
        key = _key(number)
        return prove(self.nodes, 0, key, self.entries.get(key))

    def range(self, start: bytes) -> StateRange:
        """Return a range of RANGE_ENTRIES entries, where there are as many."""
        size = RANGE_ENTRIES * (KEY_BYTES + VALUE_BYTES)
        return prove_range(self.nodes, 0, start, self.entries.get, size)


def measure(name: str, proofs: list[Message], content: int, check: Callable[[Message], bool]) -> str:
    """Return the row of one kind of proof; `content` is the bytes of the entries it is about."""
    sizes = [len(encode(proof)) for proof in proofs]
    started = time.process_time()
    valid = all(check(proof) for proof in proofs)
    took_us = (time.process_time() - started) / len(proofs) * 1e6
    if not valid:
        raise SystemExit(f"{name}: a proof is not valid")
    median = statistics.median(sizes)
    return f"{name:<28}{median:>10.0f}{max(sizes):>10}{median - content:>12.0f}{took_us:>14.0f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keys", default="1000,100000", help="sizes of the states, with commas")
    parser.add_argument("--samples", type=int, default=200)
    given = parser.parse_args()
    chosen = random.Random(1)
    print(f"{'proof':<28}{'bytes p50':>10}{'max':>10}{'of them not':>12}{'check':>14}")
    print(f"{'':<28}{'':>10}{'':>10}{'content':>12}{'CPU µs':>14}")
    for keys in map(int, given.keys.split(",")):
        state = State(keys)

        def of_key(proof: Message, state: State = state) -> bool:
            return isinstance(proof, StateProof) and verify_state_proof(state.root, proof)

        def of_range(part: Message, state: State = state) -> bool:
            return isinstance(part, StateRange) and verify_range(state.root, part)

        present: list[Message] = [state.proof(chosen.randrange(keys)) for _ in range(given.samples)]
        absent: list[Message] = [state.proof(-1 - number) for number in range(given.samples)]
        ranges: list[Message] = [
            state.range(key_path(_key(chosen.randrange(keys)))) for _ in range(max(1, given.samples // 10))
        ]
        print(f"of {keys:,} keys")
        print(measure("  inclusion", present, KEY_BYTES + VALUE_BYTES, of_key))
        print(measure("  absence", absent, KEY_BYTES, of_key))
        content = RANGE_ENTRIES * (KEY_BYTES + VALUE_BYTES)
        print(measure(f"  range of {RANGE_ENTRIES} entries", ranges, content, of_range))


def _key(number: int) -> bytes:
    seed = hash256("pocl/bench/1", number.to_bytes(8, "big", signed=True))
    return b"system.Account::" + seed[: KEY_BYTES - 16]


if __name__ == "__main__":
    main()
