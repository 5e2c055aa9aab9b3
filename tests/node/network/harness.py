"""Real networks on loopback in one trio process; shared by the network's tests."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from node.blobs import BlobMeta, BlobStore
from node.network import Handlers, Network, NetworkSettings, Peer
from node.network.frames import encode_frame
from node.network.session import CONSENSUS, Subject
from pocl.keys import Keypair
from pocl.v1.block_pb2 import Block, Header
from pocl.v1.consensus_pb2 import ConsensusMessage, Vote, VoteKind
from pocl.v1.network_pb2 import BlockAnnounce, SyncRequest, SyncResponse
from runtime.codec import encode

GENESIS = bytes(range(32))


@dataclass
class Node:
    """A network, and what its handlers heard."""

    network: Network
    blobs: BlobStore
    consensus: list[tuple[Peer, ConsensusMessage]] = field(default_factory=list)
    transactions: list[bytes] = field(default_factory=list)
    announces: list[BlockAnnounce] = field(default_factory=list)
    joined: list[Peer] = field(default_factory=list)
    left: list[Peer] = field(default_factory=list)
    withheld: set[bytes] = field(default_factory=set)

    @property
    def peer_ids(self) -> set[str]:
        return {peer.peer_id for peer in self.network.peers()}

    def peer(self, other: Node) -> Peer:
        """Return this node's view of another one."""
        return next(peer for peer in self.network.peers() if peer.peer_id == other.network.peer_id)

    def misbehave(self, other: Node, raw: bytes, subject: Subject = CONSENSUS) -> None:
        """Send bytes to a peer that no honest node sends, on a stream that was opened honestly."""
        self.network._admitted[other.network.peer_id].send(subject, raw)

    def votes(self) -> list[int]:
        """Return the views of the votes heard, in the order they came."""
        return [message.vote.view for _, message in self.consensus]


class LyingBlobStore(BlobStore):
    """Gives every chunk away with one bit changed."""

    def read_chunk(self, name: bytes, offset: int, max_bytes: int) -> bytes | None:
        data = super().read_chunk(name, offset, max_bytes)
        return data if data is None else data[:-1] + bytes([data[-1] ^ 1])


def make_node(path: Path, seed: int, store: type[BlobStore] = BlobStore, **settings: Any) -> Node:
    """Return a node of a network on loopback; `seed` decides its peer id."""
    blobs = store(path / f"blobs-{seed}")
    made: list[Node] = []

    def serve_sync(request: SyncRequest) -> SyncResponse:
        blocks = [block(number) for number in range(request.from_number, request.from_number + 3)]
        return SyncResponse(blocks=blocks, final_number=1000 + seed)

    def may_serve(meta: BlobMeta) -> bool:
        return meta.name not in made[0].withheld

    def on_announce(peer: Peer, announce: BlockAnnounce) -> bool:
        made[0].announces.append(announce)
        return True

    handlers = Handlers(
        on_consensus=lambda peer, message: made[0].consensus.append((peer, message)),
        on_transactions=lambda peer, batch: made[0].transactions.extend(batch),
        on_announce=on_announce,
        serve_sync=serve_sync,
        final_number=lambda: 100 + seed,
        epoch=lambda: seed,
        may_serve=may_serve,
        on_peer=lambda peer: made[0].joined.append(peer),
        off_peer=lambda peer: made[0].left.append(peer),
    )
    chosen = {"genesis_hash": GENESIS, "name": f"node-{seed}", "host": "127.0.0.1", "port": 0} | settings
    network = Network(NetworkSettings(node_key_seed=bytes([seed]) * 32, **chosen), handlers, blobs)
    made.append(Node(network, blobs))
    return made[0]


@contextlib.asynccontextmanager
async def running(*nodes: Node) -> AsyncIterator[None]:
    """Run nodes, started in their order, until the block is left."""
    async with trio.open_nursery() as nursery:
        for node in nodes:
            await nursery.start(node.network.run)
        yield
        nursery.cancel_scope.cancel()


async def until(condition: Callable[[], bool], what: str, timeout_s: float = 20.0) -> None:
    """Wait for a condition; fail with its name."""
    with trio.move_on_after(timeout_s):
        while not condition():
            await trio.sleep(0.01)
        return
    raise AssertionError(f"not within {timeout_s} s: {what}")


async def connect(*nodes: Node) -> None:
    """Wait until every node has every other one as its peer."""
    ids = {node.network.peer_id for node in nodes}
    for node in nodes:
        others = ids - {node.network.peer_id}
        await until(lambda node=node, others=others: others <= node.peer_ids, "all nodes connected")  # type: ignore[misc]


def validator(uri: str) -> dict[str, Keypair]:
    """Return the settings of a validator with a development key."""
    return {"validator_key": Keypair.from_uri(uri)}


def vote(view: int) -> bytes:
    """Return the bytes of a well-formed vote that the network does not look into."""
    message = Vote(epoch=1, view=view, kind=VoteKind.NULLIFY, signature=bytes(64))
    return encode(ConsensusMessage(vote=message))


def block(number: int) -> Block:
    return Block(header=Header(number=number, parent_hash=bytes(32)), extrinsics=[b"x" * number])


def announce(number: int) -> bytes:
    return encode(BlockAnnounce(block=block(number)))


OVERSIZED = (2**31).to_bytes(4, "big")
GARBAGE = encode_frame(b"\xff" * 40)
