"""What this node gives to those who start from a checkpoint (/state/1; node/checkpoint.py is the other side).

Of any final block whose header is here: headers, back to the one that opened the block's epoch, and why the block
is final. Of a block whose state is kept: the state's entries in the order of their paths, with the proof that
none is missing. A part costs what it holds, however large and old the state is: the tree names its leaves' keys.
"""

from __future__ import annotations

from node.chain import Chain
from node.storage.errors import StatePruned
from pocl.hashing import HASH_SIZE
from pocl.v1.network_pb2 import StateRequest, StateResponse
from runtime.tree import MissingNode, prove_range

PART_BYTES = 2**20
"""Keys and values of a part; it ends with the entry that reaches this."""

MAX_HEADERS = 1024


def state_page(chain: Chain, request: StateRequest) -> StateResponse:
    """Return the headers, or the entries, that a request asks for; `found` is false where there are none."""
    number = chain.database.number(request.block_hash)
    if number is None or len(request.start) not in (0, HASH_SIZE):
        return StateResponse()
    if not request.start:
        return _headers(chain, number)
    most = min(request.max_bytes or PART_BYTES, PART_BYTES)
    try:
        state = chain.final_state(number)
        part = prove_range(state, number, request.start, state.get, most)
    except (StatePruned, MissingNode):
        return StateResponse()
    return StateResponse(found=True, entries=part)


def _headers(chain: Chain, number: int) -> StateResponse:
    headers = []
    for at in range(number, max(number - MAX_HEADERS, -1), -1):
        header = chain.database.header(at)
        if header is None:
            break
        headers.append(header)
        if at < number and header.HasField("next_epoch"):
            break
    return StateResponse(
        found=bool(headers), headers=reversed(headers), justification=chain.justification(number)
    )
