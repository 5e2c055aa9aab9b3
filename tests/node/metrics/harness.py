"""Readings of a made-up node in which every metric has a value, and expositions taken apart."""

from __future__ import annotations

from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from node.consensus.snapshot import AgreementSnapshot
from node.metrics.exporter import exposition
from node.metrics.instruments import Instruments
from node.metrics.readings import Readings
from node.pool import PoolStats
from node.status.facts import Disk, Facts
from pocl.v1.worker_service_pb2 import WorkerReport

SET = tuple(bytes([index]) * 32 for index in range(4))

FACTS = Facts(
    now_ms=1_000_000,
    up_s=100.0,
    account=SET[0],
    validators=SET,
    quorum=3,
    heartbeat_s=2.0,
    name="alice",
    chain="pocl-local",
    connected=frozenset(SET[:3]),
    peers=3,
    heights={SET[1]: 70, SET[2]: 60},
    behind=5,
    syncing=True,
    final_number=64,
    final_age_s=1.5,
    best_number=66,
    epoch=7,
    agreement=AgreementSnapshot(
        epoch=7,
        view=12,
        leader=SET[1],
        quorum=3,
        voting=True,
        abstain_until=0,
        proposed=True,
        notarized=frozenset(SET[:2]),
        nullified=frozenset(SET[1:3]),
        final_view=11,
        finalizing_view=0,
        finalized=frozenset(),
        missing_block=False,
        nullified_views=9,
    ),
    round=7,
    phase="VOTE",
    awaited=SET[2:],
    clocks={SET[1]: 250, SET[2]: 250},
    worker="idle",
    disk=Disk(free=10**9, database=10**6),
)

READINGS = Readings(
    facts=FACTS,
    role="validator",
    pool=PoolStats(ready=3, future=2, bytes=900),
    sent={"consensus": 1000, "sync": 10},
    received={"consensus": 2000},
    blob_bytes=5000,
    participation=0.75,
    reports=(
        WorkerReport(round=6, train_ms=4000, predict_ms=500, aggregate_ms=100, global_accuracy=0.8),
        WorkerReport(round=7, train_ms=2000, audit_ms=300, local_accuracy=0.9),
    ),
    version="1.2.3",
)


def parsed(text: bytes) -> dict[str, Metric]:
    """Return an exposition's families by name, as Prometheus shows it: a counter's has _total."""
    found = list(text_string_to_metric_families(text.decode()))
    names = [family.name + ("_total" if family.type == "counter" else "") for family in found]
    assert len(set(names)) == len(names), "a family twice"
    return dict(zip(names, found, strict=True))


def values(text: bytes) -> dict[tuple[str, ...], float]:
    """Return the samples of an exposition: (name, *label values, sorted by label) -> value."""
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in parsed(text).values()
        for sample in family.samples
    }


def whole() -> bytes:
    """Return the exposition of the made-up node."""
    return exposition(Instruments(), READINGS)


def sample_names() -> set[str]:
    """Return the names of all samples that a node can expose."""
    return {sample.name for family in parsed(whole()).values() for sample in family.samples}
