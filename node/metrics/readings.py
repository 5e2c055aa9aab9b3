"""What is read at a scrape, rather than counted where it happens: mostly the facts of `pocl status`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import cast

from node.blobs import BlobStore
from node.chain import Chain
from node.config import NodeConfig
from node.network import Network
from node.pool import PoolStats, TransactionPool
from node.rpc.reports import WorkerReports
from node.status.collect import StatusBoard
from node.status.facts import Facts
from pallets.model_propose import ModelPropose
from pallets.round import Round
from pocl.v1.round_pb2 import PHASE_NONE
from pocl.v1.worker_service_pb2 import WorkerReport

_ROUNDS_BACK = 8
"""A worker measures a round's model some time after the round; older measures are not shown."""


@dataclass(frozen=True)
class Readings:
    """One node at one moment."""

    facts: Facts
    role: str
    pool: PoolStats = field(default_factory=lambda: PoolStats(0, 0, 0))
    sent: Mapping[str, int] = field(default_factory=dict)
    received: Mapping[str, int] = field(default_factory=dict)
    """Bytes by protocol, since the node's start."""
    blob_bytes: int = 0
    participation: float | None = None
    """The part of the miners that delivered a model in the round that ended last; None when none has ended."""
    reports: tuple[WorkerReport, ...] = ()
    """The worker's, of the last rounds, oldest first."""
    version: str = field(default_factory=lambda: version("pocl-node"))


class Gauges:
    """Reads what the parts of a node know. Everything here is called on the trio thread."""

    def __init__(
        self,
        config: NodeConfig,
        chain: Chain,
        pool: TransactionPool,
        network: Network,
        blobs: BlobStore,
        reports: WorkerReports,
        status: StatusBoard,
    ) -> None:
        self._config = config
        self._chain = chain
        self._pool = pool
        self._network = network
        self._blobs = blobs
        self._reports = reports
        self._status = status
        self._version = version("pocl-node")

    def read(self) -> Readings:
        """Return what is known now, but for the disk. Raise StorageError when the state cannot be read."""
        facts, traffic = self._status.facts(), self._network.traffic
        return Readings(
            facts=facts,
            role=self._config.role,
            pool=self._pool.stats,
            sent=dict(traffic.sent),
            received=dict(traffic.received),
            blob_bytes=self._blobs.used_bytes,
            participation=self._participation(),
            reports=tuple(self._reports.list(max(0, facts.round - _ROUNDS_BACK))),
            version=self._version,
        )

    def _participation(self) -> float | None:
        pallets = self._chain.pallets(self._chain.final_state())
        rounds = cast(Round, pallets[Round.name])
        state = rounds.State.get()
        ended = state.round if state.phase == PHASE_NONE else state.round - 1
        miners = rounds.miners(ended)
        if not miners:
            return None  # None has ended, or its books have left the state.
        return len(cast(ModelPropose, pallets[ModelPropose.name]).proposers(ended)) / len(miners)
