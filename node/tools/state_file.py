"""The state after one final block in a file, and what a chain begun from it is made of.

The first record (frames.py) is the block's Header, whose state root the entries have; each other one is a
pocl.v1.StateEntry, in the order of the keys. In JSON it is one object: format, version, genesis_hash, header (hash,
number, state_root, timestamp_ms) and entries, hexadecimal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from node.chain import Chain
from node.errors import ConfigError
from node.storage.errors import StatePruned
from node.tools.frames import FileError, FrameReader, FrameWriter
from pocl.v1.block_pb2 import Header
from pocl.v1.proof_pb2 import StateEntry
from runtime.blocks import header_hash
from runtime.codec import CodecError, decode, encode
from runtime.executive import state_root

MAGIC = b"poclstat"
VERSION = 1


@dataclass(frozen=True)
class ExportedState:
    """A state, with the root that its block's header has."""

    genesis_hash: bytes
    number: int
    hash: bytes
    timestamp_ms: int
    state_root: bytes
    entries: Mapping[bytes, bytes]


def export_state(chain: Chain, number: int, file: BinaryIO) -> int:
    """Write the state after final block `number`; return how many entries it has."""
    header, state = _header(chain, number)
    writer = FrameWriter(file, MAGIC, VERSION, chain.genesis_hash)
    writer.write(encode(header))
    for key, value in state.iterate(b""):
        writer.write(encode(StateEntry(key=key, value=value)))
    writer.end()
    return writer.records - 1


def export_json(chain: Chain, number: int, file: TextIO) -> int:
    """Write the same for programs, an entry a line; return how many entries it has."""
    header, state = _header(chain, number)
    head = {
        "format": MAGIC.decode(),
        "version": VERSION,
        "genesis_hash": "0x" + chain.genesis_hash.hex(),
        "header": {
            "hash": "0x" + header_hash(header).hex(),
            "number": header.number,
            "state_root": "0x" + header.state_root.hex(),
            "timestamp_ms": header.timestamp_ms,
        },
    }
    file.write(json.dumps(head, indent=2).removesuffix("\n}") + ',\n  "entries": {')
    count = 0
    for key, value in state.iterate(b""):
        file.write(f'{"," if count else ""}\n    "0x{key.hex()}": "0x{value.hex()}"')
        count += 1
    file.write("\n  }\n}\n")
    return count


def read_state(path: Path) -> ExportedState:
    """Return the state in a file of either kind, whose root was computed again from its entries.

    Raise FileError for a file that is damaged or no state, and OSError when it cannot be read.
    """
    with path.open("rb") as file:
        if file.read(1) == b"{":
            state = _from_json(path)
        else:
            file.seek(0)
            state = _from_frames(file, path)
    computed = state_root(state.entries)
    if computed != state.state_root:
        raise FileError(
            f"{path}: its entries have the root 0x{computed.hex()}, its header says 0x{state.state_root.hex()}"
        )
    return state


def _header(chain: Chain, number: int) -> tuple[Header, Any]:
    try:
        state = chain.database.state(number)
    except StatePruned as error:
        raise ConfigError(str(error)) from None
    header = chain.database.header(number)
    assert header is not None, "it is kept as long as the state"
    return header, state


def _from_frames(file: BinaryIO, path: Path) -> ExportedState:
    reader = FrameReader(file, path, MAGIC, VERSION)
    records = iter(reader)
    try:
        header = decode(Header, next(records, b""))
        entries = {}
        for record in records:
            entry = decode(StateEntry, record)
            entries[entry.key] = entry.value
    except CodecError as error:
        raise FileError(f"{path}: is damaged before byte {reader.position}: {error}") from None
    return ExportedState(
        genesis_hash=reader.genesis_hash,
        number=header.number,
        hash=header_hash(header),
        timestamp_ms=header.timestamp_ms,
        state_root=header.state_root,
        entries=entries,
    )


def _from_json(path: Path) -> ExportedState:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if (value["format"], value["version"]) != (MAGIC.decode(), VERSION):
            raise FileError(f"{path}: is no state of format {VERSION}")
        header = value["header"]
        return ExportedState(
            genesis_hash=_bytes(value["genesis_hash"]),
            number=int(header["number"]),
            hash=_bytes(header["hash"]),
            timestamp_ms=int(header["timestamp_ms"]),
            state_root=_bytes(header["state_root"]),
            entries={_bytes(key): _bytes(data) for key, data in value["entries"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FileError(f"{path}: is no exported state: {type(error).__name__}: {error}") from None


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
