"""The faults: each harms some nodes, checks what they do about it, and heals them.

Every function returns a remark for the table, and the nodes it started are ready when it returns. schedule.py chooses
the nodes, and different ones for faults that overlap. What a node must do about a fault in a certain time is timed only
while agreement can go on around it: other faults may just have stopped that.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from node.consensus.driver import CLOCK_OFFSET
from node.consensus.log import read_log
from node.errors import NodeStartError
from node.storage.database import Database
from node.storage.errors import StorageError
from node.tools.verify import verify
from pocl.client import Client
from pocl.keys import ss58_encode
from tests.e2e.processes import running_node
from tests.faults.network import ROOT, FaultError, FaultNetwork, Validator, until
from tests.faults.votes import Votes

PAUSE_S = 30.0
CLOCK_AHEAD_MS = 10_000
SYNC_S = 180.0
REFUSAL_S = 30.0
DISK_FULL_S = 60.0
ABSTENTION_S = 30.0
TWINS_S = 90.0
"""How long a validator and its copy run at most."""

OFFENCE_S = 60.0
"""How long a node may take to start and to say why it does not."""


@dataclass(frozen=True)
class Fault:
    """One kind. `most` says how many nodes it harms at once: none, one, up to f, many (f + 1 or more), or all."""

    name: str
    apply: Callable[[FaultNetwork, list[Validator], random.Random], str]
    most: str = "f"
    unsound: bool = False
    """Whether its nodes lose their log or are doubled: they count among the f."""
    isolated: bool = False
    """Whether it needs namespaces."""


def kill(network: FaultNetwork, nodes: list[Validator], rng: random.Random) -> str:
    for node in nodes:
        node.kill()
    time.sleep(rng.uniform(0, 4))
    network.start(*nodes)
    return ""


def pause(network: FaultNetwork, nodes: list[Validator], rng: random.Random) -> str:
    for node in nodes:
        node.pause()
    time.sleep(PAUSE_S)
    for node in nodes:
        node.resume()
    return ""


def cut(network: FaultNetwork, nodes: list[Validator], rng: random.Random) -> str:
    """Cut the cables between two groups, of any sizes."""
    group = rng.sample(network.nodes, rng.randint(1, len(network.nodes) - 1))
    hold = rng.uniform(5, 25)  # Beyond 20 s connections are given up, below they resume.
    network.cut(group)
    time.sleep(hold)
    network.heal()
    return f"{len(group)} | {len(network.nodes) - len(group)} for {hold:.0f} s"


def fill_disk(network: FaultNetwork, nodes: list[Validator], rng: random.Random) -> str:
    disks = network.disks
    assert disks is not None
    (node,) = nodes
    node.whole = False
    ballast = disks.fill(node.base_path)

    def ended() -> bool:
        # LevelDB removes files of its own when it is opened or compacts: that room is taken as well.
        disks.fill(node.base_path)
        return not node.alive

    network.until(ended, f"{node.name} notices its full disk", DISK_FULL_S, nodes)
    must_be_one_line(node, *node.ended(1))
    line = node.last_line()
    try:
        network.start(node)
    except FaultError:
        must_be_one_line(node, *node.ended(1))
    else:
        network.until(ended, f"{node.name} notices it again", DISK_FULL_S, nodes)
        must_be_one_line(node, *node.ended(1))
    ballast.unlink()
    node.whole = True
    network.start(node)
    return line


def corrupt_database(network: FaultNetwork, nodes: list[Validator], rng: random.Random) -> str:
    """Damage the database's files; the node must notice, or not be harmed. Then it starts without one."""
    (node,) = nodes
    node.kill()
    # Not LevelDB's own diary, LOG, and LOCK, which is empty.
    files = [file for file in sorted(node.database.iterdir()) if not file.name.startswith("LO")]
    file = rng.choice([file for file in files if file.stat().st_size > 0])
    for _ in range(20):
        flip_byte(file, rng.randrange(file.stat().st_size))
    node.whole = False
    node.databases += 1  # Blocks at the damaged end may be gone, if LevelDB takes them for a torn write.
    try:
        network.start(node)
        until(lambda: not node.alive, "it meets the damage", 3)
    except FaultError:
        pass
    if node.alive:
        node.kill()
        remark = f"did not meet the damage; {read_through(node.database, network.genesis_hash)}"
    else:
        status, remark = node.ended(1)
        must_be_one_line(node, status, remark)
    without_database(network, [node])
    return f"{file.name}: {remark}"


def read_through(path: Path, genesis_hash: bytes) -> str:
    """Read all of a damaged database: a read must fail, or all that is there must be right. Return which it was."""
    try:
        database = Database.open(path, genesis_hash)
    except NodeStartError as error:
        return f"opened: {error}"
    try:
        with database.iterate(b"", b"\xff") as entries:
            count = sum(1 for _ in entries)
        wrong = list(verify(database))
    except StorageError as error:
        return f"read: {error}"
    finally:
        database.close()
    if wrong:
        raise FaultError(f"{path} is damaged, reads without an error, and is wrong: {wrong[0]}")
    return f"all {count} entries are right"


def corrupt_log(network: FaultNetwork, nodes: list[Validator], rng: random.Random) -> str:
    """Damage the consensus log: the node must refuse to start. Then it starts without one, and abstains."""
    (node,) = nodes
    node.kill()
    network.before_loss(node)
    flip_byte(node.consensus_log, rng.randrange(node.consensus_log.stat().st_size))
    try:
        network.start(node)
    except FaultError:
        status, line = node.ended(1)
    else:
        raise FaultError(f"{node.name} starts with a damaged consensus log")
    must_be_one_line(node, status, line)
    node.lose_log()
    network.start(node)
    return line


def delete_database(network: FaultNetwork, nodes: list[Validator], rng: random.Random) -> str:
    begun = time.monotonic()
    without_database(network, nodes)
    return f"fetched {min(node.final() for node in nodes)} blocks in {time.monotonic() - begun:.0f} s"


def delete_log(network: FaultNetwork, nodes: list[Validator], rng: random.Random) -> str:
    for node in nodes:
        node.kill()
        network.before_loss(node)
        node.lose_log()
    network.start(*nodes)
    network.until(
        lambda: all(node.abstain_until() is not None for node in nodes),
        "they know how long they abstain",
        ABSTENTION_S,
        nodes,
    )
    return f"abstains until epoch {max(node.abstain_until() or 0 for node in nodes)}"


def clock_ahead(network: FaultNetwork, nodes: list[Validator], rng: random.Random) -> str:
    for node in nodes:
        node.kill()
    network.start(*nodes, environment={CLOCK_OFFSET: str(CLOCK_AHEAD_MS)})
    time.sleep(15)
    for node in nodes:
        node.kill()
    network.start(*nodes)
    return ""


def second_process(network: FaultNetwork, nodes: list[Validator], rng: random.Random) -> str:
    """Start a second process on a base path in use: it must be refused, and the first go on."""
    (node,) = nodes
    command = node.command(network.spec_file, network.folder / "second.json", [])
    # On ports of its own: the base path alone must be the reason.
    command += ["--port", "0", "--rpc-port", "0"]
    second = subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=REFUSAL_S
    )
    lines = second.stderr.strip().splitlines()
    if second.returncode == 0 or len(lines) != 1 or not node.alive:
        raise FaultError(f"a second process of {node.name}: status {second.returncode}, {second.stderr}")
    return lines[0]


def twins(network: FaultNetwork, nodes: list[Validator], rng: random.Random) -> str:
    """Run a copy of a node, consensus log included, beside it: others must see what the two contradict each other in.

    Two that hear and say the same break no rule. Leading does it, for each proposes a block of its own, but a view
    that one of them leads must come while both are level.
    """
    (node,) = nodes
    twin = network.twin
    twin.index, twin.key = node.index, node.key
    node.kill()
    for entry in twin.base_path.iterdir() if twin.base_path.exists() else ():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    shutil.copytree(node.base_path, twin.base_path, dirs_exist_ok=True)
    others = [other for other in network.nodes if other is not node]
    before = {other.name: offences(other, node) for other in others}
    network.start(node, twin)

    def seen() -> list[str]:
        return [other.name for other in others if offences(other, node) > before[other.name]]

    begun = time.monotonic()
    try:
        until(lambda: bool(seen()) or time.monotonic() - begun > TWINS_S, "the twins run", 2 * TWINS_S)
    finally:
        twin.kill()
    if not seen():
        if not contradicting(network, node, twin):
            return "in all that time the two said the same"
        network.until(lambda: bool(seen()), f"others see that there are two of {node.name}", OFFENCE_S, nodes)
    account = node.key.public
    network.until(lambda: account not in network.sets.members, f"{node.name} is put out", OFFENCE_S)
    return f"offence seen by {', '.join(seen())}"


def contradicting(network: FaultNetwork, node: Validator, twin: Validator) -> bool:
    """Return whether the logs of the two hold what no one validator may sign."""
    votes = Votes(network.genesis_hash)
    for one in (node, twin):
        first, records = read_log(one.consensus_log)
        votes.take(node.name, node.key.public, first, records)
    return bool(votes.contradictions(network.sets))


def without_database(network: FaultNetwork, nodes: list[Validator]) -> None:
    """Start nodes without their databases. They count as up once they have fetched what others have."""
    for node in nodes:
        node.kill()
        shutil.rmtree(node.database)
        node.databases += 1
        node.whole = False
    height = max(network.heights(), default=0)
    network.start(*nodes)
    network.until(
        lambda: min(node.final() for node in nodes) >= height, "the blocks are fetched again", SYNC_S, nodes
    )
    for node in nodes:
        node.ready_at = time.monotonic()
        node.whole = True


def kill_worker(network: FaultNetwork, nodes: list[Validator], rng: random.Random) -> str:
    """Kill the worker of a node, which must start another. Nodes without workers stay: it is one of its own then."""
    if nodes:
        (node,) = nodes
        assert node.process is not None
        return replaced_worker(node.process.pid, node.log_file, lambda: node.final() >= 0)
    return kill_worker_of(network.folder / f"worker-{rng.randrange(2**32)}")


def kill_worker_of(base_path: Path) -> str:
    """Kill the worker of a development node of its own; the node must start another and go on."""
    with (
        running_node(base_path, "--chain", "dev", "--alice", "--worker-threads", "1") as ready,
        Client(ready["rpc_address"]) as client,
    ):
        height = client.info().final_number
        return replaced_worker(
            ready["pid"], base_path / "node.log", lambda: client.info().final_number > height
        )


def replaced_worker(pid: int, log_file: Path, goes_on: Callable[[], bool]) -> str:
    """Kill the worker of a node's process, wait for another one, and return what the node says of it."""
    node = psutil.Process(pid)

    def worker() -> int:
        children = (child for child in node.children() if child.status() != psutil.STATUS_ZOMBIE)
        return next((child.pid for child in children if "node.worker" in child.cmdline()), 0)

    until(lambda: worker() != 0, "the worker starts")
    first = worker()
    os.kill(first, signal.SIGKILL)
    until(lambda: worker() not in (0, first), "another worker starts")
    until(goes_on, "the node goes on")
    text = log_file.read_text(encoding="utf-8", errors="replace")
    said = [line for line in text.splitlines() if "the worker was" in line]
    return said[-1].partition("the worker was ")[2] if said else "the node did not say so"


def offences(witness: Validator, culprit: Validator) -> int:
    """Count the offences of a validator that a node has logged."""
    text = witness.log_file.read_text(encoding="utf-8", errors="replace")
    return text.count(f"validator {ss58_encode(culprit.key.public)}: ")


def flip_byte(file: Path, offset: int) -> None:
    with file.open("r+b") as stream:
        stream.seek(offset)
        byte = stream.read(1)
        stream.seek(offset)
        stream.write(bytes((byte[0] ^ 0xFF,)))
        stream.flush()
        os.fsync(stream.fileno())


def must_be_one_line(node: Validator, status: int, line: str) -> None:
    """Raise FaultError unless a node ended with a non-zero status of its own and one line for people."""
    if status <= 0 or not line.startswith("pocl: ") or "internal error" in line:
        raise FaultError(f"{node.name} ended with status {status}: {line}")
    tail = node.log_file.read_text(encoding="utf-8", errors="replace")[-4000:]
    if "Traceback" in tail:
        raise FaultError(f"{node.name} ended with a traceback: see {node.log_file}")


ALONE = ("many", "all")
"""Faults of so many nodes do not overlap with others."""

FAULTS = (
    Fault("kill -9", kill),
    Fault("kill -9 of many", kill, most="many"),
    Fault("kill -9 of all", kill, most="all"),
    Fault("SIGSTOP 30 s", pause),
    Fault("link cut", cut, most="none", isolated=True),
    Fault("disk full", fill_disk, most="one", isolated=True),
    Fault("corrupted database", corrupt_database, most="one"),
    Fault("corrupted consensus log", corrupt_log, most="one", unsound=True),
    Fault("deleted database", delete_database),
    Fault("deleted consensus log", delete_log, unsound=True),
    Fault("clock 10 s ahead", clock_ahead),
    Fault("second process", second_process, most="one"),
    Fault("kill -9 of a worker", kill_worker, most="none"),
    Fault("twins", twins, most="one", unsound=True),
)
