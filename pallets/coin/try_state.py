"""The invariants of the coin pallet's books, for tests after every block."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise

from pallets.coin.ranges import Range, contains
from pocl.v1.coin_pb2 import QueuedTransfer
from pocl.v1.system_pb2 import AccountInfo


def check_books(
    *,
    accounts: Mapping[bytes, AccountInfo],
    issuance: int,
    bonds: Mapping[bytes, int],
    queue: Mapping[int, QueuedTransfer],
    queued: int,
    waiting: Sequence[Range],
    exact: Sequence[Range],
) -> None:
    """Raise AssertionError unless the books balance.

    `waiting` are the ranges of waiting transfers, which may have holes; `exact` those dealt and unpaid, which
    may not.
    """
    total = sum(_amount(account.free) + _amount(account.reserved) for account in accounts.values())
    assert total == issuance, f"accounts hold {total}, issuance is {issuance}"

    queued_of: defaultdict[bytes, int] = defaultdict(int)
    for entry in queue.values():
        queued_of[entry.sender] += _amount(entry.amount)
    for who, account in accounts.items():
        reserved, bond = _amount(account.reserved), bonds.get(who, 0)
        assert reserved == queued_of[who] + bond, (
            f"0x{who.hex()}: {reserved} reserved, {queued_of[who]} queued, {bond} bonded"
        )
    assert set(queued_of) <= set(accounts), "a transfer is queued whose sender has no account"
    assert {who for who, bond in bonds.items() if bond} <= set(accounts), "a bond has no account"
    assert len(queue) == queued, f"{len(queue)} transfers are queued, the books say {queued}"

    parts = sorted((*waiting, *exact))
    for (_, end), (start, _) in pairwise(parts):
        assert end <= start, f"an index has two places: a range ends at {end}, another starts at {start}"
    for index in queue:
        assert contains(parts, index), f"transfer {index} neither waits nor is dealt nor unpaid"
    for start, end in exact:
        for index in range(start, end):
            assert index in queue, f"transfer {index} is dealt or unpaid but not in the queue"


def _amount(data: bytes) -> int:
    return int.from_bytes(data, "big")
