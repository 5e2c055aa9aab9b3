"""How a round's emission is divided among its winners. Integers only.

    base pool = floor(emission * base_share_bp / 10000), in equal parts to all winners
    the rest in proportion to each winner's weight:
      accuracy           floor(2^32 * correct / records), over the counted ballots that rank it
      weight_difference  the paper's R_i times 2^32: every attester measures it, and the median of the
                         attesters counts. Over a model's L layers of N_l weights each,
                             R_i = 1/L * sum over l of ( 1/N_l * sum over n of |W_n^l - W~_n^l| )
                         where W are the winner's weights and W~ those of the global model it started from.
                         With a base share of 0 the reward is the paper's: emission * R_i / sum of all R.
      contribution       leave-one-out: how much of its accuracy the new global model owes to the winner,
                             floor(2^32 * max(0, correct - correct without it) / records)
                         on the records with open labels of the counted owners but the winner itself. Without
                         it is what the chain's rule gives of the other winners, of none the starting model.
                         Measured by every attester; the median counts. Of two winners with equal models each
                         contributes next to nothing; all that improves nothing contributes nothing.

A *free ride* is a winner that is no better than the global model it started from: on the records of the
owners whose ballots counted and rank it, it has at most as many labels right as that model has. What that
model has right is measured by the attesters too, for each owner the median of at least f+1 reports; owners
without are left out, and where no owner is left nothing is called a free ride. Its weight is 0: it gets its
base share, and the rest goes to winners that improved the model. What this cannot catch: a global model with
a little honest training or luck on top.

A winner that gave a false tag in the audit forfeits its reward. Nobody else gets more by it: accusing must
not pay.

Nobody has a weight (a sole miner, no countable ballot): those that are no free rides share the rest equally.

Every division rounds down. What is left over, what is forfeited, and the rest when all winners are free
rides, is not minted: a round mints at most its emission, and issuance is genesis plus what was minted.

A median of an even number of reports is the lower of the two in the middle. Of 2f+1 reports or more with at
most f false ones it lies between two honest ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

FIXED_POINT = 1 << 32
BASIS_POINTS = 10_000


@dataclass(frozen=True, slots=True)
class Share:
    """What one winner brings to the division."""

    miner: bytes
    weight: int
    free_ride: bool = False
    forfeits: bool = False


def divide(emission: int, base_share_bp: int, shares: Sequence[Share]) -> list[tuple[bytes, int]]:
    """Return what each winner is paid, in the order given; the sum is at most `emission`."""
    if not shares:
        return []
    pool = emission * base_share_bp // BASIS_POINTS
    base, rest = pool // len(shares), emission - pool
    weights = [0 if share.free_ride else share.weight for share in shares]
    if not any(weights):
        weights = [0 if share.free_ride else 1 for share in shares]
    total = sum(weights)
    return [
        (share.miner, 0 if share.forfeits else base + (rest * weight // total if total else 0))
        for share, weight in zip(shares, weights, strict=True)
    ]


def accuracy_weight(correct: int, records: int) -> int:
    """Return a winner's weight under the rule `accuracy`."""
    return FIXED_POINT * correct // records if records else 0


def contribution(correct: int, without: int, records: int) -> int:
    """Return a winner's weight under the rule `contribution`, as one attester measured it."""
    return FIXED_POINT * max(0, correct - without) // records if records else 0


def is_free_ride(correct: Mapping[bytes, int], baseline: Mapping[bytes, int]) -> bool:
    """Return whether a model is no better than the one it started from.

    `correct` are the labels that it has right by owner, over counted ballots that rank it; `baseline` the
    same of the starting model, of the owners for which it was measured.
    """
    owners = correct.keys() & baseline.keys()
    return bool(owners) and sum(correct[o] for o in owners) <= sum(baseline[o] for o in owners)


def low_median(numbers: Sequence[int]) -> int:
    """Return the middle one of at least one number, the lower of two."""
    return sorted(numbers)[(len(numbers) - 1) // 2]
