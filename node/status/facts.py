"""What one node knows of why its chain moves or does not: plain values, for the sentence and for the table."""

from __future__ import annotations

import dataclasses
import shutil
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from node.consensus.snapshot import AgreementSnapshot
from node.layout import database_folder
from pocl.keys import ss58_encode


@dataclass(frozen=True)
class Disk:
    """Bytes: free on the base path's disk, and those of the database's files."""

    free: int
    database: int


@dataclass(frozen=True)
class Facts:
    """A snapshot of one node. Validators are accounts; `names` has those that are known by a name."""

    now_ms: int
    """The own wall clock, Unix milliseconds."""
    up_s: float
    """Since the node started."""
    account: bytes | None
    """The own validator account; None for a full node."""
    validators: tuple[bytes, ...]
    """The epoch's set."""
    quorum: int
    heartbeat_s: float
    """A chain without work makes a block so often."""

    name: str = ""
    chain: str = ""
    names: Mapping[bytes, str] = field(default_factory=dict)
    connected: frozenset[bytes] = frozenset()
    """Validators that are connected, this one included."""
    peers: int = 0
    """Connected nodes, validators or not."""
    heights: Mapping[bytes, int] = field(default_factory=dict)
    """What connected validators said of their last final block."""
    behind: int = 0
    """Blocks that others say are final and are not here."""
    syncing: bool = False

    final_number: int = 0
    final_hash: bytes = b""
    final_age_s: float | None = None
    """Since the last final block became final here; None while there is only genesis."""
    best_number: int = 0

    epoch: int = 0
    agreement: AgreementSnapshot | None = None
    """None for a full node, and before a validator takes part."""
    without_log: bool = False
    """A validator that has no log yet waits to hear how far the others are."""
    waits_for_worker: bool = False
    """A validator may wait for its worker before it joins."""

    round: int = 0
    phase: str = "PHASE_NONE"
    awaited: tuple[bytes, ...] = ()
    """Miners that have not delivered what the phase waits for."""
    deadline_ms: int = 0
    """Unix time at which the phase ends if the chain moves; 0 = none."""

    clocks: Mapping[bytes, int] = field(default_factory=dict)
    """How far the connected validators' clocks are ahead of the own one, in ms."""
    worker: str = "off"
    worker_error: str = ""
    disk: Disk | None = None

    @property
    def clock_offset_ms(self) -> int | None:
        """How far the own clock is ahead of the other validators' median; None when none told the time."""
        return -round(statistics.median(self.clocks.values())) if self.clocks else None

    @property
    def is_validator(self) -> bool:
        """Whether this node's account is in the set."""
        return self.account in self.validators

    def label(self, account: bytes) -> str:
        """Return how a sentence calls a validator."""
        label = self.names.get(account) or self.short(account)
        return f"{label} (this node)" if account == self.account else label

    @staticmethod
    def short(account: bytes) -> str:
        """Return the beginning of an account's address."""
        return f"{ss58_encode(account)[:8]}…"

    def with_disk(self, disk: Disk | None) -> Facts:
        """Return these facts with the disk's."""
        return dataclasses.replace(self, disk=disk)


def measure_disk(base_path: Path) -> Disk | None:
    """Return what the disk below a base path says; None when it says nothing. Not for the trio thread."""
    try:
        free = shutil.disk_usage(base_path).free
    except OSError:
        return None
    return Disk(free, folder_bytes(database_folder(base_path)))


def folder_bytes(folder: Path) -> int:
    """Return the bytes of the files right below a folder; LevelDB may remove some meanwhile."""
    total = 0
    try:
        for file in folder.iterdir():
            try:
                total += file.stat().st_size
            except FileNotFoundError:
                continue
    except OSError:
        return total
    return total
