"""One node, wired together: every service it runs, in the order in which data flows.

    database → chain → pool → blobs → network ⇄ sync, consensus → gRPC → worker

Trio runs in the main thread and owns chain, pool, consensus and network. gRPC has threads of its own. A service
that dies ends the node; a worker that dies is started again (node/worker_process.py).
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import trio

from node.blobs import BlobMeta, BlobStore
from node.chain import Chain, open_chain
from node.checkpoint import start_from_checkpoint
from node.config import NodeConfig
from node.consensus.driver import ConsensusDriver
from node.disk_watch import DiskWatch
from node.errors import NodeStartError, PoclError
from node.layout import blobs_folder, consensus_log_file, partial_database_folder
from node.lifetime import stop_on_signal
from node.network import Handlers, Network, NetworkSettings, Peer, RequestFailed
from node.offence_reporter import OffenceReporter
from node.pool import PoolError, TransactionPool, Underpriced
from node.rpc.context import ConsensusStatus, RpcContext
from node.rpc.reports import WorkerReports
from node.rpc.server import RpcServer, start_server
from node.state_pages import state_page
from node.status.collect import StatusBoard
from node.storage.errors import StorageError
from node.sync import Synchronizer, page
from node.visibility import may_leave
from node.worker_process import WorkerProcess, write_token
from pallets.round import Round
from pocl.extrinsics import extrinsic_hash
from pocl.keys import ss58_encode
from pocl.v1.consensus_pb2 import ConsensusMessage
from pocl.v1.network_pb2 import (
    BlockAnnounce,
    StateRequest,
    StateResponse,
    SyncRequest,
    SyncResponse,
)
from pocl.v1.node_service_pb2 import PeerInfo
from pocl.v1.round_pb2 import RoundState
from runtime.blocks import ExecutedBlock
from runtime.codec import encode
from runtime.frame import InvalidTransaction
from runtime.transactions import ValidTransaction

T = TypeVar("T")

log = logging.getLogger("pocl.node")

VALIDATOR_SYNC_MARGIN = 8
"""A validator in step gets its blocks from consensus: only behind by more than this it fetches them."""

KEEP_BLOBS_ROUNDS = 4
"""Weights and test records of so many rounds are kept; global models for ever."""

GOSSIP_PAUSE_S = 0.01
"""Transactions that arrive within it leave in one batch."""

_SPAM = {"malformed", "bad_signature", "unknown_call"}
"""Not `not_validator`: the set changes, and a peer may be a block ahead."""

_SIGNED = {"call", "stale"}
"""A transaction refused for these was its signer's all the same."""


def run_node(config: NodeConfig) -> None:
    """Run a node until SIGINT or SIGTERM. Raise PoclError with the reason when it cannot start or go on."""
    _configure_logging(config)
    try:
        if config.checkpoint is not None and not start_from_checkpoint(config):
            return
        chain = open_chain(config.chain, config.base_path, keep_blocks=config.keep_blocks)
        # A download that was not finished: of no use to a chain that has begun otherwise.
        shutil.rmtree(partial_database_folder(config.base_path), ignore_errors=True)
        try:
            trio.run(_run, config, chain)
        finally:
            chain.close()
    except BaseExceptionGroup as group:
        raise _first_cause(group) from None


async def _run(config: NodeConfig, chain: Chain) -> None:
    # Made here: the network reads trio's clock from the start.
    await Node(config, chain).run()


class Node:
    """The services of one node."""

    def __init__(self, config: NodeConfig, chain: Chain) -> None:
        self.config = config
        self.chain = chain
        self.pool = TransactionPool(self._validate)
        self.blobs = BlobStore(blobs_folder(config.base_path))
        self.disk = DiskWatch()
        chain.database.on_failure = self.disk.tell
        self.blobs.on_failure = self.disk.tell
        self.reports = WorkerReports()
        self.round = self._read_round()
        self.sync = Synchronizer(
            chain, margin=VALIDATOR_SYNC_MARGIN if config.account else 0, imported=self._on_synced
        )
        self.network = Network(self._network_settings(), self._handlers(), self.blobs)
        self.sync.attach(self.network)
        key = config.validator_key
        self.reporter = OffenceReporter(key, chain, self.pool, self._submit) if key is not None else None
        self.driver = self._make_driver()
        self.status = StatusBoard(config, chain, self.network, self.sync, self.driver, self.reports)
        self._in_set = self._is_in_set()
        if key is not None and not self._in_set:
            log.warning(
                "%s is not in the validator set: this node follows the chain, and takes part once it is "
                "(`pocl tx join`)",
                ss58_encode(key.public),
            )
        self._gossip = trio.Event()

    # Wiring.

    def _network_settings(self) -> NetworkSettings:
        config = self.config
        if config.node_key_seed is None:
            raise NodeStartError("a node needs a network key")
        return NetworkSettings(
            genesis_hash=self.chain.genesis_hash,
            node_key_seed=config.node_key_seed,
            name=config.name,
            host=config.p2p_host,
            port=config.p2p_port,
            bootnodes=config.bootnodes,
            validator_key=config.validator_key,
            max_blob_bytes=max(
                config.chain.genesis.round.max_weights_bytes, config.chain.genesis.round.max_records_bytes
            ),
        )

    def _handlers(self) -> Handlers:
        return Handlers(
            on_consensus=self._on_consensus,
            on_transactions=self._on_transactions,
            on_announce=self._on_announce,
            serve_sync=self._serve_sync,
            serve_state=self._serve_state,
            final_number=lambda: self.chain.final_number,
            epoch=lambda: self.chain.epoch_change.epoch,
            may_serve=self._may_serve,
            on_peer=self._on_peer,
            is_validator=lambda account: account in self.chain.epoch_change.validators,
        )

    def _make_driver(self) -> ConsensusDriver | None:
        key = self.config.validator_key
        if key is None or self.reporter is None:
            return None
        return ConsensusDriver(
            key=key,
            log_file=consensus_log_file(self.config.base_path),
            chain=self.chain,
            pool=self.pool,
            network=self.network,
            spec=self.config.chain.consensus,
            need_sync=self.sync.need,
            report=self.reporter.equivocation,
        )

    # Running.

    async def run(self) -> None:
        """Run every service until a signal comes. An error of any of them ends all."""
        self.chain.on_final(self._on_final)
        self.pool.subscribe(lambda event: self._gossip.set())
        async with trio.open_nursery() as nursery:
            # Before anything slow: a Ctrl-C during the start must stop the node as well.
            await nursery.start(stop_on_signal, nursery.cancel_scope)
            nursery.start_soon(self.disk.run)
            await nursery.start(self.network.run)
            nursery.start_soon(self.sync.run)
            nursery.start_soon(self._propagate)
            nursery.start_soon(self.status.run)
            rpc = self._start_rpc()
            try:
                if self.config.worker:
                    worker = WorkerProcess(self.config, rpc.address, self.reports)
                    nursery.start_soon(worker.run)
                if self.driver is not None:
                    nursery.start_soon(self._agree, self.driver)
                self._write_ready_file(rpc)
                log.info(
                    "node %s is up: gRPC on %s, p2p on %s", self.config.name, rpc.address, self.network.port
                )
                await trio.sleep_forever()
            finally:
                with trio.CancelScope(shield=True):
                    await trio.to_thread.run_sync(rpc.stop)

    async def _agree(self, driver: ConsensusDriver) -> None:
        if self.config.worker and self.config.wait_for_worker_s:
            with trio.move_on_after(self.config.wait_for_worker_s):
                while self.reports.state in ("off", "starting", "failed"):
                    await trio.sleep(0.1)
        await driver.run()

    def _start_rpc(self) -> RpcServer:
        token = trio.lowlevel.current_trio_token()

        def in_trio(function: Callable[[], T], /) -> T:
            return trio.from_thread.run_sync(function, trio_token=token)

        def fetch_blob(
            name: bytes, *, max_bytes: int, timeout_s: float, holder: bytes | None
        ) -> bytes | None:
            return trio.from_thread.run(
                self.network.fetch_blob, name, max_bytes, holder, timeout_s, trio_token=token
            )

        context = RpcContext(
            config=self.config,
            chain=self.chain,
            pool=self.pool,
            blobs=self.blobs,
            in_trio=in_trio,
            submit=self._submit,
            fetch_blob=fetch_blob,
            may_serve=self._may_serve,
            peers=self._peer_infos,
            consensus_status=self._consensus_status,
            status=self.status.facts,
            syncing=lambda: self.sync.syncing,
            peer_id=self.network.peer_id,
            addresses=lambda: self.network.addresses,
            abstains=lambda: self.driver is not None and self.driver.abstains,
            worker_token=write_token(self.config.base_path) if self.config.account else None,
            reports=self.reports,
        )
        return start_server(context)

    async def _propagate(self) -> None:
        """Gossip what became ready in the pool."""
        while True:
            await self._gossip.wait()
            self._gossip = trio.Event()
            await trio.sleep(GOSSIP_PAUSE_S)
            while batch := self.pool.take_unpropagated():
                self.network.broadcast_transactions(batch)

    # What others bring.

    def _validate(self, data: bytes) -> ValidTransaction:
        return self.chain.validation()(data, self.pool.verified)

    def _submit(self, data: bytes) -> bytes:
        self.pool.submit(data)
        return extrinsic_hash(data)

    def _on_peer(self, peer: Peer) -> None:
        self.status.on_peer(peer)
        if self.driver is not None:
            self.driver.on_peer(peer)
        self.pool.propagate_again()
        self._gossip.set()

    def _on_consensus(self, peer: Peer, message: ConsensusMessage) -> None:
        if self.driver is not None:
            self.driver.on_message(peer, message)

    def _on_transactions(self, peer: Peer, extrinsics: list[bytes]) -> None:
        for data in extrinsics:
            try:
                self.pool.submit(data)
            except InvalidTransaction as error:
                # What the peer's state allowed may be stale here; nonsense is nonsense everywhere.
                if error.code in _SPAM:
                    self.network.penalize(peer.peer_id, 10, f"a transaction that is {error.code}")
                if error.code not in _SIGNED:
                    continue
            except PoolError as error:
                if not isinstance(error, Underpriced):
                    continue
            except StorageError:
                return  # The disk watch ends the node.
            if self.reporter is not None:
                self.reporter.look_at(data)

    def _on_announce(self, peer: Peer, announce: BlockAnnounce) -> bool:
        try:
            return self.sync.on_announce(peer, announce)
        except StorageError:
            return False  # The disk watch ends the node.

    def _serve_sync(self, request: SyncRequest) -> SyncResponse:
        try:
            return page(self.chain, request)
        except StorageError as error:
            raise RequestFailed(str(error)) from None  # The disk watch ends the node.

    def _serve_state(self, request: StateRequest) -> StateResponse:
        try:
            return state_page(self.chain, request)
        except StorageError as error:
            raise RequestFailed(str(error)) from None  # The disk watch ends the node.

    def _on_synced(self) -> None:
        if self.driver is not None:
            self.driver.on_synced()

    def _on_final(self, blocks: Sequence[ExecutedBlock]) -> None:
        for executed in blocks:
            self.pool.on_block(executed.block.extrinsics, executed.header.number)
        self.status.on_final(blocks)
        self._report_offences(blocks)
        self._tell_of_the_set()
        before, self.round = self.round, self._read_round()
        if self.round.round > before.round:
            self.blobs.drop_before(max(0, self.round.round - KEEP_BLOBS_ROUNDS))
        # Validators have the block from consensus; others hear of it here.
        if any(peer.validator is None for peer in self.network.peers()):
            for executed in blocks:
                justification = self.chain.justification(executed.header.number)
                if justification is not None:
                    announce = BlockAnnounce(block=executed.block, justification=justification)
                    self.network.announce_block(encode(announce))

    def _report_offences(self, blocks: Sequence[ExecutedBlock]) -> None:
        if self.reporter is not None:
            for executed in blocks:
                for data in executed.block.extrinsics:
                    self.reporter.look_at(data)
            self.reporter.on_final()

    def _is_in_set(self) -> bool:
        return self.config.account in self.chain.epoch_change.validators

    def _tell_of_the_set(self) -> None:
        """Say that this node entered or left the validator set: agreement and worker follow by themselves."""
        if self._in_set != self._is_in_set():
            self._in_set = not self._in_set
            epoch = self.chain.epoch_change.epoch
            if self._in_set:
                log.info("in the validator set from epoch %d on", epoch)
            else:
                log.warning("out of the validator set from epoch %d on: this node follows the chain", epoch)

    # What others ask.

    def _read_round(self) -> RoundState:
        return cast(Round, self.chain.pallets(self.chain.final_state())[Round.name]).State.get()

    def _may_serve(self, meta: BlobMeta) -> bool:
        """Tell whether a blob may leave this node: test records after TRAIN, weights after REVEAL."""
        return may_leave(meta.round, meta.visibility, self.round)

    def _peer_infos(self) -> list[PeerInfo]:
        return [
            PeerInfo(
                peer_id=peer.peer_id,
                address=peer.address,
                role="full" if peer.validator is None else "validator",
                validator=peer.validator or b"",
                final_number=peer.final_number,
                name=peer.name,
            )
            for peer in self.network.peers()
        ]

    def _consensus_status(self) -> ConsensusStatus:
        driver = self.driver
        if driver is None:
            return ConsensusStatus(self.chain.epoch_change.epoch, 0, b"", ())
        return ConsensusStatus(driver.epoch, driver.view, driver.leader, list(driver.finality_ms))

    def _write_ready_file(self, rpc: RpcServer) -> None:
        file = self.config.ready_file
        if file is None:
            return
        account = self.config.account
        value: dict[str, Any] = {
            "pid": os.getpid(),
            "name": self.config.name,
            "role": self.config.role,
            "chain": self.config.chain.id,
            "genesis_hash": "0x" + self.chain.genesis_hash.hex(),
            "peer_id": self.network.peer_id,
            "p2p_port": self.network.port,
            "rpc_port": rpc.port,
            "rpc_address": rpc.address,
            "addresses": self.network.addresses,
            "validator": ss58_encode(account) if account is not None else None,
        }
        _write_atomically(file, json.dumps(value, indent=2) + "\n")


def _write_atomically(file: Path, text: str) -> None:
    temporary = file.with_name(f".{file.name}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(file)
    except OSError as error:
        raise NodeStartError(f"{file}: the ready file cannot be written: {error.strerror}") from None


def _configure_logging(config: NodeConfig) -> None:
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.WARNING,
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        force=True,
    )
    # It tells at "info" what concerns nobody but its authors.
    logging.getLogger("libp2p").setLevel(logging.WARNING)
    for name in ("pocl", "node"):
        logging.getLogger(name).setLevel(config.log_level.upper())


def _first_cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error that ended the node: one made for users if there is any."""
    leaves: list[BaseException] = []

    def collect(error: BaseException) -> None:
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                collect(inner)
        else:
            leaves.append(error)

    collect(group)
    return next((leaf for leaf in leaves if isinstance(leaf, PoclError)), leaves[0])
