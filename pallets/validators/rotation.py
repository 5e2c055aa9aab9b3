"""The set of the next epoch: who leaves it, who is put out of it, who enters.

A validator is *live* when it took part in the round that ends: it delivered something, or wrote a block. The
next set must be able to agree although whoever is not live stays silent: it needs a quorum of live members.
From the present set, one after the other:
1. the guilty of an offence are put out, the longest known first;
2. those that missed `offline_rounds` rounds in a row are put out, those that missed most first, at most f of
   the present set at a time: more than f cannot be faulty, so it is not they who are. One that had asked to
   leave has left then;
3. those that asked to leave do, oldest request first, unless the set would bear fewer faulty members;
4. those that wait enter, oldest request first, as long as there are places.
In 1 to 3 nobody goes when the set would become smaller than the minimum, and nobody who is live when those
that stay would lack a quorum of live members; who cannot go stays in the set and goes at a later boundary.
In 4 the first that cannot enter ends it.

Why 3 keeps f. That somebody took part says what it could do, not what it will: a validator may deliver, lose its
log and abstain until two boundaries later (node/consensus/log.py), which never come if the next set waits for its
vote. So of n members any f may be silent from now on, and the next set must bear those of them that stay in it.
Whoever goes in 1 or 2 is one of the f: with o of them gone at most f - o stay, and faulty(n - o) >= f - o. Whoever
leaves need not be one, so all f may stay: faulty(rest) = faulty(n). A set of 4 (of 7, 10, ...) therefore lets
nobody leave before somebody has entered; whose node is stopped goes by 2.

Whoever enters has shown nothing yet and does not count as live, but
for sets below 4, which bear no silent member anyway and could never grow otherwise.
Ties are broken by account.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from pocl.v1.validators_pb2 import Validator
from runtime.quorum import faulty, quorum

IN_SET = (Validator.ACTIVE, Validator.LEAVING, Validator.EXPELLED)

OFFENCE, OFFLINE, LEFT = "offence", "offline", "left"
"""Why a validator is not in the set any more."""

_MAY_BE_OFFLINE = (Validator.ACTIVE, Validator.LEAVING)
"""The guilty are put out for what they did."""

_BEARS_FAULTS = 4


@dataclass(frozen=True, slots=True)
class Rules:
    """What bounds a set; see the module's text."""

    offline_rounds: int
    minimum: int
    maximum: int


@dataclass(slots=True)
class Rotation:
    """The next set, sorted, and how it differs from the present one."""

    members: list[bytes]
    removed: dict[bytes, str] = field(default_factory=dict)
    entered: list[bytes] = field(default_factory=list)


def may_leave(size: int) -> bool:
    """Return whether a set of this size lets a member leave that may be honest: it bears as many faulty without."""
    return size > 1 and faulty(size - 1) == faulty(size)


def rotate(records: Mapping[bytes, Validator], live: Collection[bytes], rules: Rules) -> Rotation:
    """Return the next set. `records` are all accounts with a bond, `live` those that took part."""
    members = sorted(who for who, record in records.items() if record.status in IN_SET)
    alive = set(live) & set(members)
    rotation = Rotation(list(members))

    def remove(who: bytes, reason: str) -> None:
        rest = len(rotation.members) - 1
        lost = who in alive and len(alive) - 1 < quorum(rest) if rest else True
        if not lost and rest >= rules.minimum:
            rotation.members.remove(who)
            rotation.removed[who] = reason
            alive.discard(who)

    def waiting_for(status: Validator.Status) -> list[bytes]:
        found = [who for who, record in records.items() if record.status == status]
        return sorted(found, key=lambda who: (records[who].since, who))

    for who in waiting_for(Validator.EXPELLED):
        remove(who, OFFENCE)
    for who in _offline(members, records, rules.offline_rounds):
        remove(who, LEFT if records[who].status == Validator.LEAVING else OFFLINE)
    for who in waiting_for(Validator.LEAVING):
        if who not in rotation.removed and may_leave(len(rotation.members)):
            remove(who, LEFT)
    for who in waiting_for(Validator.WAITING):
        size = len(rotation.members) + 1
        newcomers = len(rotation.entered) + 1 if size < _BEARS_FAULTS else 0
        if size > rules.maximum or len(alive) + newcomers < quorum(size):
            break
        rotation.members.append(who)
        rotation.entered.append(who)
    rotation.members.sort()
    return rotation


def _offline(members: list[bytes], records: Mapping[bytes, Validator], rounds: int) -> list[bytes]:
    """Return who is to be put out for missing rounds, at most f."""
    silent = [
        who for who in members if records[who].status in _MAY_BE_OFFLINE and records[who].missed >= rounds
    ]
    silent.sort(key=lambda who: (-records[who].missed, who))
    return silent[: faulty(len(members))]
