"""The tally: from ballots to provisional winners.

Candidates are the miners that cast a ballot (so they proposed, committed, revealed and were not removed): who
has not shown its labels cannot win. On a ballot stand all candidates but its owner; M of them. Those that
marked the owner's records unavailable are not ranked on it and have the middle place.

**Points**, doubled so that shared places stay whole numbers: on a ballot a candidate has
    2 for each candidate ranked below it, 1 for each that shares its place, 0 for each above,
    and 1 for each pair in which either one is not ranked.
Without ties and marks that is twice the Borda count of the paper: 2(M-1), 2(M-2), ..., 0. Those of one place
share the points of the places they take up; an unranked candidate has M-1, the middle; every ballot deals
M(M-1).

**Countable** is a ballot that ranks at least one candidate. Under `screened` it counts only if the median of
the ranked candidates' accuracies on its records is within `screen_margin_bp` of the median of that figure
over all countable ballots: records on which everybody fails, or nobody, are not real ones.

**Rules**. `borda` and `screened` order by the mean of the points over the counted ballots a candidate stands
on, `median` by the median of them. The mean, because a candidate is not on its own ballot: with sums, an
owner whose ballot does not count would stand on one ballot more than the others and gain by it. Where all
ballots count, the order is that of the sums, the paper's. A candidate on no counted ballot has the middle,
M-1. Ties are broken by accuracy over the counted ballots that rank the candidate (none: 0), the last ones by
the lower H("pocl/tie/1" || round seed || account).

The first max(K, f+1) are the provisional winners: f+1, so that one of them is honest. Whatever the order in
which ballots came, the tally is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from pocl.hashing import hash256
from pocl.v1.vote_pb2 import MinerTally, Score, Tally

BASIS_POINTS = 10_000


@dataclass(frozen=True, slots=True)
class OwnerBallot:
    """A ballot as the tally sees it: its owner, the places (best first), and the correct labels of each ranked."""

    owner: bytes
    places: Sequence[Sequence[bytes]]
    correct: Mapping[bytes, int]


@dataclass(frozen=True, slots=True)
class TallyRules:
    """What a tally depends on beside the ballots. `provisional` is how many may win: max(K, f+1)."""

    voting: str
    records: int
    screen_margin_bp: int
    provisional: int
    seed: bytes


def tally(rules: TallyRules, candidates: Iterable[bytes], ballots: Iterable[OwnerBallot]) -> Tally:
    """Return the tally of a round. Ballots of owners that are no candidates, and ranked miners that are none,
    are left out of account.
    """
    standing = sorted(set(candidates))
    countable = _countable(standing, ballots)
    counted = _screened(rules, countable) if rules.voting == "screened" else countable
    points: dict[bytes, list[int]] = {miner: [] for miner in standing}
    for ballot in counted:
        for miner, number in ballot_points(ballot, standing).items():
            points[miner].append(number)
    middle = max(0, len(standing) - 2)
    value: Callable[[list[int]], Fraction] = _median if rules.voting == "median" else _mean
    entries = [_entry(miner, points[miner], countable, counted, rules.records) for miner in standing]

    def order(entry: MinerTally) -> tuple[Fraction, Fraction, bytes]:
        numbers = points[entry.miner]
        worth = value(numbers) if numbers else Fraction(middle)
        accuracy = Fraction(entry.correct, entry.records) if entry.records else Fraction(0)
        return -worth, -accuracy, hash256("pocl/tie/1", rules.seed, entry.miner)

    entries.sort(key=order)
    counting = {ballot.owner for ballot in counted}
    return Tally(
        miners=entries,
        provisional=[entry.miner for entry in entries[: rules.provisional]],
        counted_owners=sorted(counting),
        screened_out=sorted(ballot.owner for ballot in countable if ballot.owner not in counting),
    )


def ballot_points(ballot: OwnerBallot, candidates: Sequence[bytes]) -> dict[bytes, int]:
    """Return the doubled points of every candidate on a ballot, its owner excepted."""
    others = [miner for miner in candidates if miner != ballot.owner]
    ranked = [[miner for miner in place if miner in ballot.correct] for place in ballot.places]
    unranked = len(others) - sum(map(len, ranked))
    points = dict.fromkeys(others, len(others) - 1)
    below = sum(map(len, ranked))
    for place in ranked:
        below -= len(place)
        for miner in place:
            points[miner] = 2 * below + (len(place) - 1) + unranked
    return points


def _countable(candidates: Sequence[bytes], ballots: Iterable[OwnerBallot]) -> list[OwnerBallot]:
    """Return the candidates' ballots, by owner, without ranked miners that are no candidates, and none empty."""
    standing = set(candidates)
    result = []
    for ballot in sorted(ballots, key=lambda ballot: ballot.owner):
        correct = {miner: number for miner, number in ballot.correct.items() if miner in standing}
        if ballot.owner in standing and correct:
            result.append(OwnerBallot(ballot.owner, ballot.places, correct))
    return result


def _screened(rules: TallyRules, ballots: Sequence[OwnerBallot]) -> list[OwnerBallot]:
    """Return the ballots whose median accuracy is within the margin of the median over all of them."""
    if not ballots:
        return []
    figures = [_median(ballot.correct.values()) for ballot in ballots]
    middle = _median(figures)
    allowed = Fraction(rules.screen_margin_bp * rules.records, BASIS_POINTS)
    return [
        ballot for ballot, figure in zip(ballots, figures, strict=True) if abs(figure - middle) <= allowed
    ]


def _entry(
    miner: bytes,
    points: Sequence[int],
    countable: Sequence[OwnerBallot],
    counted: Sequence[OwnerBallot],
    records: int,
) -> MinerTally:
    ranking = [ballot for ballot in counted if miner in ballot.correct]
    return MinerTally(
        miner=miner,
        points=sum(points),
        correct=sum(ballot.correct[miner] for ballot in ranking),
        records=records * len(ranking),
        scores=[
            Score(owner=ballot.owner, correct=ballot.correct[miner])
            for ballot in countable
            if miner in ballot.correct
        ],
    )


def _mean(numbers: Sequence[int]) -> Fraction:
    return Fraction(sum(numbers), len(numbers))


def _median(numbers: Iterable[int | Fraction]) -> Fraction:
    """Return the middle number, or the mean of the two in the middle."""
    ordered = sorted(numbers)
    half = len(ordered) // 2
    if len(ordered) % 2:
        return Fraction(ordered[half])
    return Fraction(ordered[half - 1] + ordered[half], 2)
