"""One node, wired together: every service it runs, in the order in which data flows.

    database → chain → pool → blobs → network ⇄ sync, consensus → gRPC → worker

Trio runs in the main thread and owns chain, pool, consensus and network. gRPC has threads of its own. A service
that dies ends the node; a worker that dies is started again (node/worker_process.py).
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import trio

from node.beginning import Beginning
from node.blobs import BlobMeta, BlobStore
from node.chain import Chain, open_chain
from node.checkpoint import start_from_checkpoint
from node.config import NodeConfig
from node.consensus.driver import ConsensusDriver
from node.disk_room import keep_compact
from node.disk_watch import DiskWatch
from node.errors import NodeStartError
from node.first_start import begin_aside
from node.layout import blobs_folder, consensus_log_file, partial_database_folder
from node.lifetime import stop_on_signal
from node.metrics.exporter import make_exporter
from node.metrics.instruments import Instruments
from node.metrics.meter import NO_METER
from node.metrics.readings import Gauges
from node.network import Handlers, Network, NetworkSettings, Peer, RequestFailed
from node.offence_reporter import SIGNED, OffenceReporter
from node.pool import PoolError, TransactionPool, Underpriced
from node.process import configure_logging, first_cause, give_memory_back, write_ready_file
from node.rpc.reports import WorkerReports
from node.rpc.server import RpcServer
from node.rpc.wiring import serve_clients
from node.state_pages import state_page
from node.status.collect import StatusBoard
from node.storage.errors import StorageError
from node.sync import Synchronizer
from node.sync_pages import page
from node.visibility import may_leave
from node.worker_process import WorkerProcess
from pallets.assembly import RUNTIME
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
from pocl.v1.round_pb2 import RoundState
from runtime.blocks import ExecutedBlock
from runtime.codec import encode
from runtime.frame import InvalidTransaction
from runtime.transactions import ValidTransaction

log = logging.getLogger("pocl.node")

VALIDATOR_SYNC_MARGIN = 8
"""A validator in step gets its blocks from consensus: only behind by more than this it fetches them."""

KEEP_BLOBS_ROUNDS = 4
"""Weights and test records of so many rounds are kept; global models for ever."""

GOSSIP_PAUSE_S = 0.01
"""Transactions that arrive within it leave in one batch."""

_SPAM = {"malformed", "bad_signature", "unknown_call"}
"""Not `not_validator`: the set changes, and a peer may be a block ahead."""


def run_node(config: NodeConfig) -> None:
    """Run a node until SIGINT or SIGTERM. Raise PoclError with the reason when it cannot start or go on."""
    configure_logging(config.log_level)
    try:
        if config.checkpoint is not None and not start_from_checkpoint(config):
            return
        instruments = None if config.prometheus_port is None else Instruments()
        meter = instruments or NO_METER
        runtime = RUNTIME.verifying_with(meter.verify)
        begin_aside(config.chain, config.base_path)
        chain = open_chain(config.chain, config.base_path, runtime, pruning=config.pruning)
        config = replace(config, chain=config.chain.without_state())
        give_memory_back()
        chain.meter = meter
        # A download that was not finished: of no use to a chain that has begun otherwise.
        shutil.rmtree(partial_database_folder(config.base_path), ignore_errors=True)
        try:
            trio.run(_run, config, chain, instruments)
        finally:
            chain.close()
    except BaseExceptionGroup as group:
        raise first_cause(group) from None


async def _run(config: NodeConfig, chain: Chain, instruments: Instruments | None) -> None:
    # Made here: the network reads trio's clock from the start.
    await Node(config, chain, instruments).run()


class Node:
    """The services of one node."""

    def __init__(self, config: NodeConfig, chain: Chain, instruments: Instruments | None = None) -> None:
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
        gauges = Gauges(config, chain, self.pool, self.network, self.blobs, self.reports, self.status)
        self.exporter = make_exporter(config, chain, instruments, gauges)
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
            max_blob_bytes=config.chain.genesis.round.max_blob_bytes,
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
            begun=Beginning(self.chain).certificate,
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
            meter=self.chain.meter,
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
            if self.exporter is not None:
                await nursery.start(self.exporter.run)
            await nursery.start(self.network.run)
            nursery.start_soon(self.sync.run)
            nursery.start_soon(self._propagate)
            nursery.start_soon(keep_compact, self.chain.database)
            nursery.start_soon(self.status.run)
            rpc = self._start_rpc()
            try:
                if self.config.worker:
                    worker = WorkerProcess(self.config, rpc.worker_address, self.reports)
                    nursery.start_soon(worker.run)
                if self.driver is not None:
                    nursery.start_soon(self._agree, self.driver)
                self._write_ready_file(rpc)
                log.info(
                    "node %s is up: gRPC on %s, p2p on %s, metrics %s",
                    self.config.name,
                    rpc.address,
                    self.network.port,
                    "off" if self.exporter is None else f"on {self.exporter.address}",
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
        return serve_clients(
            config=self.config,
            chain=self.chain,
            pool=self.pool,
            blobs=self.blobs,
            network=self.network,
            sync=self.sync,
            driver=self.driver,
            status=self.status,
            reports=self.reports,
            submit=self._submit,
            may_serve=self._may_serve,
        )

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
                if error.code not in SIGNED:
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
        self.pool.on_final(blocks)
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
            "prometheus_address": self.exporter.address if self.exporter is not None else None,
            "addresses": self.network.addresses,
            "validator": ss58_encode(account) if account is not None else None,
        }
        write_ready_file(file, value)
