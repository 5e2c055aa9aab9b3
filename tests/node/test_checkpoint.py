"""Starting from the state of a final block: what is proven, who is charged, and what is there afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio

import node.checkpoint
import node.state_pages
from node.chain import Chain
from node.checkpoint import CheckpointDownload
from node.cli.node_command import _checkpoint
from node.config import Checkpoint
from node.consensus.abstention import Abstention
from node.consensus.core import Core
from node.consensus.driver import ConsensusDriver
from node.consensus.scheme import Ed25519Scheme
from node.errors import ConfigError, NodeStartError
from node.state_pages import state_page
from node.storage.database import Database
from node.storage.errors import StatePruned, StorageError
from node.storage.importing import StateImport
from node.storage.pruning import Pruning
from node.sync import Synchronizer
from node.sync_pages import page
from pocl.v1.network_pb2 import StateRequest, StateResponse, SyncRequest
from tests.node.chain_harness import GENESIS, RUNTIME, open_at
from tests.node.consensus.bench import TIMING
from tests.node.sync_harness import Peers, Remote, Spoil, grow
from tests.pallets.harness import ALICE

BLOCKS, AT = 60, 46
"""The checkpoint is inside the epoch of blocks 41 to 50."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    chain = open_at(tmp_path_factory.mktemp("source"))
    grow(chain, BLOCKS)
    yield chain
    chain.close()


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some ten parts, and several requests for headers."""
    for module in (node.state_pages, node.checkpoint):
        monkeypatch.setattr(module, "PART_BYTES", 100)
    monkeypatch.setattr(node.state_pages, "MAX_HEADERS", 4)
    monkeypatch.setattr(node.checkpoint, "_PAUSE_S", 0)


def remote(peer_id: str, chain: Chain, spoil: Spoil = lambda request, answer: answer) -> Remote:
    # The download uses threads, so virtual time would run away from it.
    return Remote(peer_id, chain, spoil=spoil, delay_s=0)


def cut_after(count: int, scope: trio.CancelScope) -> Spoil:
    """An honest peer that is there for so many requests."""
    left = [count]

    def spoil(request: Any, answer: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            scope.cancel()
        return answer

    return spoil


def checkpoint_of(chain: Chain, number: int) -> Checkpoint:
    return Checkpoint(chain.database.hash(number) or b"", number)


def begin(folder: Path, checkpoint: Checkpoint) -> StateImport:
    return StateImport.open(folder / "db.partial", GENESIS.hash, checkpoint.number, checkpoint.hash)


async def download(folder: Path, peers: Peers, checkpoint: Checkpoint, within_s: float = 10) -> Chain:
    """Download, install and open."""
    growing = begin(folder, checkpoint)
    try:
        with trio.fail_after(within_s):
            await CheckpointDownload(peers, checkpoint, GENESIS.header).run(growing)  # type: ignore[arg-type]
        growing.install(folder / "db", GENESIS.hash)
    finally:
        growing.close()
    return open_at(folder / "db")


@pytest.mark.parametrize("number", [AT, 45, 50, 51, 60, 1])
async def test_a_node_goes_on_from_any_final_block(source: Chain, tmp_path: Path, number: int) -> None:
    peers = Peers(remote("one", source), remote("two", source))
    chain = await download(tmp_path, peers, checkpoint_of(source, number))
    assert not peers.charged
    assert chain.final_hash == source.database.hash(number)
    assert list(chain.final_state().iterate(b"")) == list(source.final_state(number).iterate(b""))
    assert chain.epoch_change.epoch == number // 10 + 1
    RUNTIME.try_state(chain.final_state())
    check_that_a_core_can_start(chain, tmp_path)

    sync = Synchronizer(chain, margin=0, imported=lambda: None)
    sync.attach(peers)  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sync.run)
        with trio.fail_after(20):
            while chain.final_hash != source.final_hash:
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    assert chain.final_hash == source.final_hash
    assert list(chain.final_state().iterate(b"")) == list(source.final_state().iterate(b""))
    chain.close()


def check_that_a_core_can_start(chain: Chain, folder: Path) -> None:
    """A validator finds its epoch's opening block and its last final block's certificate, and has no log."""
    nothing: Any = None
    log_file = folder / "log"
    driver = ConsensusDriver(
        key=ALICE, log_file=log_file, chain=chain, pool=nothing, network=nothing, spec=nothing, need_sync=nothing
    )  # fmt: skip
    info, final = driver._executor.epoch_info(), driver._executor.final_block()
    assert info.epoch == chain.epoch_change.epoch
    assert final.hash == chain.final_hash
    Core(
        scheme=Ed25519Scheme(ALICE), timing=TIMING, genesis_hash=GENESIS.hash, epoch=info, final=final
    )  # fmt: skip
    # Though all say that they have nothing: it abstains.
    network: Any = SimpleNamespace(peers=list)
    abstention = Abstention(ALICE.public, chain, network, nothing)
    for account in chain.epoch_change.validators:
        peer: Any = SimpleNamespace(validator=account, final_number=0, epoch=1, begun=None)
        abstention.on_peer(peer)
    assert abstention.look() == info.epoch + 2


@pytest.mark.parametrize("text", ["latest", "@5", "0x00@5", f"{bytes(32).hex()}@0", f"{bytes(32).hex()}@-1"])
def test_a_checkpoint_is_written_as_hash_and_height(text: str) -> None:
    with pytest.raises(ConfigError):
        _checkpoint(text)
    assert _checkpoint(f"0x{b'h'.hex() * 32}@7") == Checkpoint(b"h" * 32, 7)


async def test_what_was_before_is_not_here(source: Chain, tmp_path: Path) -> None:
    chain = await download(tmp_path, Peers(remote("one", source)), checkpoint_of(source, AT))
    database = chain.database
    for number in (1, 30, AT - 1):
        assert database.block(number) is None
        assert database.justification(number) is None
        with pytest.raises(StatePruned):
            database.state(number)
    # The headers of its own epoch are, and block 0's.
    assert [number for number in range(BLOCKS) if database.header(number)] == [0, *range(40, AT + 1)]
    assert database.justification(AT) == source.justification(AT)
    # To others it says that it cannot give them.
    answer = page(chain, SyncRequest(from_number=1))
    assert (len(answer.blocks), answer.oldest_number) == (0, AT + 1)
    # It serves the checkpoint on, and what comes after it.
    assert state_page(chain, StateRequest(block_hash=chain.final_hash, start=bytes(32))).found
    assert len(state_page(chain, StateRequest(block_hash=chain.final_hash)).headers) == 4
    assert not state_page(chain, StateRequest(block_hash=database.hash(42) or b"", start=bytes(32))).found
    # Pruning goes on as in any database.
    database.set_pruning(Pruning.both(1))
    while database.prune():
        pass
    assert chain.final_state().get(b"validators.Epoch:") is not None
    chain.close()


def other_value(request: StateRequest, answer: StateResponse) -> StateResponse:
    if answer.entries.entries:
        answer.entries.entries[0].value += b"!"
    return answer


def left_out(request: StateRequest, answer: StateResponse) -> StateResponse:
    if answer.entries.entries:
        del answer.entries.entries[0]
    return answer


def says_last(request: StateRequest, answer: StateResponse) -> StateResponse:
    if answer.HasField("entries"):
        answer.entries.last = True
        del answer.entries.right[:]
    return answer


def one_by_one(request: StateRequest, answer: StateResponse) -> StateResponse:
    """Proven, but so small that the state would never be whole."""
    if not request.start:
        return answer
    return state_page(
        ONE_BY_ONE[0], StateRequest(block_hash=request.block_hash, start=request.start, max_bytes=1)
    )


def of_another_block(request: StateRequest, answer: StateResponse) -> StateResponse:
    other = StateRequest(block_hash=ONE_BY_ONE[0].database.hash(AT - 3) or b"", start=request.start)
    return state_page(ONE_BY_ONE[0], other)


def bad_certificate(request: StateRequest, answer: StateResponse) -> StateResponse:
    if answer.justification.certificate.signatures:
        answer.justification.certificate.signatures[0] = bytes(64)
    return answer


def other_headers(request: StateRequest, answer: StateResponse) -> StateResponse:
    if answer.headers:
        answer.headers[0].view += 1
    return answer


def no_headers(request: StateRequest, answer: StateResponse) -> StateResponse:
    return StateResponse(found=True)


def another_header(request: StateRequest, answer: StateResponse) -> StateResponse:
    """One that has the right number, in a chain of its own."""
    if answer.headers:
        answer.headers[-1].view += 1
    return answer


def headers_of_two_epochs(request: StateRequest, answer: StateResponse) -> StateResponse:
    """Linked and true, but beyond the one that opened the epoch: its validators are not the block's."""
    if answer.headers:
        last = answer.headers[-1].number
        headers = [ONE_BY_ONE[0].database.header(number) for number in range(30, last + 1)]
        return StateResponse(found=True, headers=[header for header in headers if header is not None])
    return answer


def from_the_start(request: StateRequest, answer: StateResponse) -> StateResponse:
    """A true part, of another place."""
    if request.start:
        return state_page(ONE_BY_ONE[0], StateRequest(block_hash=request.block_hash, start=bytes(32)))
    return answer


def silent(request: StateRequest, answer: StateResponse) -> None:
    return None


def nothing(request: StateRequest, answer: StateResponse) -> StateResponse:
    return StateResponse()


ONE_BY_ONE: list[Chain] = []


@pytest.mark.parametrize(
    "spoil",
    [
        other_value, left_out, says_last, one_by_one, of_another_block, bad_certificate, other_headers,
        another_header, headers_of_two_epochs, from_the_start, no_headers, silent, nothing,
    ],
)  # fmt: skip
async def test_a_bad_peer_is_charged_and_the_others_give_the_rest(
    source: Chain, tmp_path: Path, spoil: Callable[..., Any]
) -> None:
    ONE_BY_ONE[:] = [source]
    bad = [remote(f"bad {number}", source, spoil) for number in range(3)]
    peers = Peers(remote("good", source), *bad, silence_s=0)
    chain = await download(tmp_path, peers, checkpoint_of(source, AT))
    assert list(chain.final_state().iterate(b"")) == list(source.final_state(AT).iterate(b""))
    assert [number for number in range(1, AT) if chain.database.header(number)] == list(range(40, AT))
    assert "good" not in peers.charged
    assert bool(peers.charged) is (spoil is not nothing)
    chain.close()


@pytest.mark.parametrize("what", ["hash", "number"])
async def test_a_wrong_checkpoint_is_never_taken(source: Chain, tmp_path: Path, what: str) -> None:
    right = checkpoint_of(source, AT)
    wrong = Checkpoint(bytes(32), AT) if what == "hash" else Checkpoint(right.hash, AT + 1)
    growing = begin(tmp_path, wrong)
    with trio.CancelScope() as scope:
        peers = Peers(*(remote(f"peer {number}", source, cut_after(1, scope)) for number in range(3)))
        await CheckpointDownload(peers, wrong, GENESIS.header).run(growing)  # type: ignore[arg-type]
    assert not growing.finished
    # Nobody has a block of that hash; of the right hash all give a block that is not the one of that number.
    assert len(peers.charged) == (0 if what == "hash" else 3)
    growing.close()


async def test_a_download_that_ended_early_goes_on_and_is_no_database_before(
    source: Chain, tmp_path: Path
) -> None:
    checkpoint = checkpoint_of(source, AT)
    growing = begin(tmp_path, checkpoint)
    with trio.CancelScope() as scope:
        peers = Peers(remote("one", source, cut_after(6, scope)))
        await CheckpointDownload(peers, checkpoint, GENESIS.header).run(growing)  # type: ignore[arg-type]
    reached = growing.next_path
    assert reached not in (None, bytes(32))
    assert not growing.finished
    with pytest.raises(StorageError, match="not whole"):
        growing.finish(GENESIS.header, [source.database.header(AT)], source.justification(AT))  # type: ignore[list-item, arg-type]
    growing.close()
    assert not (tmp_path / "db").exists()

    again = remote("one", source)
    chain = await download(tmp_path, Peers(again), checkpoint)
    assert next(request.start for request in again.requests if request.start) == reached
    assert list(chain.final_state().iterate(b"")) == list(source.final_state(AT).iterate(b""))
    assert not (tmp_path / "db.partial").exists()
    chain.close()


def test_a_part_is_bounded_whatever_is_asked_for(source: Chain) -> None:
    request = StateRequest(block_hash=source.final_hash, start=bytes(32), max_bytes=2**31)
    entries = state_page(source, request).entries
    size = [len(entry.key) + len(entry.value) for entry in entries.entries]
    assert not entries.last
    assert sum(size[:-1]) < 100 <= sum(size)


async def test_each_part_is_one_synced_write(source: Chain, tmp_path: Path) -> None:
    growing = begin(tmp_path, checkpoint_of(source, AT))
    recorded = Recorded(growing._db)
    growing._db = recorded
    await CheckpointDownload(Peers(remote("one", source)), checkpoint_of(source, AT), GENESIS.header).run(
        growing
    )  # type: ignore[arg-type]
    assert growing.finished
    growing.close()
    assert len(recorded.batches) > 5
    assert all(how.get("sync") for how in recorded.batches)


class Recorded:
    """A database that takes down how its batches are written, and writes in no other way."""

    def __init__(self, db: Any) -> None:
        self.batches: list[dict[str, Any]] = []
        self.get, self.close, self._write_batch = db.get, db.close, db.write_batch

    def write_batch(self, **how: Any) -> Any:
        self.batches.append(how)
        return self._write_batch(**how)


async def test_a_download_of_another_block_is_thrown_away(source: Chain, tmp_path: Path) -> None:
    growing = begin(tmp_path, checkpoint_of(source, 20))
    with trio.CancelScope() as scope:
        peers = Peers(remote("one", source, cut_after(6, scope)))
        await CheckpointDownload(peers, checkpoint_of(source, 20), GENESIS.header).run(growing)  # type: ignore[arg-type]
    assert growing.next_path != bytes(32)
    growing.close()
    chain = await download(tmp_path, Peers(remote("one", source)), checkpoint_of(source, AT))
    assert list(chain.final_state().iterate(b"")) == list(source.final_state(AT).iterate(b""))
    chain.close()


async def test_a_chain_that_is_there_is_never_replaced(source: Chain, tmp_path: Path) -> None:
    place = tmp_path / "db"
    mine = open_at(place)
    grow(mine, 3)
    checkpoint = checkpoint_of(source, AT)
    growing = begin(tmp_path, checkpoint)
    await CheckpointDownload(Peers(remote("one", source)), checkpoint, GENESIS.header).run(growing)  # type: ignore[arg-type]
    with pytest.raises(NodeStartError, match="another node uses"):
        growing.install(place, GENESIS.hash)
    mine.close()
    with pytest.raises(StorageError, match="blocks up to 3"):
        growing.install(place, GENESIS.hash)
    with pytest.raises(NodeStartError, match="not the checkpoint"):
        node.checkpoint._needed(place, GENESIS.hash, Checkpoint(bytes(32), 2))
    assert not node.checkpoint._needed(place, GENESIS.hash, checkpoint)
    Database.open(place, GENESIS.hash).close()
