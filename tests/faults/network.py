"""A network of validators as real processes, on a chain with a quick heartbeat and short rounds.

They have no workers (workers.py has those with one): every round is void after its first phase, so an epoch lasts some
seconds, and blocks carry transfers. A node's log and ready file are outside its base path, which may be full.

Which nodes agreement may count on. A node is *up* from the moment its ready file appears, which it writes when its gRPC
answers, until it is killed or ends; not while it is paused. It is *able* while it is up, in the validator set in force,
past its abstention, whole (its disk takes writes, and a database that was taken from it has been fetched again) and,
when links are cut, on the side with more such nodes. The rest is asked of all of them: whoever is up must connect,
catch up and vote, and a clock ahead is no excuse.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from node.chain_spec import ChainSpec, load
from node.consensus.log import read_log
from node.dev_accounts import dev_name, dev_uri, with_validators
from node.errors import NodeStartError
from node.genesis import build_genesis
from node.layout import consensus_log_file, database_folder
from pocl.client import Client, ClientError
from pocl.keys import Keypair
from runtime.quorum import quorum
from tests.faults.isolation import CONTROL, PEERS, Cables, Disks
from tests.faults.sets import Sets, Situation

ROOT = Path(__file__).resolve().parents[2]
START_S = 60.0
STUCK_S = 400.0
ROUND_MS = 1000
DISK_MB = 256


class FaultError(AssertionError):
    """A node did not do what it must."""


def until(condition: Callable[[], bool], what: str, seconds: float = 60) -> float:
    """Wait for a condition; return how long that took. Raise FaultError when it takes too long."""
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > seconds:
            raise FaultError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.05)
    return time.monotonic() - begun


class Validator:
    """One validator: its folder, its place in the network, and its process, if it has one."""

    def __init__(self, index: int, folder: Path, *, name: str = "", slot: int | None = None) -> None:
        self.index = index
        self.name = name or dev_name(index)
        self.key = Keypair.from_uri(dev_uri(index))
        self.slot = index if slot is None else slot
        """Its place in the network: a twin has another than its model."""
        self.base_path = folder / self.name
        self.log_file = folder / f"{self.name}.log"
        self.ready_file = folder / f"{self.name}.ready.json"
        self.rpc_host, self.peer_host, self.prefix = "127.0.0.1", "127.0.0.1", list[str]()
        self.rpc_port, self.peer_port = 0, 0
        self.process: subprocess.Popen[bytes] | None = None
        self.client: Client | None = None
        self.address = ""
        self.paused = False
        self.ready_at = 0.0
        """When it became ready, or was healed: on the monotonic clock."""
        self.whole = True
        """Whether its disk takes writes and it has a database that holds what is final."""
        self.height = -1
        """The last final height that the watch saw; -1 since it started."""
        self._abstains = (0, 0)
        self.databases = 0
        """Counts the databases it has had: what is final may only be missing from a new one."""

    @property
    def consensus_log(self) -> Path:
        return consensus_log_file(self.base_path)

    @property
    def database(self) -> Path:
        return database_folder(self.base_path)

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def up(self) -> bool:
        """Whether it runs, is ready and is not paused."""
        return self.alive and self.client is not None and not self.paused

    def command(self, spec_file: Path, ready_file: Path, options: Sequence[str]) -> list[str]:
        seed = hashlib.blake2b(f"tests.faults {self.name}".encode(), digest_size=32).hexdigest()
        node = [sys.executable, "-m", "node.cli", "node", "--chain", str(spec_file), "--no-worker"]
        node += ["--base-path", str(self.base_path), "--name", self.name, "--validator"]
        node += ["--dev-key", dev_uri(self.index), "--node-key", seed, "--ready-file", str(ready_file)]
        node += ["--p2p-listen", self.peer_host, "--port", str(self.peer_port)]
        node += ["--rpc-listen", self.rpc_host, "--rpc-port", str(self.rpc_port)]
        node += ["--prometheus-port", "0"]
        return [*self.prefix, *node, "--die-with", str(os.getpid()), *options]

    def start(self, spec_file: Path, options: Sequence[str], environment: Mapping[str, str]) -> None:
        self.ready_file.unlink(missing_ok=True)
        self.base_path.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(spec_file, self.ready_file, options),
                cwd=ROOT,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_ready(self) -> None:
        def ready() -> bool:
            if not self.alive:
                raise FaultError(f"{self.name} did not start: {self.last_line()}")
            return self.ready_file.exists()

        until(ready, f"{self.name} starts", START_S)
        told: dict[str, Any] = json.loads(self.ready_file.read_text(encoding="utf-8"))
        self.address = told["addresses"][0]
        self.ready_at = time.monotonic() - (time.time() - self.ready_file.stat().st_mtime)
        self.client = Client(f"{self.rpc_host}:{self.rpc_port}", timeout_s=5)

    def ended(self, seconds: float) -> tuple[int, str]:
        """Wait for the process to end by itself; return its status and the last line it wrote."""
        until(lambda: not self.alive, f"{self.name} ends by itself", seconds)
        assert self.process is not None
        self._forget()
        return self.process.returncode, self.last_line()

    def kill(self) -> None:
        if self.process is not None and self.alive:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self._forget()

    def stopped(self) -> int:
        """Wait until it has stopped in order, as it was told to; return its exit status."""
        assert self.process is not None
        try:
            return self.process.wait(timeout=30)
        finally:
            self.kill()

    def pause(self) -> None:
        assert self.process is not None
        self.paused = True
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGCONT)
        self.ready_at = time.monotonic()
        self.paused = False

    def last_line(self) -> str:
        lines = self.log_file.read_text(encoding="utf-8", errors="replace").splitlines()
        return next((line for line in reversed(lines) if line.strip()), "it said nothing")

    def final(self) -> int:
        """Return the last final height it tells, -1 when it does not answer."""
        try:
            return self.client.info().final_number if self.client is not None else -1
        except (ClientError, ValueError):
            return -1

    def abstain_until(self) -> int | None:
        """Return the first epoch it votes in, by its log; None when it has no log yet."""
        # Once for every log: its head keeps what it says.
        try:
            key = self.consensus_log.stat().st_ino
            if self._abstains[0] != key:
                if not self._abstains[0]:
                    # Its first log: until now it could not vote, however long it was up.
                    self.ready_at = max(self.ready_at, time.monotonic())
                self._abstains = key, read_log(self.consensus_log)[0]
        except (OSError, NodeStartError):
            return None  # There is none, or it was damaged.
        return self._abstains[1]

    def abstains(self, epoch: int) -> bool:
        """Whether it may not vote in an epoch, for want of a log that says what it voted before."""
        first = self.abstain_until()
        return first is None or first > epoch

    def lose_log(self) -> None:
        """Remove the consensus log; the process must be down."""
        self.consensus_log.unlink()
        self._abstains = (0, 0)

    def _forget(self) -> None:
        self.paused = False
        self.height = -1
        client, self.client = self.client, None
        if client is not None:
            client.close()


class FaultNetwork:
    """The validators of one run. Use as a context manager: no process is left when it ends."""

    def __init__(
        self,
        folder: Path,
        count: int,
        *,
        isolated: bool,
        round_ms: int = ROUND_MS,
        spec: ChainSpec | None = None,
        validator: type[Validator] = Validator,
    ) -> None:
        """`spec` has `count` validators; by default it is the quick one with such rounds."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.spec_file = folder / "spec.json"
        self.spec = spec or quick_spec(count, round_ms)
        self.spec.save(self.spec_file)
        genesis = build_genesis(self.spec)
        self.genesis_hash = genesis.hash
        self.sets = Sets(genesis.header)
        """The validator sets, as far as the watch has seen final blocks."""
        self.before_loss: Callable[[Validator], None] = lambda node: None
        """Called with a node whose log is about to be lost: the last look at what it voted."""
        self._cut_off: frozenset[Validator] = frozenset()
        self.nodes = [validator(index, folder) for index in range(count)]
        self.twin = validator(0, folder, name="twin", slot=count)
        self.cables = Cables(count + 1) if isolated else None
        self.disks = Disks(DISK_MB) if isolated else None
        for node in (*self.nodes, self.twin):
            self._place(node)

    def __enter__(self) -> FaultNetwork:
        return self

    def __exit__(self, *_: object) -> None:
        for node in (*self.nodes, self.twin):
            node.kill()
        if self.cables is not None:
            self.cables.close()
        if self.disks is not None:
            self.disks.close()

    def start(self, *nodes: Validator, environment: Mapping[str, str] | None = None) -> None:
        """Start nodes, all at once, and wait until they are ready."""
        for node in nodes:
            others = [other for other in self.nodes if other is not node and other.address]
            flags = [word for other in others for word in ("--bootnodes", other.address)]
            node.start(self.spec_file, flags, environment or {})
            if not others:
                node.wait_ready()  # The first of all: the others find each other through it.
        for node in nodes:
            node.wait_ready()

    def stop(self) -> list[int]:
        """Stop all nodes in order, all at once; return their exit statuses."""
        for node in self.nodes:
            if node.process is not None:
                node.process.terminate()
        return [node.stopped() for node in self.nodes]

    def up(self) -> list[Validator]:
        return [node for node in self.nodes if node.up]

    def heights(self) -> list[int]:
        """Return the last final height of every node that answers."""
        return [height for node in self.up() if (height := node.final()) >= 0]

    def able(self) -> list[Validator]:
        """Return the nodes that agreement can count on (module docstring)."""
        epoch, members = self.sets.epoch, self.sets.members
        able = [
            node
            for node in self.nodes
            if node.up and node.whole and node.key.public in members and not node.abstains(epoch)
        ]
        sides = [[node for node in able if (node in self._cut_off) is side] for side in (True, False)]
        return max(sides, key=len)

    def situation(self) -> Situation:
        """Return what the schedule must know."""
        epoch, members = self.sets.epoch, self.sets.members
        return Situation(
            nodes=tuple(node.name for node in self.nodes),
            members=frozenset(node.name for node in self.nodes if node.key.public in members),
            abstaining=frozenset(node.name for node in self.nodes if node.abstains(epoch)),
        )

    def quorum_since(self) -> float | None:
        """Return since when a quorum of the set in force is able, on the monotonic clock; None while none is."""
        since = sorted(node.ready_at for node in self.able())
        needed = quorum(len(self.sets.members))
        return since[needed - 1] if len(since) >= needed else None

    def until(
        self, condition: Callable[[], bool], what: str, seconds: float, nodes: Sequence[Validator] = ()
    ) -> None:
        """Wait for what agreement must bring about. Raise FaultError when it takes too long.

        Only the time counts in which a quorum is able and not cut off from `nodes`; of all time, STUCK_S.
        """
        begun = before = time.monotonic()
        spent = 0.0
        while not condition():
            time.sleep(0.1)
            now = time.monotonic()
            if self._carries(nodes):
                spent += now - before
            before = now
            if spent > seconds:
                raise FaultError(f"{what}: not within {seconds:.0f} s")
            if now - begun > STUCK_S:
                raise FaultError(f"{what}: not within {STUCK_S:.0f} s, {spent:.0f} of them with a quorum")

    @property
    def is_cut(self) -> bool:
        return bool(self._cut_off)

    def cut(self, group: Sequence[Validator]) -> None:
        """Pull the cables between a group and all others. One cut at a time."""
        assert self.cables is not None
        self._cut_off = frozenset(group)
        self.cables.cut(node.slot for node in group)

    def heal(self) -> None:
        """Plug them in again. To the larger side the other one comes back now."""
        assert self.cables is not None
        larger = self.able()
        self.cables.heal()
        now = time.monotonic()
        for node in self.nodes:
            if node not in larger:
                node.ready_at = max(node.ready_at, now) if node.up else node.ready_at
        self._cut_off = frozenset()

    def _carries(self, nodes: Sequence[Validator]) -> bool:
        able = self.able()
        if len(able) < quorum(len(self.sets.members)):
            return False
        return all((node in self._cut_off) is (able[0] in self._cut_off) for node in nodes)

    def _place(self, node: Validator) -> None:
        if self.cables is None:
            node.rpc_port, node.peer_port = _free_port(), _free_port()
        else:
            node.rpc_host, node.peer_host = f"{CONTROL}.{node.slot + 1}", f"{PEERS}.{node.slot + 1}"
            node.rpc_port, node.peer_port = 9944, 30333
            node.prefix = self.cables.prefix(node.slot)
        if self.disks is not None:
            self.disks.mount(node.base_path)


def quick_spec(count: int, round_ms: int = ROUND_MS) -> ChainSpec:
    """Return the local chain spec with `count` validators, a quick heartbeat and short rounds.

    The rules of the validator set are the local chain's own. Messages a block grow with the square of the validators,
    which share one machine here: the more there are, the slower the heart beats, 200 ms for four and a second for ten.
    """
    heartbeat_ms = 200 if count < 7 else 100 * count
    spec = with_validators(load("local"), count)
    rules = dataclasses.replace(spec.genesis.round, heartbeat_ms=heartbeat_ms, train_ms=round_ms)
    consensus = dataclasses.replace(
        spec.consensus,
        block_interval_ms=heartbeat_ms // 4,
        heartbeat_ms=heartbeat_ms,
        leader_timeout_ms=1500,
        view_timeout_ms=3000,
        max_timeout_ms=6000,
    )
    genesis = dataclasses.replace(spec.genesis, round=rules)
    return dataclasses.replace(spec, genesis=genesis, consensus=consensus)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
