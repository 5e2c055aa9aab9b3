"""The most likely reason why a chain does not move, in one sentence; a pure function of the facts.

The causes are looked at in an order in which an earlier one explains the later ones: a full disk stops everything;
a node that is behind has to catch up first; without a quorum of connections there are no votes; without votes
the view does not end. Beside the sentence stand hints: what else needs an operator's hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from node.status.facts import Facts

MOVING, WAITING, STUCK = "moving", "waiting", "stuck"
"""Blocks become final; they do not, which will pass by itself; they do not, and somebody has to do something."""

PATIENCE_S = 10.0
"""A chain moves if a block became final within this time, or within two heartbeats where that is longer."""

DISK_FULL, DISK_LOW = 64 * 2**20, 2**30
CLOCK_MS = 2000
"""From this difference on the clock is named: proposals of others wait here, or the own ones there."""

BEHIND = 8
"""A validator in step may hear of a few blocks before it has them."""

_LISTED = 5


@dataclass(frozen=True)
class Verdict:
    """What the facts mean."""

    state: str
    sentence: str
    hints: tuple[str, ...] = ()


def judge(facts: Facts) -> Verdict:
    """Return the sentence and the hints for a node."""
    for rule in _RULES:
        found = rule(facts)
        if found is not None:
            state, sentence = found
            # Right after the start nothing is wrong yet.
            if state == STUCK and facts.up_s < patience_s(facts):
                state = WAITING
            hints = tuple(hint for hint in _hints(facts) if hint not in sentence)
            return Verdict(state, sentence, hints)
    raise AssertionError("the last rule always finds something")


def patience_s(facts: Facts) -> float:
    """Return after how many seconds without a final block the chain does not move."""
    return max(PATIENCE_S, 2 * facts.heartbeat_s)


def is_moving(facts: Facts) -> bool:
    """Return whether a block became final lately."""
    return facts.final_age_s is not None and facts.final_age_s <= patience_s(facts)


def joined(labels: Iterable[str]) -> str:
    """Return a list for a sentence: `a, b and c`, a long one cut."""
    items = list(labels)
    if len(items) > _LISTED:
        items = [*items[: _LISTED - 1], f"{len(items) - _LISTED + 1} more"]
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else "nobody"


def duration(seconds: float) -> str:
    """Return a time span for people: `0.4 s`, `35 s`, `12 min`, `3.5 h`, `4 days`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} days"


def size(count: int) -> str:
    """Return a number of bytes for people."""
    if count < 2**20:
        return f"{count / 1000:.0f} kB"
    return f"{count / 1e6:.0f} MB" if count < 10**9 else f"{count / 1e9:.1f} GB"


Found = tuple[str, str] | None


def _full_disk(facts: Facts) -> Found:
    if facts.disk is None or facts.disk.free >= DISK_FULL:
        return None
    return STUCK, f"the disk of the base path is full: {size(facts.disk.free)} are free"


def _behind(facts: Facts) -> Found:
    if facts.behind <= BEHIND and (facts.behind == 0 or is_moving(facts)):
        return None
    blocks = "1 block" if facts.behind == 1 else f"{facts.behind} blocks"
    if facts.syncing:
        return WAITING, f"this node is {blocks} behind and syncing"
    return STUCK, f"this node is {blocks} behind and gets no blocks from its peers"


def _moving(facts: Facts) -> Found:
    if not is_moving(facts):
        return None
    assert facts.final_age_s is not None
    parts = [f"final and moving: block {facts.final_number}, {duration(facts.final_age_s)} ago"]
    if facts.without_log:
        parts.insert(0, _no_log(facts))
    elif (abstention := _abstention(facts)) is not None:
        parts.insert(0, abstention)
    if facts.round and facts.phase != "PHASE_NONE":
        parts.append(_round(facts))
    return MOVING, "; ".join(parts)


def _worker_first(facts: Facts) -> Found:
    if not facts.waits_for_worker:
        return None
    return WAITING, f"this validator waits for its worker ({facts.worker}) before it joins consensus"


def _connections(facts: Facts) -> Found:
    if not facts.is_validator:
        return None
    n = len(facts.validators)
    abstention = _abstention(facts)
    voting = facts.connected - ({facts.account} if abstention else set())
    if len(voting) >= facts.quorum:
        return None
    missing = joined(facts.label(v) for v in facts.validators if v not in facts.connected)
    are = "is" if len(facts.connected) == 1 else "are"
    connected = f"{len(facts.connected)} of {n} validators {are} connected"
    if abstention is None:
        return STUCK, f"{connected}, {facts.quorum} are needed: waiting for {missing}"
    if len(facts.connected) == n:
        return STUCK, f"{abstention}, and the other {n - 1} are no quorum: {facts.quorum} are needed"
    return STUCK, f"{connected} and {abstention}, {facts.quorum} others are needed: waiting for {missing}"


def _follower(facts: Facts) -> Found:
    if facts.is_validator:
        return None
    since = "nothing is final yet" if facts.final_age_s is None else _since(facts)
    if facts.peers == 0:
        return STUCK, f"this node has no peers: {since}"
    peers = "its one peer tells" if facts.peers == 1 else f"its {facts.peers} peers tell"
    return STUCK, f"{since}; this node only follows, and {peers} of no newer block: ask a validator"


def _waits_without_log(facts: Facts) -> Found:
    return (WAITING, _no_log(facts)) if facts.without_log else None


def _wrong_clock(facts: Facts) -> Found:
    hint = _clock(facts)
    return None if hint is None else (STUCK, hint)


def _missing_block(facts: Facts) -> Found:
    if facts.agreement is None or not facts.agreement.missing_block:
        return None
    return WAITING, f"blocks above {facts.final_number} are final, but not all of them are here yet: fetching"


def _starting(facts: Facts) -> Found:
    return (WAITING, "this validator is joining consensus") if facts.agreement is None else None


def _votes(facts: Facts) -> Found:
    agreement = facts.agreement
    assert agreement is not None
    needed, leader = agreement.quorum, facts.label(agreement.leader)
    view = f"view {agreement.view} of epoch {agreement.epoch}"
    skip, take = len(agreement.nullified), len(agreement.notarized)
    voted = agreement.nullified | agreement.notarized
    silent = [facts.label(v) for v in facts.validators if v not in voted]
    if not agreement.proposed and skip == 0:
        return STUCK, f"{view} waits for a proposal of {leader}"
    what = f"{take} of {needed} votes for the proposal of {leader} are here"
    if not agreement.proposed:
        what = f"{leader} has proposed nothing, {skip} of {needed} votes to skip it are here"
    elif skip:
        what = (
            f"{take} votes for the proposal of {leader} and {skip} to skip it are here, {needed} are needed"
        )
    if silent:
        return STUCK, f"{view}: {what}: waiting for {joined(silent)}"
    return STUCK, f"{view}: {what}; everybody has voted: the next view decides"


_RULES: tuple[Callable[[Facts], Found], ...] = (
    _full_disk,
    _behind,
    _moving,
    _worker_first,
    _connections,
    _follower,
    _waits_without_log,
    _wrong_clock,
    _missing_block,
    _starting,
    _votes,
)


def _hints(facts: Facts) -> Iterable[str]:
    if facts.disk is not None and DISK_FULL <= facts.disk.free < DISK_LOW:
        yield f"only {size(facts.disk.free)} are free on the disk of the base path"
    if (clock := _clock(facts)) is not None:
        yield clock
    missing = [facts.label(v) for v in facts.validators if v not in facts.connected]
    if facts.is_validator and missing and len(facts.connected) >= facts.quorum:
        few = ", no more than needed" if len(facts.connected) == facts.quorum else ""
        are = "is" if len(missing) == 1 else "are"
        yield (
            f"{len(facts.connected)} of {len(facts.validators)} validators are connected{few}: "
            f"{joined(missing)} {are} missing"
        )
    if facts.worker == "failed":
        yield f"the worker failed: {facts.worker_error or 'its own lines in the log say why'}"
    elif facts.is_validator and facts.worker == "off":
        yield "the worker is off: this validator takes part in no round"
    if facts.account is not None and not facts.is_validator:
        yield "this node's account is not in the validator set"


def _clock(facts: Facts) -> str | None:
    offset = facts.clock_offset_ms
    if offset is None or abs(offset) < CLOCK_MS:
        return None
    where = "ahead of" if offset > 0 else "behind"
    return f"this node's clock is {duration(abs(offset) / 1000)} {where} the other validators': set it (NTP)"


def _abstention(facts: Facts) -> str | None:
    agreement = facts.agreement
    if agreement is None or agreement.voting or not facts.is_validator:
        return None
    return f"this validator abstains until epoch {agreement.abstain_until}"


def _no_log(facts: Facts) -> str:
    needed = min(facts.quorum, len(facts.validators) - 1)
    missing = [facts.label(v) for v in facts.validators if v not in facts.connected]
    text = (
        f"this validator has no log of its votes and waits until {needed} others have said how far they are"
    )
    return f"{text}: {joined(missing)} not connected" if missing else text


def _round(facts: Facts) -> str:
    if not facts.awaited:
        return f"round {facts.round} is in {facts.phase}"
    waits = f"round {facts.round} waits in {facts.phase} for {joined(map(facts.label, facts.awaited))}"
    if facts.deadline_ms > facts.now_ms:
        return f"{waits} until {datetime.fromtimestamp(facts.deadline_ms / 1000):%H:%M:%S}"
    return f"{waits}, beyond the deadline" if facts.deadline_ms else waits


def _since(facts: Facts) -> str:
    assert facts.final_age_s is not None
    return f"nothing became final for {duration(facts.final_age_s)} (last is block {facts.final_number})"
