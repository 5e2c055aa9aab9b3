"""Files of length-delimited records: exported blocks and states.

    file   = magic[8] || u32be(version) || genesis hash[32] || record ... || end
    record = u32be(length) || bytes            length at least 1
    end    = u32be(0) || u64be(records) || BLAKE2b-256 of all before it
So who reads a file knows its kind, its chain, and whether it is whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

from node.errors import PoclError
from pocl.hashing import HASH_SIZE

MAX_RECORD = 64 * 2**20
MAGIC_SIZE = 8


class FileError(PoclError):
    """A file is not what it should be: the message names it, what is wrong, and where."""


class FrameWriter:
    """Writes one file; what is not ended by `end` is refused by readers."""

    def __init__(self, file: BinaryIO, magic: bytes, version: int, genesis_hash: bytes) -> None:
        self._file = file
        self._hash = blake2b(digest_size=HASH_SIZE)
        self.records = 0
        self._write(magic + version.to_bytes(4, "big") + genesis_hash)

    def write(self, record: bytes) -> None:
        """Append a record."""
        self._write(len(record).to_bytes(4, "big") + record)
        self.records += 1

    def end(self) -> None:
        """Say that this was all."""
        self._write(bytes(4) + self.records.to_bytes(8, "big"))
        self._file.write(self._hash.digest())

    def _write(self, data: bytes) -> None:
        self._hash.update(data)
        self._file.write(data)


class FrameReader:
    """Reads one file. Raise FileError when its head is not the one that is wanted."""

    def __init__(self, file: BinaryIO, path: Path, magic: bytes, version: int) -> None:
        self._file = file
        self._path = path
        self._hash = blake2b(digest_size=HASH_SIZE)
        head = file.read(MAGIC_SIZE + 4 + HASH_SIZE)
        if len(head) < MAGIC_SIZE + 4 + HASH_SIZE or not head.startswith(magic):
            raise FileError(f"{path}: is no file of {magic.decode()}: pocl writes another one")
        found = int.from_bytes(head[MAGIC_SIZE : MAGIC_SIZE + 4], "big")
        if found != version:
            raise FileError(f"{path}: has format {found}, this program knows format {version}")
        self.genesis_hash = head[-HASH_SIZE:]
        self._hash.update(head)

    def require_chain(self, genesis_hash: bytes) -> None:
        """Raise FileError when the file is of another chain."""
        if self.genesis_hash != genesis_hash:
            raise FileError(
                f"{self._path}: is of the chain with genesis 0x{self.genesis_hash.hex()}, not 0x{genesis_hash.hex()}"
            )

    @property
    def position(self) -> int:
        """How many bytes have been read."""
        return self._file.tell()

    def __iter__(self) -> Iterator[bytes]:
        """Yield the records. Raise FileError where the file ends early or goes on after its end."""
        count = 0
        while True:
            at = self.position
            length = int.from_bytes(self._exactly(4, at), "big")
            if length == 0:
                break
            if length > MAX_RECORD:
                raise FileError(f"{self._path}: is damaged at byte {at}: a record of {length} bytes")
            yield self._exactly(length, at)
            count += 1
        told = int.from_bytes(self._exactly(8, at), "big")
        hash = self._hash.digest()
        if told != count or self._exactly(HASH_SIZE, at) != hash or self._file.read(1):
            raise FileError(
                f"{self._path}: is damaged at byte {at}: its end does not fit its {count} records"
            )

    def _exactly(self, size: int, at: int) -> bytes:
        data = self._file.read(size)
        if len(data) < size:
            raise FileError(f"{self._path}: ends early, in the record at byte {at}: it was cut short")
        self._hash.update(data)
        return data
