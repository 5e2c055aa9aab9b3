"""The ranking that labels and predictions imply: what a ballot must say.

An owner ranks every miner that revealed, except itself and those that marked its records unavailable. A
removed owner cannot reveal, so it is on no ballot. Better is who has more correct labels among the owner's R
records; of two with equally many, whose predictions were committed in an earlier block (its speed). Equal in
both: the same place. The chain computes the ranking itself and refuses a ballot that says anything else, so a
ballot holds no opinion: what an owner can choose is its records, and that was before it saw a prediction.

Pure functions, for the on-chain and the off-chain halves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import eq

from pallets.prediction.owners import NOT_PREDICTED, part
from pocl.v1.vote_pb2 import RankGroup


@dataclass(frozen=True, slots=True)
class Revealed:
    """What a miner revealed: R labels an owner, and the block of its commitment to them."""

    miner: bytes
    predictions: bytes
    block: int


def correct_labels(labels: bytes, predicted: bytes) -> int:
    """Return at how many places two sequences of labels of one length agree."""
    return sum(map(eq, labels, predicted))


def correct_on(owner: bytes, index: int, labels: bytes, revealed: Iterable[Revealed]) -> dict[bytes, int]:
    """Return how many of the owner's records each miner that its ballot ranks has right.

    `index` is the owner's number, `labels` are its R labels.
    """
    result = {}
    for entry in revealed:
        predicted = part(entry.predictions, index, len(labels))
        # A part is left out as a whole or not at all (prediction.reveal), so its first byte tells.
        if entry.miner != owner and predicted[0] != NOT_PREDICTED:
            result[entry.miner] = correct_labels(labels, predicted)
    return result


def ranking(correct: Mapping[bytes, int], blocks: Mapping[bytes, int]) -> list[list[bytes]]:
    """Return the miners best first, those of one place together and sorted.

    `correct` are their correct labels, `blocks` the blocks of their commitments.
    """

    def place(miner: bytes) -> tuple[int, int]:
        return -correct[miner], blocks[miner]

    return [list(group) for _, group in groupby(sorted(sorted(correct), key=place), key=place)]


def rank_groups(places: Sequence[Sequence[bytes]]) -> list[RankGroup]:
    """Return a ranking as a ballot carries it."""
    return [RankGroup(miners=miners) for miners in places]


def implied_ranking(owner: bytes, index: int, labels: bytes, revealed: Sequence[Revealed]) -> list[RankGroup]:
    """Return the `ranking` that `vote.cast` demands of an owner: all the above in one."""
    blocks = {entry.miner: entry.block for entry in revealed}
    return rank_groups(ranking(correct_on(owner, index, labels, revealed), blocks))
