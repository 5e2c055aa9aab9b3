"""What is exposed: it is the text format, it keeps the conventions, and each value is what it says."""

from __future__ import annotations

import dataclasses
import re

import pytest

from node import chain_spec
from node.genesis import build_genesis
from node.metrics.exporter import exposition
from node.metrics.instruments import Instruments
from node.metrics.meter import NO_METER, Meter
from node.metrics.readings import Readings
from node.status.facts import Facts
from pocl.keys import Keypair
from pocl.v1.block_pb2 import Block, EventRecord
from runtime.blocks import ExecutedBlock
from tests.node.metrics.harness import FACTS, READINGS, parsed, values, whole

# docs: prometheus.io/docs/practices/naming: base units, plural, at the end; _total for counters, _info for metadata.
_UNITS = ("_seconds", "_bytes", "_ratio", "_info", "_total")
_UNITLESS = {
    "pocl_block_height",
    "pocl_block_extrinsics",
    "pocl_connected_validators",
    "pocl_epoch",
    "pocl_missing_voters",
    "pocl_peers",
    "pocl_pool_transactions",
    "pocl_quorum_validators",
    "pocl_round",
    "pocl_round_awaited_miners",
    "pocl_round_phase",
    "pocl_syncing",
    "pocl_validators",
    "pocl_view",
    "pocl_voting",
    "pocl_worker_state",
}
"""Counts of things and states: they have no unit."""


def test_names_help_and_types_keep_the_conventions() -> None:
    families = parsed(whole())
    assert len(families) > 30
    for name, family in families.items():
        assert re.fullmatch(r"(pocl|process)_[a-z]+(_[a-z]+)*", name), name
        assert family.documentation.endswith("."), name
        assert family.samples, f"{name} has no value"
        assert (family.type == "counter") == name.endswith("_total"), name
        assert family.type in ("counter", "gauge", "histogram"), name
        if name.startswith("pocl_"):
            assert name.endswith(_UNITS) != (name in _UNITLESS), name
        for sample in family.samples:
            labels = set(sample.labels)
            assert not labels & {"instance", "job", "name_", "le_"}, name
            assert all(re.fullmatch(r"[a-z]+", label) for label in labels), name
            assert not sample.name.endswith("_created")


def test_the_values_are_the_nodes() -> None:
    found = values(whole())
    assert (
        found.items()
        >= {
            ("pocl_build_info", "pocl-local", "alice", "validator", "1.2.3"): 1,
            ("pocl_block_height", "final"): 64,
            ("pocl_block_height", "best"): 66,
            ("pocl_block_height", "sync_target"): 69,
            ("pocl_final_age_seconds",): 1.5,
            ("pocl_syncing",): 1,
            ("pocl_epoch",): 7,
            ("pocl_view",): 12,
            ("pocl_nullified_views_total",): 9,
            ("pocl_missing_voters",): 1,
            ("pocl_voting",): 1,
            ("pocl_validators",): 4,
            ("pocl_connected_validators",): 3,
            ("pocl_quorum_validators",): 3,
            ("pocl_peers", "validator"): 2,
            ("pocl_peers", "other"): 1,
            ("pocl_network_bytes_total", "sent", "consensus"): 1000,
            ("pocl_network_bytes_total", "sent", "sync"): 10,
            ("pocl_network_bytes_total", "received", "consensus"): 2000,
            ("pocl_clock_offset_seconds",): -0.25,
            ("pocl_pool_transactions", "ready"): 3,
            ("pocl_pool_transactions", "future"): 2,
            ("pocl_pool_bytes",): 900,
            ("pocl_round",): 7,
            ("pocl_round_phase", "VOTE"): 1,
            ("pocl_round_phase", "TRAIN"): 0,
            ("pocl_round_awaited_miners",): 2,
            ("pocl_round_participation_ratio",): 0.75,
            ("pocl_global_accuracy_ratio",): 0.8,
            ("pocl_local_accuracy_ratio",): 0.9,
            ("pocl_worker_state", "idle"): 1,
            ("pocl_worker_state", "failed"): 0,
            ("pocl_worker_stage_seconds", "train"): 2,
            ("pocl_worker_stage_seconds", "predict"): 0.5,
            ("pocl_worker_stage_seconds", "audit"): 0.3,
            ("pocl_worker_stage_seconds", "aggregate"): 0.1,
            ("pocl_database_bytes",): 10**6,
            ("pocl_blob_store_bytes",): 5000,
            ("pocl_disk_free_bytes",): 10**9,
        }.items()
    )
    assert found["process_resident_memory_bytes",] > 10**6


def test_what_is_not_known_is_not_exposed() -> None:
    """A full node that has only begun: no number is made up."""
    facts = Facts(now_ms=0, up_s=0, account=None, validators=FACTS.validators, quorum=3, heartbeat_s=2.0)
    found = {key[0] for key in values(exposition(Instruments(), Readings(facts, "full")))}
    for name in (
        "pocl_view",
        "pocl_missing_voters",
        "pocl_nullified_views_total",
        "pocl_final_age_seconds",
        "pocl_clock_offset_seconds",
        "pocl_round_participation_ratio",
        "pocl_global_accuracy_ratio",
        "pocl_worker_stage_seconds",
        "pocl_database_bytes",
    ):
        assert name not in found
    assert {"pocl_block_height", "pocl_peers", "pocl_voting"} <= found


def test_labels_are_escaped() -> None:
    facts = dataclasses.replace(FACTS, name='a"b\\c\nd')
    text = exposition(Instruments(), dataclasses.replace(READINGS, facts=facts))
    assert ("pocl_build_info", "pocl-local", 'a"b\\c\nd', "validator", "1.2.3") in values(text)


def test_what_is_measured_is_counted() -> None:
    instruments = Instruments()
    instruments.finality(0.2)
    with instruments.timed("execution"):
        pass
    for _ in range(2):
        with pytest.raises(KeyError), instruments.timed("commit"):
            raise KeyError
    alice = Keypair.from_uri("//Alice")
    signature = alice.sign(b"message")
    assert instruments.verify(alice.public, b"message", signature)
    assert not instruments.verify(alice.public, b"another", signature)
    names = ("RoundSettled", "RoundVoid", "RoundSettled", "PhaseChanged")
    events = tuple(EventRecord(pallet="round", name=name) for name in names)
    instruments.on_final([executed(2), executed(40, *events)])
    found = values(exposition(instruments, READINGS))
    assert (
        found.items()
        >= {
            ("pocl_finality_seconds_bucket", "0.15"): 0,
            ("pocl_finality_seconds_bucket", "0.25"): 1,
            ("pocl_finality_seconds_sum",): 0.2,
            ("pocl_block_execution_seconds_count",): 1,
            ("pocl_block_commit_seconds_count",): 2,
            ("pocl_signature_verification_seconds_count",): 2,
            ("pocl_block_extrinsics_count",): 2,
            ("pocl_block_extrinsics_sum",): 42,
            ("pocl_block_extrinsics_bucket", "20.0"): 1,
            ("pocl_rounds_ended_total", "settled"): 2,
            ("pocl_rounds_ended_total", "void"): 1,
        }.items()
    )
    # A registry of its own: another node of the same process has measured nothing.
    assert values(whole())["pocl_finality_seconds_count",] == 0


def test_without_metrics_nothing_is_kept() -> None:
    assert NO_METER.timed("execution") is NO_METER.timed("commit")
    assert vars(Meter()) == {}
    alice = Keypair.from_uri("//Alice")
    assert NO_METER.verify(alice.public, b"message", alice.sign(b"message"))


def executed(extrinsics: int, *events: EventRecord) -> ExecutedBlock:
    genesis = build_genesis(chain_spec.load("dev"))
    return dataclasses.replace(genesis, block=Block(extrinsics=[b"x"] * extrinsics), events=events)
