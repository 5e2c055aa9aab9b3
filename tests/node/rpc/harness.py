"""A node without network and consensus: a real chain of one validator, its pool, blobs and gRPC server.

with running_node(tmp_path) as node:
    node.author()                      # a block of what is ready in the pool, notarized and final
    node.client                        # pocl.client of the server
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import grpc
import pytest

from node import chain_spec
from node.blobs import BlobMeta, BlobStore
from node.chain import Chain, open_chain
from node.config import NodeConfig
from node.consensus.snapshot import AgreementSnapshot
from node.pool import TransactionPool
from node.rpc import ConsensusStatus, RpcContext, RpcServer, start_server
from node.rpc.limits import RpcLimits
from node.status.facts import Facts
from pocl.client import Client, ClientError
from pocl.extrinsics import extrinsic_hash
from pocl.keys import Keypair
from pocl.v1.consensus_pb2 import FINALIZE
from pocl.v1.node_service_pb2 import PeerInfo
from pocl.v1.worker_service_pb2 import BlobVisibility
from runtime.blocks import ExecutedBlock
from runtime.certificates import make_certificate, vote_message
from runtime.transactions import ValidTransaction

T = TypeVar("T")

ALICE, BOB, EVE = (Keypair.from_uri(f"//{name}") for name in ("Alice", "Bob", "Eve"))
TOKEN = "the worker's token"


class Node:
    """See the module's docstring. `lock` stands for the trio thread: who holds it is on that thread."""

    def __init__(self, path: Path, limits: RpcLimits | None = None, **config: Any) -> None:
        self.config = NodeConfig(
            chain=chain_spec.load("dev"),
            base_path=path,
            name="alice",
            role="validator",
            validator_key=ALICE,
            **{"rpc_port": 0, **config},
        )
        self.chain: Chain = open_chain(self.config.chain, path, pruning=self.config.pruning)
        self.pool = TransactionPool(self._validate)
        self.blobs = BlobStore(path / "blobs")
        self.lock = threading.RLock()
        self.remote_blobs: dict[bytes, bytes] = {}
        self.timestamp = self.chain.final.timestamp_ms
        self.closed_for_trio: BaseException | None = None
        self.chain.on_final(self._on_final)
        self.context = RpcContext(
            config=self.config,
            chain=self.chain,
            pool=self.pool,
            blobs=self.blobs,
            in_trio=self.in_trio,
            submit=self.submit,
            fetch_blob=self._fetch_blob,
            may_serve=_is_public,
            peers=lambda: [PeerInfo(peer_id="12D3KooPeer", role="validator", validator=BOB.public)],
            consensus_status=lambda: ConsensusStatus(self.chain.epoch_change.epoch, 7, ALICE.public, [12, 9]),
            status=self.facts,
            syncing=lambda: False,
            peer_id="12D3KooSelf",
            addresses=lambda: ["/ip4/127.0.0.1/tcp/30333/p2p/12D3KooSelf"],
            worker_token=TOKEN,
        )
        try:
            self.server: RpcServer = start_server(self.context, limits)
        except BaseException:
            self.chain.close()
            raise
        self.client = Client(self.server.address, timeout_s=20)

    def close(self) -> None:
        self.client.close()
        self.server.stop(0.2)
        self.chain.close()

    def in_trio(self, function: Callable[[], T], /) -> T:
        if self.closed_for_trio is not None:
            raise self.closed_for_trio
        with self.lock:
            return function()

    def facts(self) -> Facts:
        """Return what a node would know that lacks its three peers: Bob's votes are here, and Alice's own."""
        change = self.chain.epoch_change
        members = tuple(sorted(key.public for key in (ALICE, BOB, EVE)))
        return Facts(
            now_ms=self.timestamp,
            up_s=60,
            account=ALICE.public,
            validators=members,
            quorum=3,
            heartbeat_s=2,
            name=self.config.name,
            chain=self.config.chain.id,
            names={ALICE.public: "alice", BOB.public: "bob"},
            connected=frozenset({ALICE.public, BOB.public}),
            peers=1,
            heights={BOB.public: 1},
            final_number=self.chain.final_number,
            final_hash=self.chain.final_hash,
            final_age_s=42,
            epoch=change.epoch,
            agreement=AgreementSnapshot(
                epoch=change.epoch, view=7, leader=BOB.public, quorum=3, voting=True, abstain_until=0,
                proposed=True, notarized=frozenset({BOB.public}), nullified=frozenset({ALICE.public}),
                final_view=5, finalizing_view=6, finalized=frozenset({ALICE.public}), missing_block=False,
            ),
            round=1,
            phase="TRAIN",
            awaited=(EVE.public,),
            deadline_ms=self.timestamp + 5000,
            clocks={BOB.public: -250},
            worker="failed",
            worker_error="no memory",
        )  # fmt: skip

    def submit(self, data: bytes) -> bytes:
        self.pool.submit(data)
        return extrinsic_hash(data)

    def propose(self, gap_ms: int = 1000) -> ExecutedBlock:
        """Make a block of what is ready on the best one; it becomes the best, and is not final."""
        with self.lock:
            self.timestamp += gap_ms
            included = {extrinsic_hash(data) for data in self._pending_extrinsics()}
            block = self.chain.propose(
                self.chain.best_hash,
                epoch=self.chain.epoch_change.epoch,
                view=self.chain.best_header.number + 1,
                timestamp_ms=self.timestamp,
                author=ALICE.public,
                extrinsics=[entry.data for entry in self.pool.ready(included)],
            )
            self.chain.set_best(block.hash)
            return block

    def finalize(self, block: ExecutedBlock) -> None:
        """Make a block final, by the certificate of the one validator."""
        with self.lock:
            header = block.header
            message = vote_message(self.chain.genesis_hash, header.epoch, header.view, FINALIZE, block.hash)
            votes = {0: ALICE.sign(message)}
            self.chain.finalize(
                block.hash, make_certificate(header.epoch, header.view, FINALIZE, block.hash, votes, 1)
            )

    def author(self, count: int = 1) -> ExecutedBlock:
        """Make blocks, each final at once; return the last one."""
        for _ in range(count):
            block = self.propose()
            self.finalize(block)
        return block

    def _pending_extrinsics(self) -> Iterator[bytes]:
        block = self.chain.executed(self.chain.best_hash)
        while block is not None:
            yield from block.block.extrinsics
            block = self.chain.executed(block.header.parent_hash)

    def _validate(self, data: bytes) -> ValidTransaction:
        chain = self.chain
        return chain.runtime.validate_transaction(
            chain.final_state(), chain.final, chain.genesis_hash, data, verified=self.pool.verified
        )

    def _on_final(self, blocks: list[ExecutedBlock]) -> None:
        self.pool.on_final(blocks)

    def _fetch_blob(
        self, name: bytes, *, max_bytes: int, timeout_s: float, holder: bytes | None
    ) -> bytes | None:
        return self.remote_blobs.get(name)


@contextmanager
def running_node(path: Path, limits: RpcLimits | None = None, **config: Any) -> Iterator[Node]:
    node = Node(path, limits, **config)
    try:
        yield node
    finally:
        node.close()


class FakeCall(grpc.ServicerContext):  # type: ignore[misc]
    """A call's context for a service that is used without a server: a client that stays, on this machine."""

    def __init__(self, peer: str = "ipv4:127.0.0.1:1", **metadata: str) -> None:
        self._peer = peer
        self._metadata = tuple(metadata.items())

    def peer(self) -> str:
        return self._peer

    def invocation_metadata(self) -> Any:
        return self._metadata

    def is_active(self) -> bool:
        return True

    def add_callback(self, callback: Callable[[], None]) -> bool:
        return True

    def time_remaining(self) -> float | None:
        return None

    def _unused(self, *arguments: Any, **options: Any) -> Any:
        raise AssertionError("not used by the services")

    abort = abort_with_status = auth_context = cancel = peer_identities = peer_identity_key = _unused
    send_initial_metadata = set_code = set_details = set_trailing_metadata = _unused


@contextmanager
def refused(code: str) -> Iterator[list[str]]:
    """Expect a ClientError of that code; the list gets its message."""
    message: list[str] = []
    with pytest.raises(ClientError) as caught:
        yield message
    assert caught.value.code == code, caught.value
    message.append(str(caught.value))


def small(**changes: Any) -> RpcLimits:
    """Return limits with some changed."""
    return dataclasses.replace(RpcLimits(), **changes)


def _is_public(meta: BlobMeta) -> bool:
    return meta.visibility == BlobVisibility.PUBLIC
