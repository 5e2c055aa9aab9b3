"""Which block 0 a chain spec gives, noted below the base path.

Of 100,000 accounts, making block 0 takes seconds and hundreds of megabytes. A node needs it once: at later starts its
hash is enough to see that the database is that chain's. The note says which hash, and of what: a digest over the
hash, all of the spec that block 0 is made of, and the version of the runtime that makes it. It is a cache. Without it,
with a damaged one or that of another spec, block 0 is made again; the database is compared with the hash as ever.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from pathlib import Path

from node import layout
from node.chain_spec import ChainSpec
from node.durable import replace_file
from node.errors import NodeStartError
from node.genesis import build_genesis
from node.learning_task import task_bytes
from pallets.assembly import RUNTIME
from pocl.hashing import HASH_SIZE
from runtime.blocks import ExecutedBlock
from runtime.executive import Runtime


def known_genesis(spec: ChainSpec, base_path: Path, runtime: Runtime = RUNTIME) -> bytes | None:
    """Return the hash of the block 0 that a spec gives, None when it is not noted here."""
    try:
        noted = layout.genesis_note_file(base_path).read_bytes()
    except OSError:
        return None
    hash = noted[HASH_SIZE:]
    return hash if noted == _digest(spec, runtime, hash) + hash else None


def genesis_of(spec: ChainSpec, base_path: Path, runtime: Runtime) -> tuple[bytes, ExecutedBlock | None]:
    """Return the hash of the block 0 that a spec gives, and the block where it had to be made; then it is noted.

    Raise ChainSpecError when the spec gives none, NodeStartError when the disk refuses.
    """
    hash = known_genesis(spec, base_path, runtime)
    if hash is not None:
        return hash, None
    genesis = build_genesis(spec, runtime)
    _note(spec, base_path, genesis.hash, runtime)
    return genesis.hash, genesis


def _note(spec: ChainSpec, base_path: Path, hash: bytes, runtime: Runtime) -> None:
    file = layout.genesis_note_file(base_path)
    try:
        base_path.mkdir(parents=True, exist_ok=True)
        replace_file(file, _digest(spec, runtime, hash) + hash)
    except OSError as error:
        raise NodeStartError(f"{file}: cannot be written: {error.strerror}") from None


def _digest(spec: ChainSpec, runtime: Runtime, hash: bytes) -> bytes:
    digest = hashlib.blake2b(hash, digest_size=HASH_SIZE)
    for part in _parts(spec, runtime):
        # What Python writes for numbers, texts, bytes and tuples names the value and no other. Should a later Python
        # write it otherwise, block 0 is made once more.
        digest.update(repr(part).encode() + b"\n")
    return digest.digest()


def _parts(spec: ChainSpec, runtime: Runtime) -> Iterator[object]:
    """Yield all that block 0 is made of: the long ones piece by piece."""
    yield runtime.spec_version, runtime.transaction_version, task_bytes(spec.learning)
    yield dataclasses.replace(spec.genesis, balances=())
    yield from spec.genesis.balances
    if spec.raw_genesis is not None:
        yield "raw"
        yield from sorted(spec.raw_genesis.items())
