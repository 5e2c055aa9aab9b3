"""Three honest validators with workers, and the fourth one's key in the hands of whoever attacks them."""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from node.dev_accounts import dev_uri
from pocl.client import Client
from pocl.extrinsics import u128_int
from pocl.keys import Keypair
from pocl.v1.round_pb2 import SETTLED
from pocl.v1.validators_pb2 import Validator as Record
from tests.faults import workers
from tests.faults.network import ROOT, FaultNetwork, Validator, until
from tests.faults.watch import Watch
from tests.hostile.traitor import LEADS, PROPOSERS

TRAITOR = 1
"""Bob. His account sorts last of the four: with him out of the set, the others keep their places in it."""

START_S = 240.0
"""TensorFlow loads once for every worker."""

_CHARGED = re.compile(r"peer (\w+)(?:: charged \d+ points| is banned): .*")


def with_worker(words: Sequence[str]) -> list[str]:
    """Return a node's command line with a worker that it waits for before it takes part."""
    return [*workers.with_worker(words), "--wait-for-worker", "180"]


class Miner(Validator):
    """An honest validator with a worker."""

    def command(self, spec_file: Path, ready_file: Path, options: Sequence[str]) -> list[str]:
        return with_worker(super().command(spec_file, ready_file, options))

    @property
    def resident_mb(self) -> int:
        assert self.process is not None
        return int(psutil.Process(self.process.pid).memory_info().rss) // 10**6


class Traitor(Validator):
    """The node of tests/hostile/traitor.py, of one kind at a time; every one has a new network identity."""

    kind = ""

    def command(self, spec_file: Path, ready_file: Path, options: Sequence[str]) -> list[str]:
        words = super().command(spec_file, ready_file, options)
        at = words.index("node.cli")
        words[at : at + 2] = ["tests.hostile.traitor", self.kind]
        if self.kind in PROPOSERS:
            words = with_worker(words)
        # Those before it may be banned.
        return [*words, "--node-key", secrets.token_hex(32)]


class Four(FaultNetwork):
    """The network. `nodes` are the honest three."""

    def __init__(self, folder: Path) -> None:
        # Winners lead in the next epoch: so the traitor does when it mines.
        super().__init__(folder, 4, isolated=False, spec=workers.learning_spec(4, winners=4))
        self.nodes = [Miner(index, folder) for index in range(4) if index != TRAITOR]
        self.traitor = Traitor(TRAITOR, folder)
        for node in (*self.nodes, self.traitor):
            self._place(node)
        self.attacker: subprocess.Popen[bytes] | None = None
        self.attacks = folder / "attacks.log"
        self.watch = Watch(self)

    def __exit__(self, *exception: object) -> None:
        self.end_attack()
        super().__exit__(*exception)

    def begin(self) -> None:
        """Start the honest nodes and wait until they make blocks."""
        self.start(*self.nodes)
        self.watch.start()
        until(lambda: min(self.heights(), default=0) >= 3, "the network makes blocks", START_S)

    # ---- attacks

    def attack_with(self, kind: str) -> None:
        """Start the traitor's node."""
        self.traitor.kind = kind
        self.traitor.log_file.unlink(missing_ok=True)
        self.start(self.traitor)

    def led(self) -> bool:
        """Return whether the traitor's node has proposed a block since it started."""
        return LEADS in self.traitor.log_file.read_text(encoding="utf-8", errors="replace")

    def attack_as_peer(self, name: str) -> None:
        """Make an attack of tests/hostile/attacks against each honest node, over and over, with the traitor's key."""
        targets = [word for node in self.nodes for word in ("--target", node.address)]
        command = [sys.executable, "-m", "tests.hostile", *targets, "--chain", str(self.spec_file)]
        command += ["--key", dev_uri(TRAITOR), "--inside", "--tell", "--attack", name, "--minutes", "10"]
        with self.attacks.open("wb") as log:
            self.attacker = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def attacked(self) -> Mapping[str, int]:
        """Return how often each honest node has been attacked as a peer, from beginning to end."""
        lines = self.attacks.read_text(encoding="utf-8", errors="replace").splitlines()
        return {node.name: sum(line.startswith(node.address) for line in lines) for node in self.nodes}

    def end_attack(self) -> str:
        """Stop whoever attacks; return what it said that it had done."""
        if self.attacker is not None:
            os.killpg(self.attacker.pid, signal.SIGKILL)
            self.attacker.wait()
            self.attacker = None
            return f"{sum(self.attacked().values())} times"
        if self.traitor.process is not None and self.traitor.alive:
            self.traitor.process.terminate()
            self.traitor.stopped()
            return self.traitor.last_line().removeprefix("traitor: ")
        return ""

    # ---- what the chain says

    @property
    def client(self) -> Client:
        client = self.nodes[0].client
        assert client is not None
        return client

    def settled(self, after: int) -> int:
        """Return how many rounds after this one have settled."""
        return sum(summary.outcome == SETTLED for summary in self.client.rounds(after + 1))

    def ended(self) -> int:
        """Return the number of the last round that has ended."""
        return max((summary.round for summary in self.client.rounds()), default=0)

    def slashes(self, since: int = 0) -> list[Any]:
        """Return the `Slashed` events in the final blocks above a height."""
        found = []
        for number in range(since + 1, self.client.info().final_number + 1):
            events = self.client.events(self.client.block(number))
            found += [
                event.message for event in events if (event.pallet, event.name) == ("validators", "Slashed")
            ]
        return found

    def status_of_traitor(self) -> int:
        entries = self.client.entries("validators", "Bonded")
        return next((record.status for (who,), record in entries if who == self.traitor.key.public), 0)

    def let_the_traitor_in(self) -> None:
        """Wait until the traitor's key is in the set; it asks back in when it was put out."""
        if self.status_of_traitor() == Record.EXPELLED:
            until(lambda: self.status_of_traitor() == Record.OUT, "the traitor is put out", 120)
        if self.status_of_traitor() == Record.OUT:
            key: Keypair = self.traitor.key
            self.client.submit(self.client.sign(key, self.client.call("validators", "rejoin")))
        until(lambda: self.status_of_traitor() == Record.ACTIVE, "the traitor is in the set", 120)

    # ---- at the end

    def charges_among_honest(self) -> list[str]:
        """Return what the honest nodes' logs say against honest nodes."""
        honest = {node.address.rpartition("/")[2] for node in self.nodes}
        found = []
        for node in self.nodes:
            for match in _CHARGED.finditer(node.log_file.read_text(encoding="utf-8", errors="replace")):
                if match.group(1) in honest:
                    found.append(f"{node.name}: {match.group(0)}")
        return found

    def check_issuance(self) -> None:
        """Check that balances add up to the issuance, and this to genesis, rewards and slashes."""
        client = self.client
        number = client.info().final_number
        accounts = [account for _, account in client.entries("system", "Account", number=number)]
        held = sum(u128_int(account.free) + u128_int(account.reserved) for account in accounts)
        assert held == client.storage("coin", "TotalIssuance", number=number)
        ended = [summary for summary in client.rounds() if summary.ended_block <= number]
        minted = sum(u128_int(reward.amount) for summary in ended for reward in summary.rewards)
        burnt = sum(u128_int(slash.amount) for slash in self.slashes())
        assert held == client.storage("coin", "TotalIssuance", number=0) + minted - burnt
