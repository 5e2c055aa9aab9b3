"""Owners by number: bitmaps of unavailable ones, and the parts of a miner's predictions.

The owners of a round are its proposers, sorted ascending by account. In a bitmap of n owners, owner i is bit
(i mod 8), counted from the lowest, of byte i/8; it has ceil(n/8) bytes and no bit beyond owner n-1. In
predictions, owner i's part is bytes [i*R, (i+1)*R), one label a record, R records an owner.

Pure functions, for the on-chain and the off-chain halves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

NOT_PREDICTED = 255
"""Stands for every label of a part that a miner leaves out: its own, and those of owners it marked."""


def bitmap(count: int, marked: Iterable[int]) -> bytes:
    """Return the bitmap over `count` owners in which the given ones are marked."""
    data = bytearray(-(-count // 8))
    for index in marked:
        if not 0 <= index < count:
            raise ValueError(f"there is no owner {index} among {count}")
        data[index // 8] |= 1 << index % 8
    return bytes(data)


def is_bitmap(data: bytes, count: int) -> bool:
    """Return whether these bytes are a bitmap over `count` owners."""
    return len(data) == -(-count // 8) and int.from_bytes(data, "little") < 1 << count


def is_marked(data: bytes, index: int) -> bool:
    """Return whether a bitmap marks owner `index`."""
    return bool(data[index // 8] >> index % 8 & 1)


def removed_owners(bitmaps: Iterable[bytes], count: int, faulty: int) -> list[int]:
    """Return the owners that more than `faulty` of the bitmaps mark: an honest miner could not get their records."""
    bitmaps = list(bitmaps)
    return [i for i in range(count) if sum(is_marked(data, i) for data in bitmaps) > faulty]


def part(predictions: bytes, index: int, records: int) -> bytes:
    """Return what a miner predicted on owner `index`'s records."""
    return predictions[index * records : (index + 1) * records]


def join(parts: Sequence[bytes | None], records: int) -> bytes:
    """Return predictions from one part an owner, None where the miner leaves it out."""
    return b"".join(bytes([NOT_PREDICTED]) * records if item is None else item for item in parts)


def flaw(predictions: bytes, own: int, marked: bytes, owners: int, records: int, classes: int) -> str:
    """Return what is wrong with predictions of the right length, or "".

    They must be NOT_PREDICTED exactly on the own part and on those of owners marked by the miner itself, and
    elsewhere labels below `classes`.
    """
    left_out = bytes([NOT_PREDICTED]) * records
    for index in range(owners):
        given = part(predictions, index, records)
        if index == own or is_marked(marked, index):
            if given != left_out:
                which = "the own part" if index == own else "a part marked unavailable"
                return f"{which} (owner {index}) must be {NOT_PREDICTED} throughout"
        elif records and max(given) >= classes:
            return f"owner {index}'s part holds {max(given)}: labels are below {classes}"
    return ""
