"""What goes into the consensus core and what comes out of it.

The core is a state machine without I/O: `Core.step(event) -> list[Action]`. The driver feeds it events, one
at a time, and carries out the actions of a step in their order, each step's after those of the step before:

- `Persist` comes first in its step. Nothing behind it, of this step or a later one, may be carried out
  before its records are on disk (synced): messages must not leave earlier.
- `Final` must be committed (synced) before the actions behind it are carried out.
- Everything else may be started and left to run: the answer comes back as an event. An answer that the core
  does not wait for any more is ignored, so a driver never has to cancel anything.

Peers are whatever hashable token the driver uses for a connection; the core only compares and returns it.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum

from pocl.v1.block_pb2 import Block, EpochChange
from pocl.v1.consensus_pb2 import Certificate, ConsensusMessage
from runtime.offences import OffenceKind
from runtime.quorum import quorum

Peer = Hashable


@dataclass(frozen=True, slots=True)
class EpochInfo:
    """Who votes and who leads in an epoch, and the final block on which its first block is built."""

    epoch: int
    validators: tuple[bytes, ...]
    """Accounts, sorted ascending: a validator's index in votes and certificates is its place here."""
    leaders: tuple[bytes, ...]
    """Preferred leaders in order; accounts of the set."""
    opening_hash: bytes
    """The closing block of the epoch before (block 0 for epoch 1)."""
    opening_number: int

    @classmethod
    def from_change(cls, change: EpochChange, block_hash: bytes, number: int) -> EpochInfo:
        """Return the epoch that the closing block with this hash and number announces in its header."""
        members = set(change.validators)
        return cls(
            epoch=change.epoch,
            validators=tuple(change.validators),
            leaders=tuple(account for account in change.leaders if account in members),
            opening_hash=block_hash,
            opening_number=number,
        )

    @property
    def quorum(self) -> int:
        """Votes that make a certificate."""
        return quorum(len(self.validators))

    def index(self, account: bytes | None) -> int | None:
        """Return the place of an account in the set, None when it is not a member."""
        return self.validators.index(account) if account is not None and account in self.validators else None


@dataclass(frozen=True, slots=True)
class FinalBlock:
    """The last final block a node has on disk: where the core starts, or where sync has brought it."""

    hash: bytes
    number: int
    certificate: Certificate | None
    """A FINALIZE certificate of it, or of a descendant in its epoch (what made it final); None for block 0.

    Its view tells the core below which view it may have voted and forgotten it: it must not be left out.
    """


class TimerKind(Enum):
    """What a timer is for. At most one timer of a kind runs: setting one replaces the one before."""

    LEADER = "leader"
    """The leader's proposal should be here."""
    VIEW = "view"
    """The view should be over."""
    STALL = "stall"
    """Nothing has moved for a while: send again."""


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer's name. A timer of an epoch and view that are over may fire: it is ignored."""

    kind: TimerKind
    epoch: int
    view: int


# ---- events


@dataclass(frozen=True, slots=True)
class Started:
    """The first event of a core, once: it sets timers, sends again what the log held, proposes."""


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A consensus message arrived, decoded from canonical bytes (runtime.codec.decode)."""

    message: ConsensusMessage
    """Never changed afterwards: the core keeps it and passes it on."""
    peer: Peer
    """The connection it came by: bad signatures are charged to it, answers go to it."""
    account: bytes | None = None
    """The validator account that the connection's other end has proven to hold (handshake), if any."""


@dataclass(frozen=True, slots=True)
class TimerFired:
    """A timer set by `SetTimer` is due."""

    timer: Timer


@dataclass(frozen=True, slots=True)
class Built:
    """Answer to `Build`: an executed block, at its final form (all roots in its header)."""

    epoch: int
    view: int
    block: Block


@dataclass(frozen=True, slots=True)
class Validated:
    """Answer to `Validate`: the block was executed on its parent and every root compared."""

    block_hash: bytes
    ok: bool
    reason: str = ""
    """Why it is invalid; for the log."""


@dataclass(frozen=True, slots=True)
class Synced:
    """Final blocks were imported by sync.

    `epoch` is the epoch that builds on `final`: the one that `final` announces when it is a closing block.
    The event must come before the answer to any `Validate` carried out after the import.
    """

    final: FinalBlock
    epoch: EpochInfo


@dataclass(frozen=True, slots=True)
class AbstentionEnds:
    """The driver has found out until when this validator, which has no log, must abstain (log.py).

    It is in the log's head (synced) before this event.
    """

    epoch: int
    """The first epoch in which it may vote and propose."""


Event = Started | MessageReceived | TimerFired | Built | Validated | Synced | AbstentionEnds


# ---- actions


@dataclass(frozen=True, slots=True)
class Persist:
    """Append the records to the log, in order, and sync it, before anything that comes after this."""

    records: tuple[ConsensusMessage, ...]


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Send to every validator of the epoch (to every connected peer), not to ourselves."""

    message: ConsensusMessage


@dataclass(frozen=True, slots=True)
class Send:
    """Send to one peer; dropped when it has gone."""

    peer: Peer
    message: ConsensusMessage


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Bring `TimerFired(timer)` after the delay. Replaces the timer of the same kind."""

    timer: Timer
    delay_ms: int


@dataclass(frozen=True, slots=True)
class Build:
    """We lead this view: build a block on the parent, which is executed, and answer with `Built`.

    The header gets this epoch and view, our account as the author, and a timestamp above the parent's. The
    driver may wait for work or the heartbeat: less than the leader's timer. Dropped by a later Build.
    """

    epoch: int
    view: int
    parent_hash: bytes


@dataclass(frozen=True, slots=True)
class Validate:
    """Execute the block on its parent (executed before) and answer with `Validated`.

    A block whose timestamp is ahead of the own clock is held until it is due, not refused. `certified`
    means that a quorum has voted for it: then the own clock does not matter. A block may be asked for a
    second time, the second time as certified: whoever holds it then lets it go.
    """

    block: Block
    block_hash: bytes
    certified: bool


@dataclass(frozen=True, slots=True)
class Notarized:
    """This executed block is the highest one with a certificate: the best block, not final yet."""

    block_hash: bytes


@dataclass(frozen=True, slots=True)
class Final:
    """The block and its ancestors are final, by this FINALIZE certificate; all of them are executed.

    Commit in one synced batch before going on. May name a block that sync has committed: then do nothing.
    """

    block_hash: bytes
    number: int
    certificate: Certificate


@dataclass(frozen=True, slots=True)
class Prune:
    """The log needs no record below this epoch and view any more. Comes after the `Final` that says so."""

    epoch: int
    view: int


@dataclass(frozen=True, slots=True)
class NeedSync:
    """Final blocks are missing here (or a whole epoch): fetch them, from this peer or any other.

    The hint is not proven: an unknown epoch's certificates cannot be checked. Answered by `Synced` when
    something was imported, otherwise by nothing. Comes again while the need lasts.
    """

    peer: Peer | None
    epoch: int
    """The epoch in which the peer seems to be."""


@dataclass(frozen=True, slots=True)
class Blame:
    """The connection sent what an honest node never sends."""

    peer: Peer
    reason: str


@dataclass(frozen=True, slots=True)
class Offence:
    """Two signed messages of one validator that contradict each other: evidence anybody can check."""

    kind: OffenceKind
    account: bytes
    first: ConsensusMessage
    second: ConsensusMessage


@dataclass(frozen=True, slots=True)
class Halt:
    """Agreement or execution has failed beyond what the protocol bears: stop the node, say why.

    A block with a quorum's votes does not execute here (more than f faulty, or this node computes
    differently), or two certificates contradict each other. The core takes no further step.
    """

    reason: str


Action = (
    Persist
    | Broadcast
    | Send
    | SetTimer
    | Build
    | Validate
    | Notarized
    | Final
    | Prune
    | NeedSync
    | Blame
    | Offence
    | Halt
)
