"""The whole key layout of the node's LevelDB database. A change here raises SCHEMA_VERSION.

| prefix | key                                     | value                                                   |
| ------ | --------------------------------------- | ------------------------------------------------------- |
| m      | name                                    | the database's own values: the names below              |
| h      | u64 number                              | Header of a final block                                 |
| b      | u64 number                              | its Block without the header                            |
| e      | u64 number                              | its BlockEvents                                         |
| j      | u64 number                              | its Justification, where no later one serves as well    |
| n      | u64 number                              | its hash                                                |
| i      | block hash                              | u64 number                                              |
| x      | extrinsic hash                          | u64 number, u32 index: where it was included last       |
| s      | state key                               | u64 version that wrote it, then the latest value        |
| d      | escaped state key, inverted u64 version | 1 then the value written by that version; 0: deleted    |
| t      | tree node key (runtime/tree/nodes.py)   | tree node                                               |
| z      | u64 since, u8 kind, full key            | empty: that key is read by no state from `since` on     |
| z      | u64 since, u8 2, u32 place              | the keys of tree nodes of which the same is true        |

Integers are big-endian, so keys sort by number. An inverted version is 2^64 - 1 minus the version: from
(key, v) on, the first entry of the key is the newest that is not newer than v. The escape keeps the order of
the keys and ends each, so that no key's history mixes with that of a longer key: 00 becomes 00 ff, the end is
00 00.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

SCHEMA_VERSION = 4

U64 = 8
_MAX = 2**64 - 1

META = b"m"
HEADER = b"h"
BODY = b"b"
EVENTS = b"e"
JUSTIFICATION = b"j"
HASH = b"n"
NUMBER = b"i"
EXTRINSIC = b"x"
FLAT = b"s"
HISTORY = b"d"
NODE = b"t"
STALE = b"z"

META_SCHEMA = META + b"schema"
"""u64 SCHEMA_VERSION."""
META_GENESIS = META + b"genesis"
"""Hash of block 0."""
META_FINAL = META + b"final"
"""u64 number, then the hash, of the last final block; absent before block 0 is stored."""
META_OLDEST_STATE = META + b"oldest-state"
"""u64 number of the oldest block whose state can be read."""
META_OLDEST_BODY = META + b"oldest-body"
"""u64 number of the oldest block whose body and events are kept."""
META_OLDEST_HEADER = META + b"oldest-header"
"""u64 number of the oldest block of which header, hash and justification are kept whatever it says (pruning.py)."""
META_PRUNING = META + b"pruning"
"""What is kept (pruning.Pruning); absent until a node was told."""
META_CHECKPOINT = META + b"checkpoint"
"""u64 number, then the hash, of the block whose state was downloaded (importing.py); absent in other databases."""
META_NEXT_PATH = META + b"next-path"
"""The path from which on the entries of that state are still missing; empty when none are."""

STALE_REPLACED = 0
"""Kind of a stale history entry: something newer took its place."""
STALE_TOMBSTONE = 1
"""Kind of a deletion's own entry. It sorts after what it hides: were it removed first, that would reappear."""
STALE_NODES = 2
"""Kind of an entry for some tree nodes: a block replaces several of them for each key it changes."""

_STALE_TOGETHER = 64

TOMBSTONE = b"\0"
PRESENT = b"\1"


def u64(number: int) -> bytes:
    """Return a u64's 8 bytes."""
    return number.to_bytes(U64, "big")


def number_of(data: bytes) -> int:
    """Return the u64 of 8 bytes."""
    return int.from_bytes(data, "big")


def history_start(state_key: bytes) -> bytes:
    """Return what every history entry of a state key starts with."""
    return HISTORY + escape(state_key) + b"\0\0"


def history_end(state_key: bytes) -> bytes:
    """Return where the history of a state key is over and that of the next one may begin."""
    return HISTORY + escape(state_key) + b"\0\1"


def history_key(state_key: bytes, version: int) -> bytes:
    """Return the key of the history entry that `version` wrote."""
    return history_start(state_key) + inverted(version)


def inverted(version: int) -> bytes:
    """Return a version so that later ones sort first."""
    return u64(_MAX - version)


def history_parts(key: bytes) -> tuple[bytes, int]:
    """Return (state key, version) of a history entry's key."""
    escaped = key[len(HISTORY) : -U64 - 2]
    return escaped.replace(b"\0\xff", b"\0"), _MAX - number_of(key[-U64:])


def escape(state_key: bytes) -> bytes:
    """Return a state key, or the start of one, so that order and prefixes are kept and 00 00 can end it."""
    return state_key.replace(b"\0", b"\0\xff")


def stale_key(since: int, kind: int, key: bytes) -> bytes:
    """Return the key of a stale index entry; `key` is the full key of what became stale."""
    return STALE + u64(since) + bytes((kind,)) + key


def stale_nodes(since: int, nodes: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yield the stale index entries for tree nodes, by their own keys: each as u8 its length, and the key."""
    for start in range(0, len(nodes), _STALE_TOGETHER):
        place = start.to_bytes(4, "big")
        together = [bytes((len(node),)) + node for node in nodes[start : start + _STALE_TOGETHER]]
        yield stale_key(since, STALE_NODES, place), b"".join(together)


def stale_targets(key: bytes, value: bytes) -> list[bytes]:
    """Return the full keys that a stale index entry names."""
    kind = len(STALE) + U64
    if key[kind] != STALE_NODES:
        return [key[kind + 1 :]]
    found, start = [], 0
    while start < len(value):
        end = start + 1 + value[start]
        found.append(NODE + value[start + 1 : end])
        start = end
    return found


def end_of(prefix: bytes) -> bytes:
    """Return the first key that sorts after all keys that start with `prefix`, whose first byte is not 0xff."""
    head = prefix.rstrip(b"\xff")
    return head[:-1] + bytes((head[-1] + 1,))


def location(number: int, index: int) -> bytes:
    """Return the value of an extrinsic's entry: its block's number and its index there."""
    return u64(number) + index.to_bytes(4, "big")


def read_location(data: bytes) -> tuple[int, int]:
    """Return (block number, index) of what `location` made."""
    return number_of(data[:U64]), int.from_bytes(data[U64:], "big")
