"""Taking the last block back: its parent becomes the last final block, and the database is as it was then.

What the block did is found by its number: the tree nodes it made (a leaf names its key), and in the stale index what
it replaced or deleted. So it works as long as the parent's state is kept, and one batch a block leaves nothing
half done.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import plyvel  # type: ignore[import-untyped]

from node.storage import schema
from node.storage.entries import open_range
from pocl.extrinsics import extrinsic_hash
from pocl.v1.block_pb2 import Block, Header
from pocl.v1.consensus_pb2 import Justification
from runtime.codec import encode
from runtime.tree.nodes import LEAF, decode_leaf


def revert_last(db: plyvel.DB, number: int, parent: Justification | None) -> None:
    """Take back block `number`, the last one; `parent` is why the block before it is final, None for block 0.

    The state after that block must be kept.
    """
    key, above = schema.u64(number), schema.u64(number - 1)
    header = Header.FromString(db.get(schema.HEADER + key, verify_checksums=True))
    with db.write_batch(sync=True) as batch:
        _revert_state(db, batch, number)
        _revert_body(db, batch, number)
        batch.delete(schema.NUMBER + db.get(schema.HASH + key, verify_checksums=True))
        for prefix in (schema.HEADER, schema.BODY, schema.EVENTS, schema.JUSTIFICATION, schema.HASH):
            batch.delete(prefix + key)
        if parent is not None:
            # It may have been final by the certificate of the block that goes.
            batch.put(schema.JUSTIFICATION + above, encode(parent))
        for pointer in (schema.META_OLDEST_BODY, schema.META_OLDEST_HEADER):
            at = db.get(pointer)
            if at is not None and at > key:
                batch.put(pointer, key)
        batch.put(schema.META_FINAL, above + header.parent_hash)


def _revert_body(db: plyvel.DB, batch: Any, number: int) -> None:
    body = db.get(schema.BODY + schema.u64(number), verify_checksums=True)
    for data in Block.FromString(body).extrinsics if body else ():
        batch.delete(schema.EXTRINSIC + extrinsic_hash(data))


def _revert_state(db: plyvel.DB, batch: Any, number: int) -> None:
    written = set()
    for key, node in _range(db, schema.NODE + schema.u64(number)):
        batch.delete(key)
        if node[0] == LEAF:
            written.add(decode_leaf(node).key)
    for key, value in _range(db, schema.STALE + schema.u64(number)):
        batch.delete(key)
        for target in schema.stale_targets(key, value):
            if target.startswith(schema.HISTORY):
                written.add(schema.history_parts(target)[0])
    for state_key in written:
        batch.delete(schema.history_key(state_key, number))
        _restore(db, batch, state_key, number - 1)


def _restore(db: plyvel.DB, batch: Any, state_key: bytes, version: int) -> None:
    """Make the latest value of a key the one that it had at `version`."""
    first, last = schema.history_key(state_key, version), schema.history_key(state_key, 0)
    with open_range(db, first, last, include_stop=True) as entries:
        entry, data = next(entries, (b"", schema.TOMBSTONE))
    if data == schema.TOMBSTONE:
        batch.delete(schema.FLAT + state_key)
    else:
        _, written = schema.history_parts(entry)
        batch.put(schema.FLAT + state_key, schema.u64(written) + data[1:])


def _range(db: plyvel.DB, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
    with open_range(db, prefix, schema.end_of(prefix)) as entries:
        yield from entries
