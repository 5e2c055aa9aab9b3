"""Turning final blocks into one batch of writes: what `Database.commit` is made of."""

from __future__ import annotations

from collections.abc import Sequence

import plyvel  # type: ignore[import-untyped]

from node.storage import schema
from pocl.extrinsics import extrinsic_hash
from pocl.v1.block_pb2 import Block, BlockEvents
from pocl.v1.consensus_pb2 import Justification
from runtime.blocks import ExecutedBlock
from runtime.codec import encode


class BlockWriter:
    """One commit under way. `final` is number and hash of the last block that is stored already."""

    def __init__(self, db: plyvel.DB, genesis_hash: bytes, final: tuple[int, bytes] | None) -> None:
        self._db = db
        self._genesis_hash = genesis_hash
        self._final = final
        self._batch = db.write_batch(sync=True)
        # Flat entries as this batch leaves them, which the database does not show yet.
        self._flat: dict[bytes, bytes | None] = {}

    def add(self, blocks: Sequence[ExecutedBlock], justifications: Sequence[Justification]) -> None:
        """Add blocks in order (see Database.commit). Raise ValueError when one does not follow or is not justified."""
        if self._final is None:
            if len(blocks) != 1 or justifications:
                raise ValueError("the genesis block is stored first, alone and without justification")
            self._require_genesis(blocks[0])
        else:
            self._require_chain(blocks, self._final)
            self._add_justifications(blocks, justifications)
        for block in blocks:
            self._add_block(block)
            self._add_state(block)
            self._add_tree(block)
        last = blocks[-1]
        self._batch.put(schema.META_FINAL, schema.u64(last.header.number) + last.hash)

    def write(self) -> None:
        """Write the batch; it is on disk when this returns."""
        self._batch.write()

    def _require_genesis(self, block: ExecutedBlock) -> None:
        if block.header.number != 0 or block.hash != self._genesis_hash:
            raise ValueError(
                f"block {block.header.number} 0x{block.hash.hex()} is not the genesis block "
                f"0x{self._genesis_hash.hex()} this database is for"
            )

    def _require_chain(self, blocks: Sequence[ExecutedBlock], final: tuple[int, bytes]) -> None:
        number, hash = final
        for block in blocks:
            header = block.header
            if header.number != number + 1 or header.parent_hash != hash:
                raise ValueError(f"block {header.number} 0x{block.hash.hex()} does not follow block {number}")
            if block.tree.version != header.number:
                raise ValueError(f"block {header.number} comes with the tree of version {block.tree.version}")
            number, hash = header.number, block.hash

    def _add_justifications(
        self, blocks: Sequence[ExecutedBlock], justifications: Sequence[Justification]
    ) -> None:
        """Store the justifications that say something: one whose certificate is a later block's of this batch
        is made again from that block's when it is asked for (Database.justification)."""
        if len(justifications) not in (1, len(blocks)):
            raise ValueError(f"{len(justifications)} justifications for {len(blocks)} blocks")
        last = blocks[-1]
        own: list[Justification | None] = [None] * (len(blocks) - len(justifications))
        own += [
            justification if block is last or not justification.descendants else None
            for block, justification in zip(blocks[-len(justifications) :], justifications, strict=True)
        ]
        for block, justification in zip(blocks, own, strict=True):
            if justification is not None:
                key = schema.JUSTIFICATION + schema.u64(block.header.number)
                self._batch.put(key, encode(justification))
            elif block.header.HasField("next_epoch"):
                raise ValueError(
                    f"block {block.header.number} closes its epoch and needs its own justification"
                )

    def _add_block(self, block: ExecutedBlock) -> None:
        number = schema.u64(block.header.number)
        put = self._batch.put
        put(schema.HEADER + number, encode(block.header))
        put(schema.BODY + number, encode(Block(extrinsics=block.block.extrinsics)))
        # Made here, so no enum needs a look: there are thousands of records.
        put(schema.EVENTS + number, BlockEvents(events=block.events).SerializeToString(deterministic=True))
        put(schema.HASH + number, block.hash)
        put(schema.NUMBER + block.hash, number)
        for index, data in enumerate(block.block.extrinsics):
            put(schema.EXTRINSIC + extrinsic_hash(data), schema.location(block.header.number, index))

    def _add_state(self, block: ExecutedBlock) -> None:
        for key, value in block.changes.items():
            self._write(key, value, block.header.number)

    def _write(self, key: bytes, value: bytes | None, version: int) -> None:
        flat_key = schema.FLAT + key
        before = self._flat[key] if key in self._flat else self._db.get(flat_key, verify_checksums=True)
        if value == (None if before is None else before[schema.U64 :]):
            return
        put = self._batch.put
        if before is not None:
            replaced = schema.history_key(key, schema.number_of(before[: schema.U64]))
            put(schema.stale_key(version, schema.STALE_REPLACED, replaced), b"")
        entry = schema.history_key(key, version)
        if value is None:
            self._flat[key] = None
            self._batch.delete(flat_key)
            put(entry, schema.TOMBSTONE)
            put(schema.stale_key(version, schema.STALE_TOMBSTONE, entry), b"")
        else:
            flat = schema.u64(version) + value
            self._flat[key] = flat
            put(flat_key, flat)
            put(entry, schema.PRESENT + value)

    def _add_tree(self, block: ExecutedBlock) -> None:
        put = self._batch.put
        for key, node in block.tree.nodes.items():
            put(schema.NODE + key, node)
        for key, nodes in schema.stale_nodes(block.tree.version, block.tree.stale):
            put(key, nodes)
