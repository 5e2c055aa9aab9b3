"""What is examined: the options of a node, and what checks learn for the checks that follow."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import node.quiet_grpc  # noqa: F401  (first: grpc is loaded below)
from node.chain_spec import ChainSpec
from node.layout import node_key_file
from pocl.client import Client, ClientError
from pocl.v1.node_service_pb2 import NodeInfo, NodeStatus

ANSWER_S = 5.0


@dataclass(frozen=True)
class Options:
    """The command line, as `pocl node` would have it."""

    chain: str
    base_path: Path | None = None
    validator: bool = False
    key: str | None = None
    dev_key: str | None = None
    password_file: Path | None = None
    p2p_host: str = "0.0.0.0"
    p2p_port: int = 30333
    rpc_host: str = "127.0.0.1"
    rpc_port: int = 9944
    prometheus_port: int = 9615
    prometheus_external: bool = False
    no_prometheus: bool = False
    bootnodes: tuple[str, ...] = ()
    data: Path | None = None
    worker: bool = True


@dataclass(frozen=True)
class RunningNode:
    """A node that answers on the gRPC port."""

    genesis_hash: bytes
    info: NodeInfo
    status: NodeStatus


@dataclass
class Subject:
    """A node to be: filled in by one check after the other."""

    options: Options
    spec: ChainSpec
    genesis_hash: bytes
    base_path: Path
    account: bytes | None = None
    """The validator account, once its key was found."""
    running: RunningNode | None = None
    """The node of this very base path, if it runs."""
    stranger: RunningNode | None = None
    """Another node that answers on the gRPC port."""
    validators: tuple[bytes, ...] = ()
    """The set as of the newest state that could be seen: the running node's, the database's, or genesis."""
    final_ms: int | None = None
    """The timestamp of the last final block."""
    place: tuple[int, int] | None = field(default=None)
    """Epoch and view that the database has come to, as the consensus log counts; None = not known."""

    @property
    def is_validator(self) -> bool:
        """Whether the options ask for a validator."""
        return self.options.validator or self.options.key is not None or self.options.dev_key is not None


def look_for_node(subject: Subject) -> None:
    """Find out whether a node answers on the gRPC port, and whether it is the one of this base path."""
    port = subject.options.rpc_port
    if port == 0:
        return
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(subject.options.rpc_host, subject.options.rpc_host)
    host = f"[{host}]" if ":" in host else host
    try:
        with Client(f"{host}:{port}", timeout_s=ANSWER_S) as client:
            found = RunningNode(client.info().genesis_hash, client.node_info(), client.status())
    except ClientError:
        return
    if found.genesis_hash == subject.genesis_hash and _own_peer_id(subject) in (None, found.info.peer_id):
        subject.running = found
    else:
        subject.stranger = found


def _own_peer_id(subject: Subject) -> str | None:
    """Return the peer id that the node key of this base path makes; None when there is none to be read."""
    try:
        seed = bytes.fromhex(node_key_file(subject.base_path).read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        return None
    # Here: libp2p takes a second to import.
    from node.network.host import peer_id_of

    return peer_id_of(seed) if len(seed) == 32 else None
