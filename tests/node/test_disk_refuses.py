"""Whatever cannot write says so in one line, tells the node, and leaves what was written before as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
import trio

from node import chain_spec
from node.blobs import BlobDiskError, BlobStore, BlobStoreError
from node.chain import Chain, open_chain
from node.config import NodeConfig
from node.consensus.log import ConsensusLog, LogError, read_log
from node.disk_watch import DiskWatch
from node.errors import NodeStartError, PoclError
from node.rpc.errors import fault_of
from node.service import Node
from node.storage.database import Database, StorageError
from node.worker.round_files import RoundFileError, RoundFiles
from node.worker_process import write_token
from pocl.v1.consensus_pb2 import NOTARIZE, ConsensusMessage, Vote
from pocl.v1.worker_service_pb2 import PUBLIC
from tests.full_disk import full_disk
from tests.node.storage.harness import long_chain, store


def vote(view: int) -> ConsensusMessage:
    return ConsensusMessage(vote=Vote(epoch=1, view=view, kind=NOTARIZE, signature=b"s" * 64))


@pytest.mark.parametrize("left", [0, 20])
def test_a_consensus_log_keeps_what_it_had_and_nothing_of_what_was_refused(tmp_path: Path, left: int) -> None:
    path = tmp_path / "consensus" / "log"
    log = ConsensusLog.create(path, b"g" * 32, b"a" * 32, 3)
    log.append([vote(1)])
    with full_disk(path.stat().st_size + left), pytest.raises(LogError, match="File too large"):
        log.append([vote(2)])
    # Closing must not try again.
    log.close()
    assert path.stat().st_size == len(path.read_bytes())
    reopened = ConsensusLog.open(path, b"g" * 32, b"a" * 32)
    assert reopened.records == [vote(1)]
    reopened.append([vote(3)])
    reopened.close()
    assert read_log(path) == (3, [vote(1), vote(3)])
    with full_disk(), pytest.raises(NodeStartError, match="cannot be written: File too large"):
        ConsensusLog.create(tmp_path / "other", b"g" * 32, b"a" * 32, 0)


def test_a_database_keeps_what_it_had(tmp_path: Path) -> None:
    chain = long_chain(6)
    database = Database.open(tmp_path / "db", chain.genesis_hash)
    told: list[StorageError] = []
    database.on_failure = told.append
    store(database, chain, chain.blocks[:4])
    with full_disk(), pytest.raises(StorageError, match="cannot write block 4: IO error") as refused:
        store(database, chain, chain.blocks[4:5])
    assert told == [refused.value]
    database.close()
    # Reading a closed database is no failure of the disk.
    with pytest.raises(StorageError):
        database.get(b"x")
    assert len(told) == 1
    database = Database.open(tmp_path / "db", chain.genesis_hash)
    assert database.final()[0] == 3
    store(database, chain, chain.blocks[4:])
    assert database.final()[0] == 5
    database.close()


def test_a_blob_store_tells_of_the_disk_and_not_of_its_own_bound(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path, max_bytes=1000)
    told: list[PoclError] = []
    blobs.on_failure = told.append
    with pytest.raises(BlobStoreError, match="does not fit"):
        blobs.put(bytes(1001), 1, PUBLIC)
    assert told == []
    with full_disk(), pytest.raises(BlobDiskError, match="cannot be written: File too large"):
        blobs.put(b"bytes", 1, PUBLIC)
    assert len(told) == 1
    assert blobs.names() == BlobStore(tmp_path).names() == []
    assert list(tmp_path.iterdir()) == []


def test_the_worker_and_its_token(tmp_path: Path) -> None:
    files = RoundFiles(tmp_path / "worker")
    files.write(1, "salt", b"old")
    with full_disk():
        with pytest.raises(RoundFileError, match="salt: cannot be written: File too large"):
            files.write(1, "salt", b"new")
        with pytest.raises(NodeStartError, match="token cannot be written: File too large"):
            write_token(tmp_path)
    assert files.read(1, "salt") == b"old"


def put_a_blob(node: Node) -> None:
    with full_disk(), pytest.raises(BlobDiskError):
        node.blobs.put(b"of the worker", 1, PUBLIC)


def read_a_damaged_file(node: Node) -> None:
    """As a client or a peer would: the error that these get must not be all that happens."""
    database = node.chain.database
    database.db.compact_range()  # From the log into a table, and none of it in memory.
    for table in database.path.glob("*.ldb"):
        data = bytearray(table.read_bytes())
        # All but the table's index and footer, which are at its end.
        harmed = len(data) * 9 // 10
        data[:harmed] = bytes(harmed)
        table.write_bytes(data)
    with pytest.raises(StorageError, match="database is damaged"):
        database.header(0)


@pytest.mark.parametrize(
    ("harm", "line"), [(put_a_blob, "a blob cannot be written"), (read_a_damaged_file, "database is damaged")]
)
async def test_the_node_ends_wherever_it_was_noticed(
    tmp_path: Path, harm: Callable[[Node], None], line: str
) -> None:
    error = await error_of(tmp_path, lambda node: trio.to_thread.run_sync(harm, node))
    assert line in str(error)


async def test_an_essential_task_that_dies_ends_the_node(tmp_path: Path) -> None:
    async def die(node: Node) -> None:
        async def fail() -> None:
            raise ChainFailed("sync died")

        node.sync.run = fail  # type: ignore[method-assign]

    assert str(await error_of(tmp_path, die)) == "sync died"


class ChainFailed(PoclError):
    """Any error of a task."""


async def error_of(path: Path, harm: Callable[[Node], object]) -> BaseException:
    """Run a full node, harm it, and return the error that ended it."""
    spec = chain_spec.load("dev")
    chain: Chain = open_chain(spec, path)
    config = NodeConfig(
        spec, path, "node", p2p_host="127.0.0.1", p2p_port=0, rpc_port=0, node_key_seed=b"k" * 32
    )
    try:
        node = Node(config, chain)
        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                await harm(node)  # type: ignore[misc]
                nursery.start_soon(node.run)
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        return error
    finally:
        chain.close()
    raise AssertionError("the node went on")


async def test_the_watch_hears_of_failures_from_any_thread() -> None:
    watch = DiskWatch()
    await trio.to_thread.run_sync(watch.tell, StorageError("first"))
    watch.tell(StorageError("second"))
    with trio.fail_after(10), pytest.raises(StorageError, match="first"):
        await watch.run()


@pytest.mark.parametrize("error", [StorageError("the disk"), BlobDiskError("the disk")])
def test_a_client_is_told_in_one_line(error: PoclError, caplog: pytest.LogCaptureFixture) -> None:
    fault = fault_of(error, "GetBlock")
    assert (fault.code, fault.message) == (grpc.StatusCode.DATA_LOSS, "the disk")
    assert not caplog.records
