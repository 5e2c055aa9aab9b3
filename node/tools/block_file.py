"""Final blocks in a file, and back into a database.

A record (frames.py) is a pocl.v1.BlockAnnounce: a block, with its justification where it has one of its own; a block
without is final by a later one's. Whoever imports the file trusts nothing of it: blocks are taken in as from a
peer that gives them in sync, each run of them up to a justification at a time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

from node.chain import Chain, ChainError
from node.errors import ConfigError
from node.tools.frames import FileError, FrameReader, FrameWriter
from pocl.client.plain import plain
from pocl.v1.block_pb2 import Block
from pocl.v1.consensus_pb2 import Justification
from pocl.v1.network_pb2 import BlockAnnounce
from runtime.blocks import header_hash
from runtime.certificates import CertificateError
from runtime.codec import CodecError, decode, encode
from runtime.frame.errors import InvalidBlock

MAGIC = b"poclblks"
VERSION = 1

MAX_RUN = 4096
"""Blocks that wait for a justification; a node's own wait for some at most."""

Progress = Callable[[int], object]
"""Told how far it is: blocks exported so far, bytes of the file read so far."""


def check_range(chain: Chain, first: int | None, last: int | None) -> tuple[int, int]:
    """Return the range of blocks to export; None is the oldest one that is kept and the last final one.

    Raise ConfigError for blocks that are not here.
    """
    oldest = max(1, chain.database.oldest_body)
    first = oldest if first is None else first
    last = chain.final_number if last is None else last
    if first < oldest:
        reason = "block 0 is in the chain spec" if oldest == 1 else f"the oldest kept here is {oldest}"
        raise ConfigError(f"--from {first}: {reason}: begin with {oldest}")
    if last > chain.final_number:
        raise ConfigError(f"--to {last}: the last final block is {chain.final_number}")
    if first > last:
        raise ConfigError(f"no blocks from {first} to {last}: the last final block is {chain.final_number}")
    return first, last


def export_blocks(
    chain: Chain, first: int, last: int, file: BinaryIO, progress: Progress = lambda done: None
) -> None:
    """Write blocks `first` to `last` with why they are final."""
    writer = FrameWriter(file, MAGIC, VERSION, chain.genesis_hash)
    for announce in _announces(chain, first, last):
        writer.write(encode(announce))
        progress(writer.records)
    writer.end()


def export_json(
    chain: Chain, first: int, last: int, file: TextIO, progress: Progress = lambda done: None
) -> None:
    """Write the same for programs: a line with the head, then a line a block."""
    head = {"format": MAGIC.decode(), "version": VERSION, "genesis_hash": "0x" + chain.genesis_hash.hex()}
    file.write(json.dumps(head) + "\n")
    for done, announce in enumerate(_announces(chain, first, last), 1):
        value = {
            "number": announce.block.header.number,
            "hash": "0x" + header_hash(announce.block.header).hex(),
            **plain(announce, full=True),
        }
        file.write(json.dumps(value) + "\n")
        progress(done)


def import_blocks(
    chain: Chain, file: BinaryIO, path: Path, progress: Progress = lambda done: None
) -> tuple[int, int]:
    """Take in the blocks of a file that this chain does not have; return how many were taken in and skipped.

    What was taken in before an error stays, so that a later import goes on there. Raise FileError for a file that is
    damaged, of another chain, begins above the last final block, or says something else than what is final here.
    """
    reader = FrameReader(file, path, MAGIC, VERSION)
    reader.require_chain(chain.genesis_hash)
    taken = skipped = 0
    for blocks, justification in _runs(reader, path):
        new = [block for block in blocks if not _is_known(chain, block, path)]
        skipped += len(blocks) - len(new)
        if new:
            _take(chain, new, justification, path)
            taken += len(new)
        progress(reader.position)
    chain.database.prune_all()
    chain.database.compact()
    return taken, skipped


def _announces(chain: Chain, first: int, last: int) -> Iterator[BlockAnnounce]:
    for number in range(first, last + 1):
        block, justification = chain.final_block(number), chain.justification(number)
        if block is None or justification is None:
            raise FileError(f"{chain.database.path}: block {number} is not whole: run `pocl db verify`")
        if justification.descendants and number < last:
            yield BlockAnnounce(block=block)
        else:
            yield BlockAnnounce(block=block, justification=justification)


def _runs(reader: FrameReader, path: Path) -> Iterator[tuple[list[Block], Justification]]:
    run: list[Block] = []
    for place, record in enumerate(reader):
        try:
            announce = decode(BlockAnnounce, record)
        except CodecError as error:
            raise FileError(f"{path}: record {place} is no block: {error}") from None
        run.append(announce.block)
        if announce.HasField("justification"):
            yield run, announce.justification
            run = []
        elif len(run) > MAX_RUN:
            raise FileError(f"{path}: block {run[0].header.number} comes without justification")
    if run:
        raise FileError(f"{path}: block {run[-1].header.number} comes without justification")


def _is_known(chain: Chain, block: Block, path: Path) -> bool:
    """Tell whether a block is final here. Raise FileError when another one of its number is."""
    number = block.header.number
    if number > chain.final_number:
        return False
    ours, theirs = chain.database.hash(number), header_hash(block.header)
    if ours is not None and ours != theirs:
        raise FileError(
            f"{path}: its block {number} is 0x{theirs.hex()}, the final one here is 0x{ours.hex()}"
        )
    return True


def _take(chain: Chain, blocks: list[Block], justification: Justification, path: Path) -> None:
    first = blocks[0].header.number
    if first != chain.final_number + 1:
        raise FileError(
            f"{path}: goes on with block {first}, the last final block here is {chain.final_number}: import those "
            "between first"
        )
    try:
        chain.import_final(blocks, justification)
    except (InvalidBlock, CertificateError, ChainError) as error:
        last = blocks[-1].header.number
        raise FileError(f"{path}: blocks {first} to {last} are not final on this chain: {error}") from None
