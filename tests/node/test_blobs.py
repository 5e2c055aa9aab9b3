"""Blobs on disk: what was stored is there after a crash, and nothing else."""

from pathlib import Path

import pytest

from node.blobs import BlobStore, BlobStoreError, check_chunks, check_pull
from pocl.hashing import BLOB_CHUNK, blob_name, chunk_hashes
from pocl.v1.worker_service_pb2 import BlobVisibility

DATA = bytes(range(256)) * 3000
SECRET, REVEALED, PUBLIC = BlobVisibility.PRIVATE, BlobVisibility.AFTER_REVEAL, BlobVisibility.PUBLIC


def test_what_was_put_is_there_after_a_restart(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    name = store.put(DATA, 3, REVEALED)
    assert name == blob_name(DATA)
    again = BlobStore(tmp_path)
    meta = again.stat(name)
    assert meta is not None
    assert (meta.size, meta.round, meta.visibility, len(meta.chunk_hashes)) == (len(DATA), 3, REVEALED, 3)
    assert again.get(name) == DATA
    assert again.get(blob_name(b"")) is None
    assert again.get(again.put(b"", 0, PUBLIC)) == b""
    assert again.used_bytes == len(DATA)


def test_chunks(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    name = store.put(DATA, 3, REVEALED)
    assert store.read_chunk(name, 0, 1) == DATA[:BLOB_CHUNK]
    assert store.read_chunk(name, BLOB_CHUNK, 2**30) == DATA[BLOB_CHUNK:]
    assert store.read_chunk(name, 0, 2 * BLOB_CHUNK) == DATA[: 2 * BLOB_CHUNK]
    for offset in (1, -BLOB_CHUNK, 3 * BLOB_CHUNK):
        assert store.read_chunk(name, offset, BLOB_CHUNK) is None


def test_the_same_bytes_again_renew_round_and_visibility_but_public_stays(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    name = store.put(DATA, 3, SECRET)
    store.put(DATA, 2, REVEALED)
    meta = store.stat(name)
    assert meta is not None
    assert (meta.round, meta.visibility) == (3, REVEALED)
    store.put(DATA, 5, PUBLIC)
    store.put(DATA, 6, SECRET)
    meta = BlobStore(tmp_path).stat(name)
    assert meta is not None
    assert (meta.round, meta.visibility) == (6, PUBLIC)
    assert store.used_bytes == len(DATA)


def test_old_rounds_are_dropped_and_public_blobs_kept(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    old, kept = store.put(b"old", 1, REVEALED), store.put(b"model", 1, PUBLIC)
    new = store.put(b"new", 2, REVEALED)
    assert store.drop_before(2) == 1
    assert BlobStore(tmp_path).names() == store.names() == sorted([kept, new])
    assert store.get(old) is None
    assert store.drop_before(3, public=True) == 2
    assert list(tmp_path.iterdir()) == []


def test_the_bound_removes_older_rounds_and_then_refuses(tmp_path: Path) -> None:
    store = BlobStore(tmp_path, max_bytes=100)
    public, old = store.put(b"a" * 40, 1, PUBLIC), store.put(b"b" * 40, 1, REVEALED)
    new = store.put(b"c" * 60, 2, REVEALED)
    assert store.names() == sorted([public, new])
    assert store.stat(old) is None
    with pytest.raises(BlobStoreError, match="does not fit"):
        store.put(b"d" * 60, 2, REVEALED)
    assert store.used_bytes == 100


def test_what_a_crash_left_is_cleared_away(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    name = store.put(DATA, 1, PUBLIC)
    (tmp_path / ("f" * 64 + ".part")).write_bytes(b"half")
    (tmp_path / ("e" * 64)).write_bytes(b"bytes without .meta")
    (tmp_path / ("d" * 64 + ".meta")).write_bytes(b"{}")
    short = store.put(b"short", 1, PUBLIC)
    (tmp_path / short.hex()).write_bytes(b"shor")
    again = BlobStore(tmp_path)
    assert again.names() == [name]
    assert {file.name for file in tmp_path.iterdir()} == {name.hex(), name.hex() + ".meta"}


def test_a_damaged_blob_is_not_given_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = BlobStore(tmp_path)
    name = store.put(DATA, 1, PUBLIC)
    (tmp_path / name.hex()).write_bytes(DATA[:-1] + b"\0")
    assert store.read_chunk(name, 0, BLOB_CHUNK) == DATA[:BLOB_CHUNK]
    assert store.get(name) is None
    assert "damaged" in caplog.text
    assert store.names() == []
    assert store.get(store.put(DATA, 1, PUBLIC)) == DATA


def test_a_path_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BlobStoreError, match="cannot be used as blob store"):
        BlobStore(tmp_path / "file")


def test_a_pull_begins_with_the_hashes_that_give_the_name() -> None:
    data = bytes(BLOB_CHUNK) + b"rest"
    name, hashes = blob_name(data), chunk_hashes(data)
    assert check_pull(name, len(data), hashes) is None
    for size, others in (
        (len(data) + 1, hashes),
        (len(data), [hashes[0], bytes(32)]),
        (len(data), hashes[::-1]),
        (len(data), hashes[:1]),
        (len(data), [hashes[0], hashes[1][:31]]),
    ):
        assert check_pull(name, size, others)
    assert check_chunks(hashes, len(data), BLOB_CHUNK, b"rest")
    assert not check_chunks(hashes, len(data), BLOB_CHUNK, b"Rest")
    assert not check_chunks(hashes, len(data), BLOB_CHUNK, b"rest and more")
