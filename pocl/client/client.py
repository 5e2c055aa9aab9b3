"""The client itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Any

from pocl.client.connection import Connection
from pocl.client.errors import ClientError
from pocl.client.metadata import Event, Schema, account
from pocl.extrinsics import sign_call
from pocl.hashing import blob_name
from pocl.keys import Keypair
from pocl.v1 import (
    blobs_service_pb2,
    chain_service_pb2,
    node_service_pb2,
    rounds_service_pb2,
    state_service_pb2,
    transactions_service_pb2,
)
from pocl.v1.block_pb2 import Header
from pocl.v1.consensus_pb2 import Justification
from pocl.v1.extrinsic_pb2 import Call
from pocl.v1.proof_pb2 import StateProof, StateRange
from pocl.v1.round_pb2 import RoundSummary
from pocl.v1.transactions_service_pb2 import TransactionStatus


@dataclass(frozen=True)
class Proof:
    """A storage entry with its proof (check it with runtime.proof.verify_state_proof)."""

    value: Any
    """Decoded; None for an entry that is absent and has no default."""
    proof: StateProof
    number: int
    block_hash: bytes
    state_root: bytes


@dataclass(frozen=True)
class RangeProof:
    """State entries in the order of their paths (check them with runtime.range_proof.verify_range)."""

    range: StateRange
    number: int
    block_hash: bytes
    state_root: bytes


class Client:
    """One node's services. Every method raises ClientError; unary calls end after `timeout_s` at the latest.

    Streams go on until they are closed, or for the `timeout_s` they are given. A client may be used by
    several threads.
    """

    def __init__(self, address: str = "127.0.0.1:9944", *, timeout_s: float = 10.0) -> None:
        self._connection = Connection(address, timeout_s)

    @classmethod
    def connect(cls, address: str = "127.0.0.1:9944", *, timeout_s: float = 10.0) -> Client:
        """Return a client of the node at HOST:PORT. Raise ClientError when no node answers there."""
        client = cls(address, timeout_s=timeout_s)
        try:
            client.info()
        except ClientError:
            client.close()
            raise
        return client

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # The chain.

    def info(self) -> chain_service_pb2.ChainInfo:
        """Return chain, versions, and the heights and hashes of the last final and the best block."""
        return self._connection.call(self._connection.chain.GetInfo, chain_service_pb2.GetChainInfoRequest())

    @cached_property
    def schema(self) -> Schema:
        """The chain's metadata, fetched once."""
        request = state_service_pb2.GetMetadataRequest()
        return Schema(self._connection.call(self._connection.state.GetMetadata, request))

    def block(self, id: int | bytes | None = None) -> chain_service_pb2.BlockView:
        """Return a final block by number, any known block by hash, or the last final block."""
        return self._connection.call(self._connection.chain.GetBlock, _block_request(id))

    def blocks(
        self, from_number: int = 0, *, timeout_s: float | None = None
    ) -> Iterator[chain_service_pb2.BlockView]:
        """Yield every final block in order from `from_number` on; 0 means from the next one on."""
        request = chain_service_pb2.SubscribeFinalRequest(from_number=from_number)
        return self._connection.stream(self._connection.chain.SubscribeFinal, request, timeout_s)

    def headers(self, from_number: int = 0) -> Iterator[Header]:
        """Yield the final headers from `from_number` to the last one there is now."""
        while True:
            request = chain_service_pb2.ListHeadersRequest(from_number=from_number)
            page = self._connection.call(self._connection.chain.ListHeaders, request)
            yield from page.headers
            if not page.next_number:
                return
            from_number = page.next_number

    def justification(self, id: int | bytes | None = None) -> Justification:
        """Return why a block is final: a certificate of the block or a descendant."""
        return self._connection.call(self._connection.chain.GetJustification, _block_request(id))

    def events(self, block: chain_service_pb2.BlockView) -> list[Event]:
        """Return the decoded events of a block."""
        return [self.schema.event(record) for record in block.events]

    # State.

    def account(self, who: str | bytes, number: int | None = None) -> state_service_pb2.AccountView:
        """Return an account's balances (16 bytes each, see pocl.extrinsics.u128_int) and next nonces."""
        request = state_service_pb2.GetAccountRequest(account=account(who), number=number)
        return self._connection.call(self._connection.state.GetAccount, request)

    def storage(self, pallet: str, item: str, *keys: Any, number: int | None = None) -> Any:
        """Return the decoded value of a storage entry, its default when it is absent, or None."""
        key = self._whole_key(pallet, item, keys)
        answer = self._connection.call(
            self._connection.state.GetStorage, state_service_pb2.GetStorageRequest(key=key, number=number)
        )
        return self.schema.value(pallet, item, answer.value if answer.exists else None)

    def entries(
        self, pallet: str, item: str, *keys: Any, number: int | None = None
    ) -> Iterator[tuple[tuple[Any, ...], Any]]:
        """Yield (key parts, value) of a map's entries, in the order of their keys; `keys` are leading parts.

        All pages are of one block: `number`, or the last final block when the first page was made.
        """
        prefix, after = self.schema.key(pallet, item, *keys), b""
        while True:
            request = state_service_pb2.ListStorageRequest(prefix=prefix, after=after, number=number)
            page = self._connection.call(self._connection.state.ListStorage, request)
            for entry in page.entries:
                yield (
                    self.schema.key_parts(pallet, item, entry.key),
                    self.schema.value(pallet, item, entry.value),
                )
            if not page.next:
                return
            after, number = page.next, page.number

    def proof(self, pallet: str, item: str, *keys: Any, number: int | None = None) -> Proof:
        """Return a storage entry with the proof of its value, or of its absence, against a state root."""
        key = self._whole_key(pallet, item, keys)
        answer = self._connection.call(
            self._connection.state.GetProof, state_service_pb2.GetStorageRequest(key=key, number=number)
        )
        value = self.schema.value(pallet, item, answer.proof.value if answer.proof.exists else None)
        return Proof(value, answer.proof, answer.number, answer.block_hash, answer.state_root)

    def state_range(self, start: bytes = b"", *, max_bytes: int = 0, number: int | None = None) -> RangeProof:
        """Return the entries from a path on, with the proof that none is missing up to the last of them.

        A key's path is its BLAKE2b-256; `start` is empty for the lowest. The range ends with the entry that
        reaches `max_bytes` of keys and values (0: what the node gives at most), or with the thousandth; ask on
        behind its path until the range is the last. Give `number` then, for the state moves on.
        """
        request = state_service_pb2.GetRangeRequest(start=start, max_bytes=max_bytes, number=number)
        answer = self._connection.call(self._connection.state.GetRange, request)
        return RangeProof(answer.range, answer.number, answer.block_hash, answer.state_root)

    # Rounds.

    def round(self, number: int | None = None) -> rounds_service_pb2.RoundView:
        """Return a round, or the current one."""
        if number is None:
            return self._connection.call(
                self._connection.rounds.GetCurrent, rounds_service_pb2.GetCurrentRoundRequest()
            )
        request = rounds_service_pb2.GetRoundRequest(round=number)
        return self._connection.call(self._connection.rounds.GetRound, request)

    def rounds(self, from_round: int = 1) -> Iterator[RoundSummary]:
        """Yield the summaries of the ended rounds, oldest first."""
        while True:
            request = rounds_service_pb2.ListSummariesRequest(from_round=from_round)
            page = self._connection.call(self._connection.rounds.ListSummaries, request)
            yield from page.summaries
            if not page.next_round:
                return
            from_round = page.next_round

    def follow_rounds(self, *, timeout_s: float | None = None) -> Iterator[rounds_service_pb2.RoundView]:
        """Yield the current round whenever a final block changed it; who reads slowly gets the newest view."""
        request = rounds_service_pb2.SubscribeRoundsRequest()
        return self._connection.stream(self._connection.rounds.Subscribe, request, timeout_s)

    # Transactions.

    def call(self, pallet: str, function: str, **args: Any) -> Call:
        """Return a call by its names: client.call("coin", "transfer", dest=address, amount=10**12)."""
        return self.schema.call(pallet, function, args)

    def sign(
        self, keypair: Keypair, call: Call, *, nonce: int | None = None, tip: int = 0, valid_until: int = 0
    ) -> bytes:
        """Return a signed extrinsic of the normal class; without a nonce, the account's next one is taken."""
        info = self._chain_identity
        if nonce is None:
            nonce = self.account(keypair.public).pool_nonce
        return sign_call(
            keypair,
            call,
            genesis_hash=info.genesis_hash,
            spec_version=info.spec_version,
            transaction_version=info.transaction_version,
            nonce=nonce,
            tip=tip,
            valid_until=valid_until,
        )

    def submit(self, extrinsic: bytes) -> bytes:
        """Submit an extrinsic and return its hash."""
        request = transactions_service_pb2.SubmitRequest(extrinsic=extrinsic)
        return self._connection.call(self._connection.transactions.Submit, request).hash

    def submit_batch(self, extrinsics: Sequence[bytes]) -> list[transactions_service_pb2.SubmitResult]:
        """Submit up to 1000 extrinsics; each result has its own hash, error (empty = accepted) and code.

        A code of 8 (RESOURCE_EXHAUSTED) says that the pool is full: submit that one again after a block.
        """
        request = transactions_service_pb2.SubmitBatchRequest(extrinsics=extrinsics)
        return list(self._connection.call(self._connection.transactions.SubmitBatch, request).results)

    def submit_and_watch(
        self, extrinsic: bytes, *, timeout_s: float | None = None
    ) -> Iterator[TransactionStatus]:
        """Submit an extrinsic and yield its statuses: included, finalized and, for a transfer, settled."""
        request = transactions_service_pb2.SubmitRequest(extrinsic=extrinsic)
        return self._connection.stream(self._connection.transactions.SubmitAndWatch, request, timeout_s)

    def watch(self, hash: bytes, *, timeout_s: float | None = None) -> Iterator[TransactionStatus]:
        """Yield the statuses of a transaction that was submitted before."""
        request = transactions_service_pb2.WatchRequest(hash=hash)
        return self._connection.stream(self._connection.transactions.Watch, request, timeout_s)

    def dry_run(self, extrinsic: bytes) -> transactions_service_pb2.DryRunResponse:
        """Return what an extrinsic would do in the next block, without submitting it."""
        request = transactions_service_pb2.SubmitRequest(extrinsic=extrinsic)
        return self._connection.call(self._connection.transactions.DryRun, request)

    def transfer(
        self,
        keypair: Keypair,
        dest: str | bytes,
        amount: int,
        *,
        tip: int = 0,
        nonce: int | None = None,
        timeout_s: float | None = None,
    ) -> Iterator[TransactionStatus]:
        """Send `amount` of the smallest unit, and yield the transfer's statuses until it has settled."""
        call = self.call("coin", "transfer", dest=account(dest), amount=amount)
        return self.submit_and_watch(self.sign(keypair, call, tip=tip, nonce=nonce), timeout_s=timeout_s)

    # Blobs and the node.

    def blob(self, name: bytes) -> bytes:
        """Return weights or records by name, checked against it."""
        request = blobs_service_pb2.GetBlobRequest(hash=name)
        timeout = max(60.0, self._connection.timeout_s)
        chunks = self._connection.stream(self._connection.blobs.Get, request, timeout)
        data = b"".join(chunk.data for chunk in chunks)
        if blob_name(data) != name:
            raise ClientError("DATA_LOSS", f"what the node sent is not the blob 0x{name.hex()}")
        return data

    def node_info(self) -> node_service_pb2.NodeInfo:
        """Return what the node says of itself."""
        return self._connection.call(self._connection.node.GetInfo, node_service_pb2.GetNodeInfoRequest())

    def status(self) -> node_service_pb2.NodeStatus:
        """Return why the chain moves or does not, as this node sees it."""
        return self._connection.call(self._connection.node.GetStatus, node_service_pb2.GetStatusRequest())

    def peers(self) -> list[node_service_pb2.PeerInfo]:
        """Return the peers the node is connected to."""
        request = node_service_pb2.ListPeersRequest()
        return list(self._connection.call(self._connection.node.ListPeers, request).peers)

    @cached_property
    def _chain_identity(self) -> chain_service_pb2.ChainInfo:
        """What signatures cover: it changes with a runtime upgrade only."""
        return self.info()

    def _whole_key(self, pallet: str, item: str, keys: tuple[Any, ...]) -> bytes:
        parts = self.schema.item(pallet, item).keys
        if len(keys) != len(parts):
            names = ", ".join(parts) or "none"
            raise ClientError(
                "INVALID_ARGUMENT", f"{pallet}.{item} has {len(parts)} key parts ({names}), not {len(keys)}"
            )
        return self.schema.key(pallet, item, *keys)


def _block_request(id: int | bytes | None) -> chain_service_pb2.GetBlockRequest:
    if id is None:
        return chain_service_pb2.GetBlockRequest()
    if isinstance(id, int):
        return chain_service_pb2.GetBlockRequest(number=id)
    return chain_service_pb2.GetBlockRequest(hash=id)
