"""Pages of final blocks: how they are made, what they are made of, and what is wrong with the form of one.

A page is consecutive final blocks, with the justification of its last block and that of every closing block before
it: whom to believe after a closing block is known only once that block is proven final. It is bounded in blocks and
in bytes, but has one block at least. It ends at its last block with a certificate of its own; where none has one, the
justification of the last block has the headers that lead to the next certificate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from node.chain import Chain
from pocl.v1.block_pb2 import Block
from pocl.v1.consensus_pb2 import Justification
from pocl.v1.network_pb2 import SyncRequest, SyncResponse

PAGE_BLOCKS = 256
PAGE_BYTES = 4 * 2**20
"""But the first block, which may have 5 MiB, and the justification of the last one are given whatever they take."""

Run = tuple[list[Block], Justification]
"""Blocks of one epoch, and why the last of them is final."""


def page(chain: Chain, request: SyncRequest) -> SyncResponse:
    """Return the page of final blocks that a request asks for; without blocks only when there are none."""
    final = chain.final_number
    answer = SyncResponse(final_number=final)
    most_blocks = min(request.max_blocks or PAGE_BLOCKS, PAGE_BLOCKS)
    most_bytes = min(request.max_bytes or PAGE_BYTES, PAGE_BYTES)
    closing: list[tuple[int, Justification]] = []
    size, whole = 0, 0
    certified = start = max(request.from_number, 1)
    for number in range(start, final + 1):
        block = chain.final_block(number)
        # Blocks below `certified` have no certificate of their own, and what shows them final is long to make.
        justification = chain.justification(number) if number >= certified else None
        if block is None or (justification is None and number >= certified):
            break
        closes = block.header.HasField("next_epoch")
        size += block.ByteSize() + (justification.ByteSize() if closes and justification is not None else 0)
        if answer.blocks and (size > most_bytes or len(answer.blocks) >= most_blocks):
            break
        answer.blocks.append(block)
        if justification is None:
            continue
        certified = number + len(justification.descendants)
        if number == certified:
            whole = len(answer.blocks)
            answer.justification.CopyFrom(justification)
        if closes:
            closing.append((len(answer.blocks), justification))
    if answer.blocks and not whole:
        justification = chain.justification(start + len(answer.blocks) - 1)
        if justification is not None:
            whole = len(answer.blocks)
            answer.justification.CopyFrom(justification)
    # After the blocks were looked for: one that pruning takes meanwhile must not look like a broken promise.
    answer.oldest_number = chain.database.oldest_body
    del answer.blocks[whole:]
    answer.closing.extend(justification for place, justification in closing if place < whole)
    return answer


def runs_of(answer: SyncResponse) -> Iterator[Run]:
    """Yield a page's blocks epoch by epoch, each with its justification."""
    closing = iter(answer.closing)
    run: list[Block] = []
    for block in answer.blocks[:-1]:
        run.append(block)
        if block.header.HasField("next_epoch"):
            yield run, next(closing)
            run = []
    yield [*run, answer.blocks[-1]], answer.justification


def page_fault(answer: SyncResponse, start: int) -> str | None:
    """Return what is wrong with the form of a page from block `start` on."""
    blocks: Sequence[Block] = answer.blocks
    for number, block in enumerate(blocks, start):
        if block.header.number != number:
            return f"block {block.header.number} in the place of block {number}"
    closing = sum(block.header.HasField("next_epoch") for block in blocks[:-1])
    if closing != len(answer.closing):
        return f"{len(answer.closing)} justifications of {closing} closing blocks"
    return None
