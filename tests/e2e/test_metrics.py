"""The metrics of a real node, scraped as Prometheus does."""

from __future__ import annotations

import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.e2e.processes import pocl, running_node
from tests.node.metrics.harness import sample_names, values


def scrape(ready: dict[str, Any]) -> dict[tuple[str, ...], float]:
    with urllib.request.urlopen(f"http://{ready['prometheus_address']}/metrics", timeout=20) as answer:
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        return values(answer.read())


def test_the_height_rises_and_work_is_measured(tmp_path: Path) -> None:
    with running_node(tmp_path / "node", "--dev", "--no-worker") as ready:
        assert ready["prometheus_address"].startswith("127.0.0.1:")
        sent = pocl(
            "tx",
            "transfer",
            "--from",
            "//Eve",
            "//Bob",
            "1",
            "--rpc",
            ready["rpc_address"],
            "--wait",
            "finalized",
        )
        assert sent.returncode == 0, sent.stderr
        first = scrape(ready)
        height = first["pocl_block_height", "final"]
        assert height >= 1
        assert (
            first.items()
            >= {
                ("pocl_block_extrinsics_sum",): 1,
                ("pocl_validators",): 1,
                ("pocl_voting",): 1,
                ("pocl_round",): 1,
                ("pocl_round_phase", "TRAIN"): 1,
                ("pocl_worker_state", "off"): 1,
            }.items()
        )
        for name in (
            "pocl_finality_seconds_count",
            "pocl_block_execution_seconds_count",
            "pocl_block_commit_seconds_count",
        ):
            assert first[name,] >= height - 1
        assert first["pocl_signature_verification_seconds_count",] >= 1
        assert first["pocl_database_bytes",] > 0
        assert {key[0] for key in first} <= sample_names(), "a metric that the documents do not know"

        deadline = time.monotonic() + 60
        while (later := scrape(ready))["pocl_block_height", "final"] == height:
            assert time.monotonic() < deadline, "no block in a minute: an idle chain makes one each heartbeat"
            time.sleep(0.2)
        assert later["pocl_block_height", "final"] > height
        assert later["process_cpu_seconds_total",] >= first["process_cpu_seconds_total",]
