"""A real node that starts from a checkpoint of a running chain."""

from __future__ import annotations

from pathlib import Path

import pytest

from pocl.client import Client, ClientError
from tests.e2e.processes import refused, running_node
from tests.e2e.test_restart import until


def test_a_node_starts_from_a_checkpoint(tmp_path: Path) -> None:
    with (
        running_node(tmp_path / "alice", "--dev", "--no-worker") as alice,
        Client(alice["rpc_address"]) as source,
    ):
        until(lambda: source.info().final_number >= 4, "the chain has some blocks")
        info = source.info()
        number, hash = info.final_number, info.final_hash
        options = ["--chain", "dev", "--bootnodes", alice["addresses"][0]]
        options += ["--checkpoint", f"0x{hash.hex()}@{number}"]
        with running_node(tmp_path / "late", *options) as late, Client(late["rpc_address"]) as client:
            until(lambda: client.info().final_number > number + 1, "it follows the chain", 30)
            assert client.block(number + 1).hash == source.block(number + 1).hash
            with pytest.raises(ClientError, match="not kept here: the oldest is"):
                client.block(1)

    other = ["--chain", "dev", "--checkpoint", f"{bytes(32).hex()}@{number}"]
    assert "not the checkpoint" in refused("node", "--base-path", tmp_path / "late", *other)
