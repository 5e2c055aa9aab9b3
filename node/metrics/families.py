"""The names under which readings are exposed: one row a metric, by the conventions of Prometheus (base units as
suffixes, counters end with _total, a label where the sum over it means something)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from node.metrics.readings import Readings
from node.rpc.reports import STATES
from pocl.v1.round_pb2 import Phase
from pocl.v1.worker_service_pb2 import WorkerReport

_Values = float | Mapping[str, float] | Mapping[tuple[str, ...], float] | None
"""Of a metric without labels, or by the labels' values; None: not known, not exposed."""


@dataclass(frozen=True)
class _Row:
    name: str
    help: str
    labels: tuple[str, ...]
    read: Callable[[Readings], _Values]
    counter: bool = False


def families(readings: Readings) -> Iterator[Metric]:
    """Yield every metric that is read at a scrape; one without values has its name and help alone."""
    for row in _ROWS:
        kind = CounterMetricFamily if row.counter else GaugeMetricFamily
        family = kind(row.name, row.help, labels=row.labels)
        values = row.read(readings)
        if isinstance(values, Mapping):
            for labels, value in values.items():
                family.add_metric([labels] if isinstance(labels, str) else list(labels), value)
        elif values is not None:
            family.add_metric([], values)
        yield family


def _build(readings: Readings) -> _Values:
    facts = readings.facts
    labels: tuple[str, ...] = (readings.version, facts.chain, facts.name, readings.role)
    return {labels: 1}


def _heights(readings: Readings) -> _Values:
    facts = readings.facts
    return {
        "best": facts.best_number,
        "final": facts.final_number,
        "sync_target": facts.final_number + facts.behind,
    }


def _view(readings: Readings) -> _Values:
    agreement = readings.facts.agreement
    return None if agreement is None else agreement.view


def _nullified_views(readings: Readings) -> _Values:
    agreement = readings.facts.agreement
    return None if agreement is None else agreement.nullified_views


def _missing_voters(readings: Readings) -> _Values:
    facts = readings.facts
    if facts.agreement is None:
        return None
    return len(set(facts.validators) - facts.agreement.notarized - facts.agreement.nullified)


def _voting(readings: Readings) -> _Values:
    agreement = readings.facts.agreement
    return agreement is not None and agreement.voting


def _peers(readings: Readings) -> _Values:
    facts = readings.facts
    validators = len(facts.heights)
    return {"validator": validators, "other": facts.peers - validators}


def _clock_offset(readings: Readings) -> _Values:
    offset_ms = readings.facts.clock_offset_ms
    return None if offset_ms is None else offset_ms / 1000


def _bytes(readings: Readings) -> _Values:
    values: dict[tuple[str, ...], float] = {}
    for direction, counts in (("sent", readings.sent), ("received", readings.received)):
        values |= {(protocol, direction): count for protocol, count in counts.items()}
    return values


def _phase(readings: Readings) -> _Values:
    return {name: name == readings.facts.phase for name in Phase.keys()}  # noqa: SIM118 (no mapping)


def _accuracy(field: str) -> Callable[[Readings], _Values]:
    def read(readings: Readings) -> _Values:
        known = [report for report in readings.reports if report.HasField(field)]
        return float(getattr(known[-1], field)) if known else None

    return read


def _stages(readings: Readings) -> _Values:
    """Of each stage the newest time: a round that has not come to it yet reports none."""
    return {
        stage: _stage_ms(report, stage) / 1000
        for stage in ("train", "predict", "audit", "aggregate")
        for report in readings.reports
        if _stage_ms(report, stage)
    }


def _stage_ms(report: WorkerReport, stage: str) -> int:
    return int(getattr(report, f"{stage}_ms"))


def _worker(readings: Readings) -> _Values:
    return {state: state == readings.facts.worker for state in STATES}


_ROWS = (
    _Row(
        "pocl_build_info",
        "Version, chain, name and role of this node; always 1.",
        ("version", "chain", "name", "role"),
        _build,
    ),
    _Row(
        "pocl_block_height",
        "Number of the best and the last final block here, and of the last final one that others tell of.",
        ("status",),
        _heights,
    ),
    _Row(
        "pocl_final_age_seconds",
        "Time since the last final block became final here; absent before the first.",
        (),
        lambda readings: readings.facts.final_age_s,
    ),
    _Row("pocl_syncing", "Whether this node fetches blocks (1) or not.", (), lambda r: r.facts.syncing),
    _Row("pocl_epoch", "Epoch of the next block.", (), lambda r: r.facts.epoch),
    _Row("pocl_view", "View of the epoch this validator is in.", (), _view),
    _Row(
        "pocl_nullified_views",
        "Views that a quorum gave up, as far as this validator heard of it since its start.",
        (),
        _nullified_views,
        counter=True,
    ),
    _Row(
        "pocl_missing_voters",
        "Validators of the set whose vote in the present view is not here.",
        (),
        _missing_voters,
    ),
    _Row("pocl_voting", "Whether this node votes in the present epoch (1) or not.", (), _voting),
    _Row("pocl_validators", "Validators of the set.", (), lambda r: len(r.facts.validators)),
    _Row(
        "pocl_connected_validators",
        "Validators of the set that are connected, this one included.",
        (),
        lambda readings: len(readings.facts.connected),
    ),
    _Row(
        "pocl_quorum_validators",
        "Validators of the set that must vote alike.",
        (),
        lambda readings: readings.facts.quorum,
    ),
    _Row("pocl_peers", "Connected nodes: validators of the set, and others.", ("role",), _peers),
    _Row(
        "pocl_network_bytes",
        "Bytes sent to and received from peers, before encryption.",
        ("protocol", "direction"),
        _bytes,
        counter=True,
    ),
    _Row(
        "pocl_clock_offset_seconds",
        "How far the own clock is ahead of the median of the connected validators'.",
        (),
        _clock_offset,
    ),
    _Row(
        "pocl_pool_transactions",
        "Transactions in the pool: ready for a block, or waiting for an earlier one.",
        ("status",),
        lambda readings: {"ready": readings.pool.ready, "future": readings.pool.future},
    ),
    _Row("pocl_pool_bytes", "Bytes of the transactions in the pool.", (), lambda r: r.pool.bytes),
    _Row("pocl_round", "Number of the current round.", (), lambda r: r.facts.round),
    _Row("pocl_round_phase", "1 for the phase that the round is in.", ("phase",), _phase),
    _Row(
        "pocl_round_awaited_miners",
        "Miners that have not delivered what the phase waits for.",
        (),
        lambda readings: len(readings.facts.awaited),
    ),
    _Row(
        "pocl_round_participation_ratio",
        "Part of the miners that delivered a model in the round that ended last.",
        (),
        lambda readings: readings.participation,
    ),
    _Row(
        "pocl_global_accuracy_ratio",
        "Accuracy of the newest global model that this node's worker measured, on the test part or what it holds out.",
        (),
        _accuracy("global_accuracy"),
    ),
    _Row(
        "pocl_local_accuracy_ratio",
        "Accuracy of the newest model that this node's worker trained, on its validation part.",
        (),
        _accuracy("local_accuracy"),
    ),
    _Row("pocl_worker_state", "1 for the state that the worker is in.", ("state",), _worker),
    _Row(
        "pocl_worker_stage_seconds",
        "Time that the worker spent on each stage of its newest round that came to it.",
        ("stage",),
        _stages,
    ),
    _Row(
        "pocl_database_bytes",
        "Bytes of the database's files.",
        (),
        lambda readings: None if readings.facts.disk is None else readings.facts.disk.database,
    ),
    _Row("pocl_blob_store_bytes", "Bytes of the blobs kept.", (), lambda r: r.blob_bytes),
    _Row(
        "pocl_disk_free_bytes",
        "Bytes free on the disk of the base path.",
        (),
        lambda readings: None if readings.facts.disk is None else readings.facts.disk.free,
    ),
)
