"""What a node shows of that its chain has begun."""

from __future__ import annotations

from pathlib import Path

from node.beginning import Beginning, shows_beginning
from node.chain import Chain
from node.storage.pruning import Pruning
from pocl import keys
from tests.node.chain_harness import GENESIS, open_at
from tests.node.sync_harness import grow


def shown_by(chain: Chain, validators: tuple[bytes, ...]) -> bool:
    return shows_beginning(Beginning(chain).certificate(), validators, GENESIS.hash, keys.verify)


def test_a_chain_shows_its_beginning_from_its_first_final_block_on_and_whatever_it_prunes(
    tmp_path: Path,
) -> None:
    chain = open_at(tmp_path)
    first_set = tuple(chain.epoch_change.validators)
    beginning = Beginning(chain)
    assert beginning.certificate() is None
    grow(chain, 1)
    assert beginning.certificate() is not None
    assert shown_by(chain, first_set)
    grow(chain, 34)
    chain.database.set_pruning(Pruning.both(1))
    while chain.database.prune():
        pass
    assert chain.final_block(1) is None
    assert chain.justification(1) is None
    assert shown_by(chain, first_set)
    assert not shown_by(chain, tuple(reversed(first_set)))
    chain.close()


def test_a_database_that_began_with_a_later_epoch_shows_nothing(tmp_path: Path) -> None:
    chain = open_at(tmp_path)
    grow(chain, 35)
    for number in range(1, 11):  # epoch 1
        chain.database.db.delete(b"j" + number.to_bytes(8, "big"))
    assert Beginning(chain).certificate() is None
    chain.close()
