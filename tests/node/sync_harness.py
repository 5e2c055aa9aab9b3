"""Nodes that catch up: long chains, and a network whose peers answer from a chain, or as the test wants them to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

import trio

from node.blobs import BlobStore
from node.chain import Chain
from node.network import Handlers, Network, NetworkSettings, RequestFailed
from node.state_pages import state_page
from node.sync_pages import page
from pallets.system import System
from pocl.v1.network_pb2 import StateRequest, StateResponse, SyncRequest, SyncResponse
from runtime.codec import decode, encode
from tests.node.chain_harness import act, certificate, close, propose
from tests.pallets.harness import EVE

Spoil = Callable[[Any, Any], Any | Awaitable[Any]]
"""Makes of a request and its honest answer what a peer gives; None is no answer."""


def grow(chain: Chain, count: int, *, epoch: int = 10, each: int = 1) -> None:
    """Append final blocks of `each` remarks; every `epoch`-th closes its epoch, every third waits for the next
    one's certificate."""
    system = cast(System, chain.pallets(chain.final_state())["system"])
    nonce = system.account(EVE.public).nonce
    parent, last = chain.final_hash, chain.final_number + count
    for number in range(chain.final_number + 1, last + 1):
        closes = number % epoch == 0
        extrinsics = [act(nonce + index, b"remark %d" % number) for index in range(each)]
        if closes:
            extrinsics = [close(nonce)]
        nonce += len(extrinsics)
        block = propose(chain, parent, *extrinsics)
        parent = block.hash
        if closes or number == last or number % 3:
            chain.finalize(block.hash, certificate(block))


@dataclass(eq=False)
class Remote:
    """A peer as others see it, with the chain that it answers from."""

    peer_id: str
    chain: Chain
    validator: bytes | None = None
    spoil: Spoil = lambda request, answer: answer
    claims: int = 0
    """The height that it told, when it is not its chain's."""
    delay_s: float = 0.1
    name: str = ""
    requests: list[Any] = field(default_factory=list)
    final_number: int = 0

    def __post_init__(self) -> None:
        self.final_number = self.claims or self.chain.final_number


class Peers:
    """A network of such peers; what is said goes through the canonical encoding."""

    def __init__(self, *remotes: Remote, silence_s: float = 20.0) -> None:
        """`silence_s` is how long no answer takes to be noticed."""
        self._silence_s = silence_s
        self.remotes = {remote.peer_id: remote for remote in remotes}
        self.charged: dict[str, int] = {}
        self.most_at_once = 0
        self._at_once = 0

    def peers(self) -> Sequence[Remote]:
        return [remote for remote in self.remotes.values() if self.charged.get(remote.peer_id, 0) < 100]

    def penalize(self, peer_id: str, points: int, reason: str) -> None:
        self.charged[peer_id] = self.charged.get(peer_id, 0) + points

    async def request_sync(self, peer_id: str, request: SyncRequest) -> SyncResponse:
        remote = self.remotes[peer_id]
        answer: SyncResponse = await self._ask(remote, request, page)
        remote.final_number = max(remote.final_number, answer.final_number)
        return answer

    async def request_state(self, peer_id: str, request: StateRequest) -> StateResponse:
        answer: StateResponse = await self._ask(self.remotes[peer_id], request, state_page)
        return answer

    async def _ask(self, remote: Remote, request: Any, serve: Callable[[Chain, Any], Any]) -> Any:
        remote.requests.append(request)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await trio.sleep(remote.delay_s)
            answer = remote.spoil(request, serve(remote.chain, request))
            if answer is None:
                await trio.sleep(self._silence_s)
                raise RequestFailed("no answer in time")
            return decode(type(answer), encode(answer))
        finally:
            self._at_once -= 1


def real_network(chain: Chain, folder: Path, seed: int, bootnodes: Sequence[str] = ()) -> Network:
    """Return a libp2p host on loopback that serves a chain; `seed` decides its peer id."""
    settings = NetworkSettings(
        genesis_hash=chain.genesis_hash,
        node_key_seed=bytes([seed]) * 32,
        host="127.0.0.1",
        port=0,
        bootnodes=tuple(bootnodes),
    )
    handlers = Handlers(
        on_consensus=lambda peer, message: None,
        on_transactions=lambda peer, extrinsics: None,
        on_announce=lambda peer, announce: False,
        serve_sync=partial(page, chain),
        serve_state=partial(state_page, chain),
        final_number=lambda: chain.final_number,
        epoch=lambda: chain.epoch_change.epoch,
        may_serve=lambda meta: False,
    )
    return Network(settings, handlers, BlobStore(folder / f"blobs-{seed}"))
