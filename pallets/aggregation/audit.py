"""Who wins: the verdicts of the auditors on the provisional winners.

For one provisional winner, of n miners with at most f faulty:
- f+1 OK: it *passes*. At least one of them is honest, so an honest miner holds the weights, found them right,
  and serves them to the others. Its own OK counts as any miner's does: at most f of f+1 are lies, whoever
  they are about. (With n = 1 the only miner audits itself.)
- else f+1 MISMATCH, or so many audits that f+1 OK cannot come any more: it *fails*;
- else it is *open*, and fails when the phase ends.
f+1 OK come before f+1 MISMATCH: honest machines may differ on a model at the edge of the tolerance, and that
one of them found it right is enough.

Winners are the first K that pass, in the order of the tally. The audit is decided when nobody who is still
open can change that: nobody open stands before the K-th that passed, or nobody is open at all.

Disqualified, with an event, are those that failed before the K-th winner, and any that f+1 found MISMATCH.
The reason is MISMATCH where f+1 said so, else UNAVAILABLE: not enough auditors could confirm the model.

Pure functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pocl.v1.aggregation_pb2 import MISMATCH, OK, UNAVAILABLE, Verdict


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the audits so far say about one provisional winner; neither flag: it is open."""

    winner: bytes
    passed: bool
    failed: bool
    mismatch: bool
    """f+1 found a mismatch."""

    @property
    def reason(self) -> Verdict:
        """Why it fails."""
        return MISMATCH if self.mismatch else UNAVAILABLE


def judge(
    provisional: Sequence[bytes], audits: Iterable[Sequence[Verdict]], miners: int, faulty: int
) -> list[Judgement]:
    """Return the judgement on each provisional winner. `audits` are the auditors' verdicts in the same order."""
    rows = list(audits)
    waiting = miners - len(rows)
    result = []
    for place, winner in enumerate(provisional):
        column = [row[place] for row in rows]
        passed = column.count(OK) > faulty
        mismatch = not passed and column.count(MISMATCH) > faulty
        lost = column.count(OK) + waiting <= faulty
        result.append(Judgement(winner, passed, not passed and (mismatch or lost), mismatch))
    return result


def is_decided(judgements: Sequence[Judgement], places: int) -> bool:
    """Return whether the first `places` that pass are known already."""
    passed = 0
    for judgement in judgements:
        if not judgement.passed and not judgement.failed:
            return False
        passed += judgement.passed
        if passed == places:
            return True
    return True


def winners(judgements: Sequence[Judgement], places: int) -> list[bytes]:
    """Return the first `places` that passed."""
    return [judgement.winner for judgement in judgements if judgement.passed][:places]


def disqualified(judgements: Sequence[Judgement], places: int) -> list[Judgement]:
    """Return those that lost a place by the audit, in their order, at the end of the phase."""
    passed = 0
    result = []
    for judgement in judgements:
        if not judgement.passed and (judgement.mismatch or passed < places):
            result.append(judgement)
        passed += judgement.passed
    return result
