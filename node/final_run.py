"""Final blocks that others send: what must hold before any of them is executed."""

from __future__ import annotations

from collections.abc import Sequence

from pocl.v1.block_pb2 import Block, EpochChange
from pocl.v1.consensus_pb2 import Justification
from runtime.blocks import header_hash
from runtime.certificates import Verify, verify_justification
from runtime.frame import InvalidBlock


def check_run(
    blocks: Sequence[Block],
    justification: Justification,
    change: EpochChange,
    genesis_hash: bytes,
    verify: Verify,
) -> list[bytes]:
    """Return the hashes of blocks of the epoch that `change` opens, of which `justification` makes the last final.

    Raise InvalidBlock unless each follows the one before, within the epoch, and CertificateError when the
    justification is not that epoch's validators' of the last block.
    """
    hashes = _linked(blocks, change.epoch)
    last = blocks[-1].header
    verify_justification(last, justification, change.validators, genesis_hash, verify=verify)
    return hashes


def _linked(blocks: Sequence[Block], epoch: int) -> list[bytes]:
    hashes = [header_hash(block.header) for block in blocks]
    for index, block in enumerate(blocks):
        header = block.header
        if header.epoch != epoch:
            raise InvalidBlock(f"block {header.number} is of epoch {header.epoch}, not {epoch}")
        if index and header.parent_hash != hashes[index - 1]:
            raise InvalidBlock(f"block {header.number} is no child of the block before it")
        if index < len(blocks) - 1 and header.HasField("next_epoch"):
            raise InvalidBlock(
                f"block {header.number} closes epoch {epoch}: what follows needs its own proof"
            )
    return hashes
