"""`pocl node`: one node of a chain."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from node.chain_spec import ChainSpec, load
from node.cli.output import address, parse_hex
from node.cli.secrets import DEV_NAMES, default_base_path, load_key, password_file_option
from node.config import Checkpoint, NodeConfig
from node.errors import ConfigError
from node.keystore import load_or_create_node_key
from node.layout import node_key_file
from node.lifetime import die_with_parent
from node.storage.pruning import ARCHIVE
from node.storage.pruning_mode import Keep, PruningRequest
from pocl.keys import Keypair

_Command = TypeVar("_Command", bound=Callable[..., Any])
_PORT = click.IntRange(0, 65535)


@dataclass(frozen=True)
class _Options:
    """The command line as it was given; `make_config` turns it into what a node needs."""

    chain: str | None
    base_path: Path | None
    validator: bool
    name: str | None
    dev_key: str | None
    dev: bool
    port: int
    p2p_listen: str
    rpc_port: int
    rpc_listen: str
    prometheus_port: int
    prometheus_external: bool
    no_prometheus: bool
    bootnodes: tuple[str, ...]
    node_key: str | None
    pruning: str | None
    state_pruning: str | None
    blocks_pruning: str | None
    log: str
    data: Path | None
    no_worker: bool
    worker_threads: int | None
    wait_for_worker: int
    password_file: Path | None
    key: str | None
    ready_file: Path | None
    checkpoint: str | None
    worker_behaviour: str
    worker_collusion: Path | None
    die_with: int | None


def dev_key_flags(function: _Command) -> _Command:
    """Give a command the flags --alice, --bob, ... for the development keys."""
    for name in reversed(DEV_NAMES):
        flag = click.option(
            f"--{name}", "dev_key", flag_value=f"//{name.title()}", help=f"Be the validator //{name.title()}."
        )
        function = flag(function)
    return function


@click.command("node", context_settings={"show_default": True})
@click.option("--chain", help="A chain spec's file or built-in name (dev, local, pocl-cifar10).")
@click.option("--base-path", type=click.Path(path_type=Path), help="Where this node keeps everything it has.")
@click.option("--validator", is_flag=True, help="Take part in consensus and rounds; needs a key.")
@click.option("--name", help="This node's name, for people.")
@dev_key_flags
@click.option("--dev-key", "dev_key", metavar="URI", hidden=True, help="A development key such as //Miner7.")
@click.option(
    "--dev", is_flag=True, help="--chain dev --alice, on a temporary base path unless one is given."
)
@click.option("--port", type=_PORT, default=30333, help="libp2p port; 0 lets the system choose.")
@click.option("--p2p-listen", default="0.0.0.0", help="Address libp2p listens on.")
@click.option("--rpc-port", type=_PORT, default=9944, help="gRPC port; 0 lets the system choose.")
@click.option(
    "--rpc-listen", default="127.0.0.1", help="Address gRPC listens on; unsafe methods need loopback."
)
@click.option("--prometheus-port", type=_PORT, default=9615, help="Metrics port; 0 lets the system choose.")
@click.option(
    "--prometheus-external", is_flag=True, help="Serve metrics on all interfaces, not on loopback only."
)
@click.option("--no-prometheus", is_flag=True, help="Serve no metrics.")
@click.option(
    "--bootnodes", multiple=True, metavar="MULTIADDR", help="A peer to start from; may be repeated."
)
@click.option(
    "--node-key", metavar="HEX", help="32-byte seed of the network identity (default: kept in a file)."
)
@click.option(
    "--pruning",
    metavar="archive|N",
    help="Keep all blocks and states, or those of the last N final blocks (default: as before; a new node: archive).",
)
@click.option("--state-pruning", metavar="archive|N", help="The same for states alone.")
@click.option("--blocks-pruning", metavar="archive|N", help="The same for blocks alone.")
@click.option(
    "--log", default="info", type=click.Choice(["error", "warning", "info", "debug"]), help="Log level."
)
@click.option(
    "--data", type=click.Path(path_type=Path), help="Folder of the data that the chain's task needs."
)
@click.option("--no-worker", is_flag=True, help="Validate blocks, but neither train nor vote on models.")
@click.option("--worker-threads", type=click.IntRange(1, 1024), help="Threads of the training process.")
@click.option(
    "--wait-for-worker",
    type=click.IntRange(0, 3600),
    default=0,
    metavar="SECONDS",
    help="Join consensus once the worker can train, or after so long.",
)
@password_file_option
@click.option("--key", metavar="NAME", help="The validator's key in this node's keystore.")
@click.option("--ready-file", type=click.Path(path_type=Path), help="Written as JSON once the node is up.")
@click.option(
    "--checkpoint",
    metavar="HASH@HEIGHT",
    help="Start a node without blocks from the state of this final block, which you trust.",
)
@click.option("--worker-behaviour", default="honest", hidden=True, help="A cheat to demonstrate on a devnet.")
@click.option(
    "--worker-collusion",
    type=click.Path(path_type=Path),
    hidden=True,
    help="A folder in which cheats help each other.",
)
@click.option("--die-with", type=int, metavar="PID", hidden=True, help="Stop when this parent process ends.")
def command(**options: Any) -> int:
    """Run a node until it is told to stop (Ctrl-C or SIGTERM).

    A full node follows the chain and answers gRPC. With --validator and a key it also agrees on blocks and,
    through its worker process, trains and tests models.
    """
    given = _Options(**options)
    if given.die_with is not None:
        die_with_parent(given.die_with)
    with ExitStack() as stack:
        temporary = None
        if given.dev and given.base_path is None:
            temporary = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pocl-dev-")))
        from node.service import run_node

        # Held here, the spec's accounts would stay as long as the node runs.
        run_node(make_config(given, temporary))
    return 0


def make_config(given: _Options, temporary: Path | None = None) -> NodeConfig:
    """Return what the options mean. Raise ConfigError, ChainSpecError or KeystoreError when they cannot be meant."""
    if given.chain is None and not given.dev:
        raise ConfigError("which chain? give --chain (a chain spec's file or built-in name) or --dev")
    chain = load(given.chain or "dev")
    base_path = given.base_path or temporary or default_base_path(chain.id)
    pruning = PruningRequest(
        _keep("--state-pruning", given.state_pruning) or _keep("--pruning", given.pruning),
        _keep("--blocks-pruning", given.blocks_pruning) or _keep("--pruning", given.pruning),
    )
    if given.data is not None and not given.data.is_dir():
        raise ConfigError(f"{given.data}: --data is the folder of a data set, and this is none")
    key = _validator_key(given, chain, base_path)
    if given.node_key is not None:
        seed = parse_hex(given.node_key, "node key", 32)
    else:
        seed = load_or_create_node_key(node_key_file(base_path))
    return NodeConfig(
        chain=chain,
        base_path=base_path,
        name=given.name or _default_name(given, key),
        role="validator" if key is not None else "full",
        validator_key=key,
        p2p_host=given.p2p_listen,
        p2p_port=given.port,
        bootnodes=given.bootnodes or chain.bootnodes,
        node_key_seed=seed,
        rpc_host=given.rpc_listen,
        rpc_port=given.rpc_port,
        pruning=pruning,
        prometheus_host="0.0.0.0" if given.prometheus_external else "127.0.0.1",
        prometheus_port=None if given.no_prometheus else given.prometheus_port,
        log_level=given.log,
        data_path=given.data,
        worker=key is not None and not given.no_worker,
        worker_threads=given.worker_threads,
        worker_behaviour=given.worker_behaviour,
        worker_collusion=given.worker_collusion,
        wait_for_worker_s=given.wait_for_worker,
        ready_file=given.ready_file,
        checkpoint=None if given.checkpoint is None else _checkpoint(given.checkpoint),
    )


def _validator_key(given: _Options, chain: ChainSpec, base_path: Path) -> Keypair | None:
    """Return the key this node validates with, in the validator set or not yet; None for a full node."""
    uri = given.dev_key or ("//Alice" if given.dev and given.key is None else None)
    if uri is not None and given.key is not None:
        raise ConfigError(f"--key {given.key} and the development key {uri} are two keys: give one of them")
    if uri is not None:
        if chain.chain_type == "live":
            raise ConfigError(f"chain {chain.id} is live: development keys belong to everybody, use --key")
        key = Keypair.from_uri(uri)
    elif given.key is not None:
        key = load_key(base_path, given.key, given.password_file)
    elif given.validator:
        raise ConfigError(
            "--validator needs a key: give --key NAME, or --alice and the like on a local chain"
        )
    else:
        return None
    return key


def _default_name(given: _Options, key: Keypair | None) -> str:
    if given.dev_key is not None or given.dev:
        return (given.dev_key or "//Alice").strip("/").lower()
    if given.key is not None:
        return given.key
    return f"validator-{address(key.public)[:8]}" if key is not None else "node"


def _keep(option: str, text: str | None) -> Keep | None:
    if text is None or text == ARCHIVE:
        return text
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) < 2**63:
        raise ConfigError(f"{option} {text[:80]} is neither archive nor a number of blocks of at least 1")
    return int(text)


def _checkpoint(text: str) -> Checkpoint:
    hash, _, height = text.partition("@")
    if not height.isascii() or not height.isdecimal() or not 1 <= int(height) < 2**63:
        raise ConfigError(
            f"--checkpoint {text[:100]} is no HASH@HEIGHT: a block's hash, @, its number from 1 on"
        )
    return Checkpoint(parse_hex(hash, "the checkpoint's block hash", 32), int(height))
