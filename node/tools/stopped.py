"""Opening the data of a node that is stopped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from node import layout
from node.chain import Chain, open_chain
from node.chain_spec import ChainSpec
from node.errors import ConfigError, NodeStartError


@contextmanager
def stopped_chain(spec: ChainSpec, base_path: Path, *, create: bool = False) -> Iterator[Chain]:
    """Give the chain below a base path, which must have a database unless `create`, and close it.

    Raise NodeStartError when a node uses it, or it is damaged or another chain's.
    """
    folder = layout.database_folder(base_path)
    if not create and not folder.is_dir():
        raise NodeStartError(f"{folder}: there is no database: give the node's --base-path and --chain")
    chain = open_chain(spec, base_path)
    try:
        yield chain
    finally:
        chain.close()


def find_block(chain: Chain, block: int | bytes | None) -> int:
    """Return the number of a final block that is named by number or hash; None is the last one.

    Raise ConfigError when there is no such.
    """
    if block is None:
        return chain.final_number
    if isinstance(block, bytes):
        number = chain.database.number(block)
        if number is None:
            raise ConfigError(f"no final block 0x{block.hex()} here, or it is pruned")
        return number
    if block > chain.final_number:
        raise ConfigError(f"block {block} is not final here: the last final block is {chain.final_number}")
    return block
