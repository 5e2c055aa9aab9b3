"""Starting from a checkpoint: the state of one final block instead of all blocks since block 0.

The operator names a block by hash and number, and thereby trusts that it is final: whoever gives a wrong hash
ends on a wrong chain. All the rest is proven from that hash:
1. the header has that hash and number; the headers before it are linked by their hashes, back to the one that
   opened its epoch, which announces that epoch's validators;
2. these have finalized the block: their certificate signs this chain's genesis hash as well;
3. the entries of its state come in parts, in the order of their paths; each is all there is between its ends, by
   a range proof against the header's state root (runtime/range_proof.py). So a false part is known at once, and
   so is who gave it.
The parts grow into a database of their own (node/storage/importing.py), which takes its place only when it is
whole: a download that ends early goes on at the next start. What follows the block comes by sync. What was before
it is not here.

A peer that gives what is not proven, or nothing in time, is charged, and the next one is asked.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import trio

from node import layout
from node.blobs import BlobStore
from node.config import Checkpoint, NodeConfig
from node.errors import NodeStartError
from node.genesis import build_genesis
from node.known_genesis import known_genesis
from node.lifetime import stop_on_signal
from node.network import Handlers, Network, NetworkSettings, Peer, RequestFailed
from node.network.reputation import MALFORMED
from node.state_pages import PART_BYTES
from node.storage.database import Database
from node.storage.importing import StateImport
from pocl.v1.block_pb2 import Header
from pocl.v1.consensus_pb2 import Justification
from pocl.v1.network_pb2 import StateRequest, StateResponse, SyncResponse
from runtime.blocks import header_hash
from runtime.certificates import CertificateError, verify_justification
from runtime.range_proof import verify_range

log = logging.getLogger("pocl.checkpoint")

_NO_ANSWER = 10
_PAUSE_S = 0.2
_TELL_S = 10.0

Check = Callable[[StateResponse], str | None]
"""Says what is wrong with an answer."""


@dataclass(frozen=True)
class Facts:
    """What is proven of the block: its epoch's headers up to it, and why it is final."""

    headers: list[Header]
    justification: Justification


class CheckpointDownload:
    """Gets everything of one block from the network's peers."""

    def __init__(self, network: Network, checkpoint: Checkpoint, genesis: Header) -> None:
        self._network = network
        self._checkpoint = checkpoint
        self._genesis = genesis
        self._turn = 0
        # Who did not answer in time: asked last.
        self._silent: set[str] = set()
        self._told = trio.current_time()

    async def run(self, growing: StateImport) -> None:
        """Complete `growing`; returns when it is finished."""
        facts = await self.facts()
        root = facts.headers[-1].state_root
        while (start := growing.next_path) is not None:
            request = StateRequest(block_hash=self._checkpoint.hash, start=start, max_bytes=PART_BYTES)
            answer = await self._ask(request, lambda answer, start=start: part_fault(answer, start, root))  # type: ignore[misc]
            await trio.to_thread.run_sync(growing.add, answer.entries)
            log.info("checkpoint: %d more entries of the state", len(answer.entries.entries))
        growing.finish(self._genesis, facts.headers, facts.justification)

    async def facts(self) -> Facts:
        """Return what rules 1 and 2 of the module's text prove."""
        headers: list[Header] = []
        wanted = self._checkpoint.hash
        while True:
            answer = await self._ask(
                StateRequest(block_hash=wanted),
                lambda answer, above=tuple(headers), wanted=wanted: self._headers_fault(
                    answer, wanted, above
                ),  # type: ignore[misc]
            )
            headers[:0] = answer.headers
            if len(headers) > 1 and headers[0].HasField("next_epoch"):
                break
            wanted = headers[0].parent_hash
        validators = list(headers[0].next_epoch.validators)

        def unproven(answer: StateResponse) -> str | None:
            try:
                verify_justification(
                    headers[-1], answer.justification, validators, header_hash(self._genesis)
                )
            except CertificateError as error:
                return str(error)
            return None

        answer = await self._ask(StateRequest(block_hash=self._checkpoint.hash), unproven)
        return Facts(headers, answer.justification)

    def _headers_fault(self, answer: StateResponse, wanted: bytes, above: tuple[Header, ...]) -> str | None:
        """Return what is wrong with the headers up to the one with hash `wanted`; `above` are those after it."""
        following = [*answer.headers, *above]
        if not answer.headers or header_hash(answer.headers[-1]) != wanted:
            return "another header than was asked for"
        last = following[-1]
        if last.number != self._checkpoint.number:
            return f"block 0x{self._checkpoint.hash.hex()} has number {last.number}"
        for parent, child in pairwise(following):
            if child.parent_hash != header_hash(parent) or child.number != parent.number + 1:
                return f"header {child.number} does not follow header {parent.number}"
        for header in following[1:-1]:
            if header.epoch != last.epoch or header.HasField("next_epoch"):
                return f"header {header.number} is not inside epoch {last.epoch}"
        first = following[0]
        opens = first is not last and first.HasField("next_epoch")
        if (first.next_epoch.epoch if opens else first.epoch) != last.epoch:
            return f"header {first.number} neither opens epoch {last.epoch} nor is in it"
        return None

    async def _ask(self, request: StateRequest, check: Check) -> StateResponse:
        """Return the first answer that passes; ask one peer after the other, again and again."""
        while True:
            for peer in self._peers():
                answer = await self._ask_peer(peer, request, check)
                if answer is not None:
                    return answer
            if trio.current_time() - self._told > _TELL_S:
                self._told = trio.current_time()
                log.warning(
                    "checkpoint: none of %d peers has block 0x%s with its state: is it final on this chain, and "
                    "young enough to be kept?",
                    len(self._network.peers()),
                    self._checkpoint.hash.hex(),
                )
            await trio.sleep(_PAUSE_S)

    def _peers(self) -> list[Peer]:
        """Return the peers, each time another one first, so that all share the work."""
        peers = self._network.peers()
        self._turn += 1
        turn = self._turn % len(peers) if peers else 0
        return sorted(peers[turn:] + peers[:turn], key=lambda peer: peer.peer_id in self._silent)

    async def _ask_peer(self, peer: Peer, request: StateRequest, check: Check) -> StateResponse | None:
        try:
            answer = await self._network.request_state(peer.peer_id, request)
        except RequestFailed as error:
            log.info("peer %s gave no state: %s", peer.name or peer.peer_id, error)
            self._silent.add(peer.peer_id)
            self._network.penalize(peer.peer_id, _NO_ANSWER, "no answer to a request for state")
            return None
        self._silent.discard(peer.peer_id)
        if not answer.found:
            return None
        # In a thread: proving a part takes a while, and the connections must live on.
        fault = await trio.to_thread.run_sync(check, answer)
        if fault is not None:
            self._network.penalize(peer.peer_id, MALFORMED, f"an answer about the checkpoint: {fault}")
            return None
        return answer


def part_fault(answer: StateResponse, start: bytes, root: bytes) -> str | None:
    """Return what is wrong with the state's entries from the path `start` on."""
    part = answer.entries
    if part.start != start or not verify_range(root, part):
        return "entries that are not the state's"
    # Else a peer could give them one by one.
    if not part.last and sum(len(entry.key) + len(entry.value) for entry in part.entries) < PART_BYTES:
        return "a part that ends early"
    return None


def start_from_checkpoint(config: NodeConfig) -> bool:
    """Make the database of a node that has none yet begin with its config's checkpoint.

    Return False when a signal ended it early. Raise NodeStartError when the database is on another chain than
    the checkpoint, or cannot be used.
    """
    checkpoint = config.checkpoint
    assert checkpoint is not None
    known = known_genesis(config.chain, config.base_path)
    place = layout.database_folder(config.base_path)
    partial = layout.partial_database_folder(config.base_path)
    if known is not None and not _needed(place, known, checkpoint):
        return True
    genesis = build_genesis(config.chain)
    if known is None and not _needed(place, genesis.hash, checkpoint):
        return True
    config.base_path.mkdir(parents=True, exist_ok=True)
    growing = StateImport.open(partial, genesis.hash, checkpoint.number, checkpoint.hash)
    try:
        if not growing.finished:
            trio.run(_download, config, checkpoint, genesis.header, growing)
        if not growing.finished:
            return False
        growing.install(place, genesis.hash)
    finally:
        growing.close()
    log.warning("this node starts from block %d: what was before is not here", checkpoint.number)
    return True


def _needed(place: Path, genesis_hash: bytes, checkpoint: Checkpoint) -> bool:
    """Tell whether the database at `place` has no more than block 0."""
    if not place.exists():
        return True
    database = Database.open(place, genesis_hash)
    try:
        height = -1 if database.empty else database.final()[0]
        here = database.hash(checkpoint.number)
    finally:
        database.close()
    if height <= 0:
        return True
    if here is not None and here != checkpoint.hash:
        raise NodeStartError(
            f"{place}: block {checkpoint.number} is 0x{here.hex()} here, not the checkpoint "
            f"0x{checkpoint.hash.hex()}: check it with somebody you trust, or use another base path"
        )
    log.info("the database is at block %d: the checkpoint is not needed", height)
    return False


async def _download(
    config: NodeConfig, checkpoint: Checkpoint, genesis: Header, growing: StateImport
) -> None:
    """Connect, as a node that has nothing to give, and get what is missing; a signal ends it early."""
    assert config.node_key_seed is not None
    settings = NetworkSettings(
        genesis_hash=header_hash(genesis),
        node_key_seed=config.node_key_seed,
        name=config.name,
        host=config.p2p_host,
        port=config.p2p_port,
        bootnodes=config.bootnodes,
    )
    validators = frozenset(genesis.next_epoch.validators)
    handlers = Handlers(
        on_consensus=lambda peer, message: None,
        on_transactions=lambda peer, extrinsics: None,
        on_announce=lambda peer, announce: False,
        serve_sync=lambda request: SyncResponse(),
        final_number=lambda: 0,
        epoch=lambda: genesis.next_epoch.epoch,
        may_serve=lambda meta: False,
        is_validator=lambda account: account in validators,
    )
    network = Network(settings, handlers, BlobStore(layout.blobs_folder(config.base_path)))
    async with trio.open_nursery() as nursery:
        await nursery.start(stop_on_signal, nursery.cancel_scope)
        await nursery.start(network.run)
        await CheckpointDownload(network, checkpoint, genesis).run(growing)
        nursery.cancel_scope.cancel()
