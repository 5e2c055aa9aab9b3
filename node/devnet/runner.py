"""A whole devnet run: start the nodes, follow the rounds, compare the nodes, stop them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from node.chain_spec import ChainSpec
from node.dev_accounts import dev_name, dev_uri, with_validators
from node.devnet import summary
from node.devnet.display import Display
from node.devnet.observer import Observation, Observer
from node.devnet.processes import NodeProcess, stop_all
from node.devnet.remote import RemoteNode
from node.errors import DevnetError
from node.layout import worker_token_file
from node.learning_task import OWN
from pocl.client import ClientError
from pocl.extrinsics import extrinsic_hash
from pocl.keys import Keypair

START_SECONDS = 120.0
"""How long a node may take until its services answer."""

STALL_SECONDS = 300.0
"""Without a new final block for so long the network is taken to have failed."""

MEASURE_SECONDS = 60.0
"""How long after the last round the workers may still be measuring its model."""

AGREE_SECONDS = 60.0
"""How long after the last round a node may be behind the others."""

_POLL_SECONDS = 0.3


@dataclass(frozen=True)
class DevnetOptions:
    """What a devnet is asked for. `behaviours` maps a node's name to its worker's behaviour, NAME or NAME:PARAMS;
    those of one name are accomplices."""

    spec: ChainSpec
    validators: int
    rounds: int
    base_path: Path
    transfers: int = 8
    """Submitted at the beginning of every round."""
    worker_threads: int = 1
    data_path: Path | None = None
    log_level: str = "info"
    behaviours: Mapping[str, str] = field(default_factory=dict)


class Devnet:
    """The nodes of one run. Use as a context manager: no process is left when it ends."""

    def __init__(self, options: DevnetOptions, display: Display) -> None:
        self.options = options
        self.display = display
        self.spec = with_validators(options.spec, options.validators)
        self.nodes = [
            NodeProcess(dev_name(index), dev_uri(index), options.base_path / dev_name(index))
            for index in range(options.validators)
        ]
        self.remotes: list[RemoteNode] = []
        self.seen = Observation()
        """What `follow` has seen of the network so far."""

    def __enter__(self) -> Devnet:
        return self

    def __exit__(self, *_: object) -> None:
        for remote in self.remotes:
            remote.close()
        stop_all(self.nodes)

    def start(self) -> None:
        """Start every node and wait until all answer. Raise DevnetError when one does not."""
        _claim(self.options.base_path)
        _introduce_accomplices(self.options.base_path, self.options.behaviours, self.nodes)
        spec_file = self.options.base_path / "chain-spec.json"
        self.spec.save(spec_file)
        first, *others = self.nodes
        self.display.say(f"starting {len(self.nodes)} nodes below {self.options.base_path}")
        first.start(spec_file, self._flags(first))
        first.wait_ready(START_SECONDS)
        for node in others:
            node.start(spec_file, [*self._flags(node), "--bootnodes", first.addresses[0]])
        for node in others:
            node.wait_ready(START_SECONDS)
        for node in self.nodes:
            token = worker_token_file(node.base_path).read_text(encoding="utf-8").strip()
            self.remotes.append(RemoteNode(node.name, node.rpc_address, token))
        metrics = ", ".join(f"{node.name} {node.metrics_address}" for node in self.nodes)
        self.display.say(f"metrics: {metrics}")
        self.display.say("nodes are up; waiting for their training workers")

    def _flags(self, node: NodeProcess) -> list[str]:
        options = self.options
        flags = ["--worker-threads", str(options.worker_threads), "--log", options.log_level]
        # A round that opens before the workers can train would only measure how long TensorFlow loads.
        flags += ["--wait-for-worker", "120"]
        if options.data_path is not None:
            # Own data: each node's in the folder of its name.
            own = options.spec.learning["dataset"] == OWN
            flags += ["--data", str(options.data_path / node.name if own else options.data_path)]
        if node.name in options.behaviours:
            behaviour = options.behaviours[node.name]
            flags += ["--worker-behaviour", behaviour]
            flags += ["--worker-collusion", str(collusion_folder(options.base_path, behaviour))]
        return flags

    def follow(self) -> dict[str, Any]:
        """Follow the chain until the last round has ended and return the summary."""
        observer = Observer(self.remotes)
        seen = self.seen = observer.seen
        seen.metrics = {node.name: node.metrics_address for node in self.nodes}
        self._until(observer, lambda: self.options.rounds in seen.ended, submit=True)
        self._measured(observer)
        closing = seen.ended[self.options.rounds].summary.ended_block
        # Payment begins in the block after the closing one.
        self._until(observer, lambda: seen.scanned >= closing + 2)
        height = max(info.final_number for info in seen.infos.values())
        deadline = time.monotonic() + AGREE_SECONDS

        def behind() -> list[str]:
            return [name for name, info in seen.infos.items() if info.final_number < height]

        self._until(observer, lambda: not behind() or time.monotonic() > deadline)
        if behind():
            names = ", ".join(behind())
            raise DevnetError(f"block {height} is not final at {names} after {AGREE_SECONDS:.0f} s")
        return summary.build(self.spec.id, seen, self.remotes, height, self.options.rounds)

    def _until(self, observer: Observer, done: Callable[[], bool], submit: bool = False) -> None:
        seen, submitted_round = observer.seen, 0
        progress, moved = -1, time.monotonic()
        while not done():
            for node in self.nodes:
                node.check_alive()
            observer.update()
            observer.update_reports(max(1, seen.current.round - 1))
            if submit and submitted_round < seen.current.round <= self.options.rounds:
                submitted_round = seen.current.round
                self._submit_transfers(seen)
            self.display.show(seen)
            if seen.scanned != progress:
                progress, moved = seen.scanned, time.monotonic()
            elif time.monotonic() - moved > STALL_SECONDS:
                raise DevnetError(f"no final block for {STALL_SECONDS:.0f} s after block {seen.scanned}")
            if not done():
                time.sleep(_POLL_SECONDS)

    def _measured(self, observer: Observer) -> None:
        """Give the workers time to measure the last round's model; not every behaviour measures."""
        deadline = time.monotonic() + MEASURE_SECONDS
        last, honest = self.options.rounds, len(self.nodes) - len(self.options.behaviours)

        def measured() -> bool:
            found = observer.seen.reports.get(last, {}).values()
            return sum(report.HasField("global_accuracy") for report in found) >= honest

        self._until(observer, lambda: measured() or time.monotonic() > deadline)

    def _submit_transfers(self, seen: Observation) -> None:
        remote = self.remotes[0]
        accounts = [Keypair.from_uri(node.uri) for node in self.nodes]
        if len(accounts) == 1:
            accounts.append(Keypair.from_uri(dev_uri(1)))
        amount = 10**self.spec.properties.token_decimals
        nonces: dict[bytes, int] = {}
        try:
            for index in range(self.options.transfers):
                sender = accounts[index % len(accounts)]
                dest = accounts[(index + 1) % len(accounts)].public
                nonce = nonces.get(sender.public)
                if nonce is None:
                    nonce = remote.account(sender.public).pool_nonce
                nonces[sender.public] = nonce + 1
                extrinsic = remote.sign(
                    sender, remote.call("coin", "transfer", dest=dest, amount=amount), nonce=nonce
                )
                # Noted before it is sent: it may be in a block before the answer is here.
                seen.submitted.add(extrinsic_hash(extrinsic))
                remote.submit(extrinsic)
        except ClientError as error:
            raise DevnetError(f"a transfer was refused: {error}") from None


def run_devnet(options: DevnetOptions, display: Display) -> dict[str, Any]:
    """Run a devnet to its end and return its summary. Raise DevnetError when it cannot finish."""
    with Devnet(options, display) as devnet:
        devnet.start()
        return devnet.follow()


def collusion_folder(base_path: Path, behaviour: str) -> Path:
    """Return the folder in which the workers of a behaviour help each other."""
    return base_path / "collusion" / behaviour.partition(":")[0]


def _introduce_accomplices(
    base_path: Path, behaviours: Mapping[str, str], nodes: Sequence[NodeProcess]
) -> None:
    """Make the folders of accomplices before their workers look for them. Raise ConfigError."""
    gangs: dict[Path, list[bytes]] = {}
    for node in nodes:
        if node.name in behaviours:
            folder = collusion_folder(base_path, behaviours[node.name])
            gangs.setdefault(folder, []).append(Keypair.from_uri(node.uri).public)
    if gangs:
        from node.worker.behaviours.collusion import write_accounts

        for folder, accounts in gangs.items():
            write_accounts(folder, accounts)


def _claim(base_path: Path) -> None:
    """Make the folder of a run. Raise DevnetError when something is in it: a devnet starts from nothing."""
    try:
        base_path.mkdir(parents=True, exist_ok=True)
        if any(base_path.iterdir()):
            raise DevnetError(
                f"{base_path}: not empty: a devnet starts from nothing, give another --base-path"
            )
    except OSError as error:
        raise DevnetError(f"{base_path}: cannot be used: {error.strerror}") from None
