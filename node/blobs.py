"""Weights and records on disk, by name (pocl.hashing: what a name is).

A blob is two files: `<name>` with its bytes and `<name>.meta`, JSON with size, round, visibility and chunk
hashes. Both are written beside, synced and renamed, the bytes first, so a blob exists exactly when its .meta
does, and what `put` returned survives a crash. What is given out is checked against the hashes again: a disk
that forgets must not make this node look like a liar.
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from node.durable import sync_path
from node.errors import PoclError
from pocl.hashing import BLOB_CHUNK, HASH_SIZE, blob_name_of, chunk_hash, chunk_hashes
from pocl.v1.worker_service_pb2 import BlobVisibility

logger = logging.getLogger(__name__)

_DATA = re.compile(r"[0-9a-f]{64}")
_META = ".meta"
_TEMPORARY = ".part"


class BlobStoreError(PoclError):
    """A blob cannot be stored: the store is full of blobs that must stay."""


class BlobDiskError(BlobStoreError):
    """The disk refused a blob. The node must stop (`on_failure`)."""


@dataclass(frozen=True)
class BlobMeta:
    """What is known of a stored blob. `round` is the newest round it was stored for."""

    name: bytes
    size: int
    round: int
    visibility: int
    """A BlobVisibility: from when on peers may have it."""

    chunk_hashes: tuple[bytes, ...]


class BlobStore:
    """The blobs below one directory. Safe to call from several threads; one process at a time.

    `max_bytes` bounds the sum of all sizes: when a new blob does not fit, those of older rounds that are not
    public make room, oldest first.
    """

    def __init__(self, path: Path, max_bytes: int = 16 * 2**30) -> None:
        """Open the store, making the directory when it is missing. Raise BlobStoreError."""
        self._path = path
        self._max_bytes = max_bytes
        self._lock = threading.RLock()
        self._index: dict[bytes, BlobMeta] = {}
        self.on_failure: Callable[[BlobDiskError], None] | None = None
        """Called when the disk refuses a blob, from the thread that stored it."""
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._load()
        except OSError as error:
            raise BlobDiskError(f"{path}: cannot be used as blob store: {error.strerror}") from None
        self._used = sum(meta.size for meta in self._index.values())

    def put(self, data: bytes, round: int, visibility: int) -> bytes:
        """Store a blob and return its name; it is on disk, synced, when this returns.

        Bytes that are here already get the newer round and this visibility, but public ones stay public.
        Raise BlobDiskError when the disk refuses, BlobStoreError when the bound does not allow it.
        """
        hashes = chunk_hashes(data)
        name = blob_name_of(len(data), hashes)
        with self._lock:
            known = self._index.get(name)
            if known is not None:
                round = max(round, known.round)
                visibility = max(
                    visibility, known.visibility, key=lambda value: value == BlobVisibility.PUBLIC
                )
            meta = BlobMeta(name, len(data), round, visibility, tuple(hashes))
            if meta == known:
                return name
            try:
                if known is None:
                    self._make_room(len(data), round)
                    self._write(name.hex(), data)
                self._write(name.hex() + _META, _encode(meta))
                self._sync_directory()
            except OSError as error:
                failure = BlobDiskError(f"{self._path}: a blob cannot be written: {error.strerror}")
                if self.on_failure is not None:
                    self.on_failure(failure)
                raise failure from None
            self._index[name] = meta
            self._used += len(data) if known is None else 0
        return name

    def stat(self, name: bytes) -> BlobMeta | None:
        """Return what is known of a blob, None when it is not here."""
        with self._lock:
            return self._index.get(name)

    def get(self, name: bytes) -> bytes | None:
        """Return a blob's bytes, None when it is not here (or the disk lost it, which is logged)."""
        meta = self.stat(name)
        return None if meta is None else self._read(meta, 0, max(1, len(meta.chunk_hashes)))

    def read_chunk(self, name: bytes, offset: int, max_bytes: int) -> bytes | None:
        """Return whole chunks from `offset`, at most `max_bytes` together but at least one.

        None when the blob is not here or `offset` is not where a chunk starts.
        """
        meta = self.stat(name)
        if meta is None or offset % BLOB_CHUNK or offset < 0:
            return None
        if offset >= meta.size and offset > 0:
            return None
        return self._read(meta, offset // BLOB_CHUNK, max(1, max_bytes // BLOB_CHUNK))

    def drop_before(self, round: int, *, public: bool = False) -> int:
        """Remove the blobs of rounds before `round`, public ones only if told. Return how many went."""
        with self._lock:
            old = [
                meta.name
                for meta in self._index.values()
                if meta.round < round and (public or meta.visibility != BlobVisibility.PUBLIC)
            ]
            for name in old:
                self._remove(name)
        return len(old)

    def names(self) -> list[bytes]:
        """Return the names of all blobs, sorted."""
        with self._lock:
            return sorted(self._index)

    @property
    def used_bytes(self) -> int:
        """The sum of all sizes."""
        return self._used

    def _read(self, meta: BlobMeta, first: int, count: int) -> bytes | None:
        """Return chunks `first` to `first + count` of a blob, checked; a damaged blob is removed."""
        hashes = meta.chunk_hashes[first : first + count]
        try:
            with open(self._path / meta.name.hex(), "rb") as file:
                file.seek(first * BLOB_CHUNK)
                data = file.read(min(len(hashes) * BLOB_CHUNK, meta.size - first * BLOB_CHUNK))
        except OSError as error:
            if self.stat(meta.name) is None:
                return None
            data, problem = None, error.strerror
        else:
            problem = "its bytes are not those that were stored"
        if data is not None and tuple(chunk_hashes(data)) == hashes:
            return data
        logger.error("blob %s is damaged and was removed: %s", meta.name.hex(), problem)
        with self._lock:
            self._remove(meta.name)
        return None

    def _make_room(self, size: int, round: int) -> None:
        if self._used + size <= self._max_bytes:
            return
        removable = [
            meta
            for meta in self._index.values()
            if meta.round < round and meta.visibility != BlobVisibility.PUBLIC
        ]
        for meta in sorted(removable, key=lambda meta: meta.round):
            if self._used + size <= self._max_bytes:
                return
            self._remove(meta.name)
        if self._used + size > self._max_bytes:
            raise BlobStoreError(
                f"{self._path}: a blob of {size} bytes does not fit: {self._used} of {self._max_bytes} bytes "
                "are taken by blobs that must stay"
            )

    def _remove(self, name: bytes) -> None:
        """Forget a blob; its .meta goes first, so a crash between the two leaves no half blob."""
        meta = self._index.pop(name, None)
        self._used -= meta.size if meta is not None else 0
        for file in (self._path / (name.hex() + _META), self._path / name.hex()):
            try:
                file.unlink(missing_ok=True)
            except OSError as error:
                logger.error("%s cannot be removed: %s", file, error.strerror)

    def _write(self, file_name: str, data: bytes) -> None:
        part = self._path / (file_name + _TEMPORARY)
        with open(part, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, self._path / file_name)

    def _sync_directory(self) -> None:
        sync_path(self._path)

    def _load(self) -> None:
        """Read the index, and remove what a crash left: parts, bytes without .meta, .meta without bytes."""
        for file in sorted(self._path.iterdir()):
            if file.name.endswith(_META) and _DATA.fullmatch(file.name.removesuffix(_META)):
                name = bytes.fromhex(file.name.removesuffix(_META))
                meta = _decode(name, file.read_bytes())
                data = file.with_suffix("")
                if meta is None or not data.is_file() or data.stat().st_size != meta.size:
                    logger.error("blob %s is damaged and was removed: its files do not fit", name.hex())
                    file.unlink()
                else:
                    self._index[name] = meta
        for file in sorted(self._path.iterdir()):
            part = file.name.endswith(_TEMPORARY)
            orphan = bool(_DATA.fullmatch(file.name)) and bytes.fromhex(file.name) not in self._index
            if part or orphan:
                file.unlink()


def _encode(meta: BlobMeta) -> bytes:
    fields = {
        "size": meta.size,
        "round": meta.round,
        "visibility": meta.visibility,
        "chunk_hashes": [item.hex() for item in meta.chunk_hashes],
    }
    return json.dumps(fields).encode()


def _decode(name: bytes, text: bytes) -> BlobMeta | None:
    """Return the metadata of a .meta file, None when it is not what `_encode` wrote for this name."""
    try:
        fields = json.loads(text)
        hashes = tuple(bytes.fromhex(item) for item in fields["chunk_hashes"])
        meta = BlobMeta(name, int(fields["size"]), int(fields["round"]), int(fields["visibility"]), hashes)
        named = blob_name_of(meta.size, hashes) == name
    except (ValueError, KeyError, TypeError):
        return None
    return meta if named else None


def check_pull(name: bytes, size: int, hashes: list[bytes]) -> str | None:
    """Return what is wrong with the first answer to a pull of `name`, None when size and hashes are its own."""
    if any(len(item) != HASH_SIZE for item in hashes) or len(hashes) != -(-size // BLOB_CHUNK):
        return "its chunk hashes do not fit its size"
    if blob_name_of(size, hashes) != name:
        return "its chunk hashes do not give its name"
    return None


def check_chunks(hashes: list[bytes], size: int, offset: int, data: bytes) -> bool:
    """Tell whether `data` is a run of whole chunks of the blob of these hashes, from `offset`."""
    first, end = offset // BLOB_CHUNK, offset + len(data)
    if offset % BLOB_CHUNK or not data or end > size or (end % BLOB_CHUNK and end != size):
        return False
    view = memoryview(data)
    return all(
        chunk_hash(view[start : start + BLOB_CHUNK]) == hashes[first + start // BLOB_CHUNK]
        for start in range(0, len(data), BLOB_CHUNK)
    )
