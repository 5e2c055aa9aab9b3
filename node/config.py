"""What one node is told when it starts: the CLI makes a NodeConfig, node/service.py runs it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from node.chain_spec import ChainSpec
from node.storage.pruning_mode import PruningRequest
from pocl.keys import Keypair

Role = Literal["full", "validator"]


@dataclass(frozen=True)
class Checkpoint:
    """A block that the operator says is final."""

    hash: bytes
    number: int


@dataclass(frozen=True)
class NodeConfig:
    """One node. Ports of 0 are chosen by the system; `ready_file` then tells which they became.

    `data_path` is the folder of the data sets that need one (cifar10, npz). `pruning` says of
    how many final blocks state and body are kept. `worker_threads` limits the training
    process; None leaves it to TensorFlow. `worker_behaviour` makes the worker misbehave in a named way
    (docs/experiments.md), with the accomplices of the folder `worker_collusion`, for demonstrations on a devnet
    alone. A validator may wait `wait_for_worker_s` seconds for its worker before it takes
    part in consensus, so that a new chain does not open its first round while nobody can train yet. A node without
    blocks gets the state of `checkpoint` instead of all blocks before it. Metrics are served on `prometheus_port`; None
    for none.

    The ready file is one JSON object, written atomically once every service is up:
    {"pid", "name", "role", "chain", "genesis_hash", "peer_id", "p2p_port", "rpc_port", "rpc_address",
    "prometheus_address": HOST:PORT or null, "addresses": [multiaddr with /p2p/], "validator": ss58 or null}.
    """

    chain: ChainSpec
    base_path: Path
    name: str
    role: Role = "full"
    validator_key: Keypair | None = field(default=None, repr=False)
    p2p_host: str = "0.0.0.0"
    p2p_port: int = 30333
    bootnodes: tuple[str, ...] = ()
    node_key_seed: bytes | None = field(default=None, repr=False)
    rpc_host: str = "127.0.0.1"
    rpc_port: int = 9944
    pruning: PruningRequest = field(default_factory=PruningRequest)
    prometheus_host: str = "127.0.0.1"
    prometheus_port: int | None = None
    log_level: str = "info"
    data_path: Path | None = None
    worker: bool = True
    worker_threads: int | None = None
    worker_behaviour: str = "honest"
    worker_collusion: Path | None = None
    wait_for_worker_s: int = 0
    ready_file: Path | None = None
    checkpoint: Checkpoint | None = None

    @property
    def account(self) -> bytes | None:
        """The validator's account, None for a full node."""
        return self.validator_key.public if self.validator_key is not None else None
