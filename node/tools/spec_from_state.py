"""A chain spec whose genesis is the state that another chain has come to.

Every entry is taken as it is, so the new genesis has the old block's state root: balances, nonces, bonds, the queue of
transfers, the summaries of past rounds, the global model's hash, and the rules. Nothing is reset, because the state
is one between two rounds, in which nothing waits for a message that was signed for the old chain. What is another:
- the genesis hash, so nothing that was signed for the old chain counts on the new one: no transaction, no vote, no
  evidence;
- blocks count from 0 again; the runtime uses heights for nothing but the order of requests to join or leave the
  validator set: those that were made on the old chain come after those that are made on the new one;
- epochs and rounds count on: the first one is the one that the old chain would have opened next, with its set and
  leaders. The clock goes on from the old block's timestamp.
"""

from __future__ import annotations

import dataclasses

from node.chain_spec import ChainSpec, parse
from node.errors import ChainSpecError
from node.genesis import describe
from node.tools.state_file import ExportedState
from pallets.assembly import RUNTIME
from runtime.frame import GenesisError
from runtime.state import MemoryState


def spec_from_state(
    base: ChainSpec, state: ExportedState, source: str, name: str | None = None, id_: str | None = None
) -> ChainSpec:
    """Return the spec; type, properties and timers are the base's, bootnodes are those of another chain and go.

    Raise ChainSpecError when the state is within a round, is not sound, or does not fit the base.
    """
    try:
        genesis, learning = describe(state.entries)
        RUNTIME.try_state(MemoryState(state.entries))
    except (GenesisError, AssertionError) as error:
        raise ChainSpecError(
            f"{source}: no chain can begin with the state of block {state.number}: {error}"
        ) from None
    spec = dataclasses.replace(
        base,
        name=name or f"{base.name} from {state.number}",
        id=id_ or f"{base.id}-{state.number}",
        bootnodes=(),
        genesis=genesis,
        learning=learning,
        raw_genesis=state.entries,
    )
    return parse(spec.to_dict(), source)
