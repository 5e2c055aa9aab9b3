"""The options of `pocl node` that concern metrics."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.cli.node_command import _Options, command, make_config


@pytest.mark.parametrize(
    ("given", "host", "port"),
    [
        ([], "127.0.0.1", 9615),
        (["--prometheus-port", "0"], "127.0.0.1", 0),
        (["--prometheus-external", "--prometheus-port", "9700"], "0.0.0.0", 9700),
        (["--no-prometheus"], "127.0.0.1", None),
    ],
)
def test_where_metrics_are_served(tmp_path: Path, given: list[str], host: str, port: int | None) -> None:
    context = command.make_context("node", ["--dev", "--base-path", str(tmp_path), *given])
    config = make_config(_Options(**context.params))
    assert (config.prometheus_host, config.prometheus_port) == (host, port)
