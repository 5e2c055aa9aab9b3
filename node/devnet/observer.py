"""Follows a devnet's chain and gathers what its table and its summary need."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from node.devnet.remote import RemoteNode
from node.errors import DevnetError
from pocl.client import ClientError
from pocl.v1.aggregation_pb2 import AggregationEvent, Verdict
from pocl.v1.block_pb2 import EventRecord
from pocl.v1.coin_pb2 import CoinEvent
from pocl.v1.node_service_pb2 import NodeInfo
from pocl.v1.round_pb2 import SETTLED, Phase, RoundEvent
from pocl.v1.rounds_service_pb2 import MinerView, RoundView
from pocl.v1.worker_service_pb2 import WorkerReport


@dataclass
class Disqualified:
    """A provisional winner that the audit removed."""

    round: int
    miner: bytes
    reason: Verdict


@dataclass(frozen=True)
class PhaseChange:
    """A round entered a phase at a block of this timestamp; `early`: all that were waited for had delivered."""

    round: int
    phase: int
    early: bool
    timestamp_ms: int


@dataclass
class Observation:
    """What is known of the network so far."""

    scanned: int = 0
    current: RoundView = field(default_factory=RoundView)
    ended: dict[int, RoundView] = field(default_factory=dict)
    infos: dict[str, NodeInfo] = field(default_factory=dict)
    metrics: dict[str, str] = field(default_factory=dict)
    """HOST:PORT of each node's metrics."""
    reports: dict[int, dict[str, WorkerReport]] = field(default_factory=dict)
    """By round, then by node."""
    disqualified: list[Disqualified] = field(default_factory=list)
    phase_changes: list[PhaseChange] = field(default_factory=list)
    free_rides: list[tuple[int, bytes]] = field(default_factory=list)
    """Rounds and winners whose models were no better than the one the round started from."""
    submitted: set[bytes] = field(default_factory=set)
    """Hashes of the devnet's own transfers."""
    included: dict[bytes, int] = field(default_factory=dict)
    """Of those, the ones in a final block that succeeded: hash -> number in the queue."""
    settled: set[int] = field(default_factory=set)
    """Numbers in the queue of transfers that were paid."""

    def note(self, event: EventRecord, hashes: Sequence[bytes], timestamp_ms: int) -> None:
        """Take in an event of a final block with that timestamp and extrinsics of those hashes."""
        match event.pallet, event.name:
            case "coin", "TransferQueued":
                hash = hashes[event.extrinsic_index]
                if hash in self.submitted:
                    self.included[hash] = CoinEvent.TransferQueued.FromString(event.data).index
            case "coin", "TransferSettled":
                self.settled.add(CoinEvent.TransferSettled.FromString(event.data).index)
            case "aggregation", "WinnerDisqualified":
                lost = AggregationEvent.WinnerDisqualified.FromString(event.data)
                self.disqualified.append(Disqualified(lost.round, lost.winner, lost.reason))
            case "aggregation", "FreeRide":
                ride = AggregationEvent.FreeRide.FromString(event.data)
                self.free_rides.append((ride.round, ride.winner))
            case "round", "PhaseChanged":
                change = RoundEvent.PhaseChanged.FromString(event.data)
                self.phase_changes.append(PhaseChange(change.round, change.phase, change.early, timestamp_ms))

    @property
    def settled_count(self) -> int:
        """How many of the devnet's own transfers were paid."""
        return sum(index in self.settled for index in self.included.values())

    def accuracy(self, round: int) -> float | None:
        """Return the test accuracy of a round's new model: the median over the workers that measured it."""
        found = [
            report.global_accuracy
            for report in self.reports.get(round, {}).values()
            if report.HasField("global_accuracy")
        ]
        return statistics.median(found) if found else None

    def train_ms(self, round: int) -> int:
        """Return the slowest miner's training time."""
        return max((report.train_ms for report in self.reports.get(round, {}).values()), default=0)

    def compute_ms(self, round: int) -> int:
        """Return the time of the miner that spent most on training, prediction and audit together."""
        reports = self.reports.get(round, {}).values()
        return max((report.train_ms + report.predict_ms + report.audit_ms for report in reports), default=0)

    def finality_ms(self) -> list[int]:
        """Return proposal-to-final times of the nodes' last blocks, ascending."""
        return sorted(value for info in self.infos.values() for value in info.finality_ms)


class Observer:
    """Polls the nodes; `update` is cheap enough to be called a few times a second."""

    def __init__(self, nodes: Sequence[RemoteNode]) -> None:
        self.nodes = nodes
        self.seen = Observation()

    def update(self) -> Observation:
        """Read what is new. Raise DevnetError when a node cannot be asked."""
        try:
            for node in self.nodes:
                self.seen.infos[node.name] = node.node_info()
            self._scan_blocks(self.nodes[0])
            self.seen.current = self.nodes[0].round()
            self._end_rounds(self.nodes[0])
        except ClientError as error:
            raise DevnetError(f"a node does not answer: {error}") from None
        return self.seen

    def update_reports(self, from_round: int) -> None:
        """Read what the workers measured since a round. Raise DevnetError when a node cannot be asked."""
        try:
            for node in self.nodes:
                for report in node.reports(from_round):
                    self.seen.reports.setdefault(report.round, {})[node.name] = report
        except ClientError as error:
            raise DevnetError(f"a node does not answer: {error}") from None

    def _scan_blocks(self, node: RemoteNode) -> None:
        final = self.seen.infos[node.name].final_number
        while self.seen.scanned < final:
            number = self.seen.scanned + 1
            view = node.block(number)
            for event in view.events:
                self.seen.note(event, view.extrinsic_hashes, view.block.header.timestamp_ms)
            self.seen.scanned = number

    def _end_rounds(self, node: RemoteNode) -> None:
        last = self.seen.current.round
        if not self.seen.current.summary.outcome:
            last -= 1
        for round in range(max(self.seen.ended, default=0) + 1, last + 1):
            self.seen.ended[round] = node.round(round)


def delivered(view: RoundView) -> list[MinerView]:
    """Return the miners that delivered what the round's present phase asks for."""
    fields = {
        Phase.TRAIN: "proposal",
        Phase.PREDICT: "commit",
        Phase.REVEAL: "reveal",
        Phase.VOTE: "ballot",
        Phase.AUDIT: "audit",
        Phase.AGGREGATE: "attestation",
    }
    name = fields.get(view.state.phase)
    return [miner for miner in view.miners if name and miner.HasField(name)]


def is_void(view: RoundView) -> bool:
    """Tell whether an ended round was void."""
    return view.summary.outcome != SETTLED
