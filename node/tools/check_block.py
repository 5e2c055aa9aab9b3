"""Executing a block of the database once more."""

from __future__ import annotations

from node.chain import Chain
from node.errors import ConfigError, PoclError
from node.storage.errors import StatePruned
from runtime.blocks import ExecutedBlock
from runtime.frame.errors import InvalidBlock


class CheckFailed(PoclError):
    """Executing the block gives something else than what is stored."""


def check_block(chain: Chain, number: int) -> ExecutedBlock:
    """Return what executing a final block on its parent's state gives, which is what its header says.

    Raise ConfigError when block or state are not kept, CheckFailed when it gives something else.
    """
    if number == 0:
        raise ConfigError("block 0 is not executed: `pocl chain check` makes it from the chain spec")
    database = chain.database
    block, parent = database.block(number), database.header(number - 1)
    if block is None or parent is None:
        raise ConfigError(f"block {number} is not kept here: the oldest is {database.oldest_body}")
    try:
        state = database.state(number - 1)
        executed = chain.runtime.execute(state, parent, chain.genesis_hash, block)
    except StatePruned as error:
        raise ConfigError(f"block {number} cannot be executed: {error}") from None
    except InvalidBlock as error:
        raise CheckFailed(str(error)) from None
    if database.hash(number) != executed.hash:
        raise CheckFailed(f"block {number}: is stored as 0x{(database.hash(number) or b'').hex()}")
    if database.events(number) != executed.events:
        raise CheckFailed(f"block {number}: the stored events are not those that executing it gives")
    _compare_state(chain, executed)
    return executed


def _compare_state(chain: Chain, executed: ExecutedBlock) -> None:
    state = chain.database.state(executed.header.number)
    for key, value in executed.changes.items():
        if state.get(key) != value:
            raise CheckFailed(
                f"block {executed.header.number}: the stored value of key 0x{key.hex()} is another"
            )
