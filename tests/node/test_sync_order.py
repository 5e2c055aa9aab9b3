"""Whom a node that lags asks for blocks first."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import trio

from node.network import RequestFailed
from node.sync import Synchronizer
from pocl.v1.network_pb2 import SyncRequest, SyncResponse

VALIDATORS = [bytes([number]) * 32 for number in range(4)]


class Around:
    """A chain at block 0 and a network whose peers have nothing, or do not answer."""

    def __init__(self, *peers: Any, silent: str = "") -> None:
        self.final_number = 0
        self.epoch_change = SimpleNamespace(validators=VALIDATORS)
        self.asked: list[str] = []
        self.charged: list[str] = []
        self._peers = peers
        self._silent = silent
        self.sync = Synchronizer(self, margin=0, imported=lambda: None)  # type: ignore[arg-type]
        self.sync.attach(self)  # type: ignore[arg-type]

    def peers(self) -> list[Any]:
        return list(self._peers)

    def penalize(self, peer_id: str, points: int, reason: str) -> None:
        self.charged.append(peer_id)

    async def request_sync(self, peer_id: str, request: SyncRequest) -> SyncResponse:
        # Pages further ahead are asked of others meanwhile.
        if request.from_number == 1:
            self.asked.append(peer_id)
        if peer_id == self._silent:
            await trio.sleep(20)
            raise RequestFailed("no answer")
        return SyncResponse()


def peer(peer_id: str, final_number: int, validator: bytes | None = None) -> Any:
    return SimpleNamespace(peer_id=peer_id, name="", final_number=final_number, validator=validator)


async def test_strangers_with_great_claims_do_not_go_before_validators(autojump_clock: Any) -> None:
    around = Around(
        peer("full", 10**9),
        peer("nobody's validator", 10**9, b"x" * 32),
        peer("validator", 5, VALIDATORS[1]),
        silent="full",
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(around.sync.run)
        await trio.sleep(2)
        assert around.asked[0] == "validator"
        nursery.cancel_scope.cancel()
