"""What a worker finds out about itself before it begins."""

import threading
from collections.abc import Iterator

import pytest

from node.worker import connection as connecting
from node.worker.connection import Connection, Miner, ask_who_i_am
from pallets.validators import Validators
from pocl.v1.validators_pb2 import ValidatorSet
from tests.node.worker.fake_node import ACCOUNT, MINERS, TOKEN, FakeNode
from tests.node.worker.tasks import DIGITS


@pytest.fixture
def node() -> Iterator[FakeNode]:
    node = FakeNode(DIGITS)
    yield node
    node.stop()


def test_it_waits_for_a_place_in_the_set(node: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "SET_RETRY_S", 0.01)
    others = [account for account in MINERS if account != ACCOUNT]
    key = Validators.Set.prefix
    node.storage[key] = ValidatorSet(validators=others).SerializeToString()
    connection = Connection(node.address, TOKEN)
    asked, found = threading.Event(), []
    ask = connecting._ask

    def counted(of: Connection) -> Miner | None:
        miner = ask(of)
        asked.set()
        return miner

    monkeypatch.setattr(connecting, "_ask", counted)
    waiting = threading.Thread(target=lambda: found.append(ask_who_i_am(connection)))
    waiting.start()
    assert asked.wait(20)
    assert found == []
    node.storage[key] = ValidatorSet(validators=MINERS).SerializeToString()
    waiting.join(20)
    connection.close()
    (miner,) = found
    assert (miner.account, miner.index, miner.miners) == (ACCOUNT, MINERS.index(ACCOUNT), len(MINERS))
