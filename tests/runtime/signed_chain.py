"""A chain of blocks over real state trees, signed by real validators; what they say is up to the test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pocl.hashing import ZERO_HASH
from pocl.keys import Keypair
from pocl.v1.block_pb2 import Block, EpochChange, EventRecord, Header
from pocl.v1.consensus_pb2 import FINALIZE, Certificate, Justification, VoteKind
from pocl.v1.proof_pb2 import StateProof
from runtime.blocks import ExecutedBlock, header_hash
from runtime.certificates import make_certificate, vote_message
from runtime.state import MemoryState
from runtime.tree import prove, update
from tests.runtime.tree.harness import Nodes


def keypairs(*names: str) -> list[Keypair]:
    """Return development keys as a validator set has them: sorted."""
    return sorted((Keypair.from_uri(f"//{name}") for name in names), key=lambda pair: pair.public)


VALIDATORS = keypairs("Alice", "Bob", "Charlie", "Dave")
OTHERS = keypairs("Dave", "Eve", "Ferdie", "Grace")


def epoch_change(epoch: int, validators: Sequence[Keypair]) -> EpochChange:
    accounts = [pair.public for pair in validators]
    return EpochChange(epoch=epoch, validators=accounts, leaders=accounts[:2], seed=ZERO_HASH)


class SignedChain:
    """Blocks from a genesis on. `sets` holds the validators' keys of each epoch."""

    def __init__(
        self, validators: Sequence[Keypair] = VALIDATORS, genesis: Mapping[bytes, bytes | None] | None = None
    ) -> None:
        self.nodes = Nodes()
        self.states: list[MemoryState] = []
        self.blocks: list[ExecutedBlock] = []
        self.sets: dict[int, Sequence[Keypair]] = {}
        self.block(genesis or {}, opens=validators)

    @property
    def genesis_hash(self) -> bytes:
        return self.blocks[0].hash

    @property
    def headers(self) -> list[Header]:
        return [block.header for block in self.blocks]

    def block(
        self,
        changes: Mapping[bytes, bytes | None],
        opens: Sequence[Keypair] = (),
        extrinsics: Sequence[bytes] = (),
        events: Sequence[EventRecord] = (),
    ) -> ExecutedBlock:
        """Append a block; with `opens` it closes its epoch, and the next one has these validators."""
        number = len(self.blocks)
        parent = self.blocks[-1].header if self.blocks else Header()
        tree = update(self.nodes, number - 1 if number else None, changes, number)
        header = Header(
            parent_hash=self.blocks[-1].hash if self.blocks else ZERO_HASH,
            number=number,
            epoch=parent.next_epoch.epoch or parent.epoch,
            view=number,
            timestamp_ms=1000 * number,
            state_root=tree.root,
        )
        if opens:
            header.next_epoch.CopyFrom(epoch_change(header.epoch + 1, opens))
            self.sets[header.epoch + 1] = opens
        self.nodes.update(tree.nodes)
        state = MemoryState(self.states[-1].entries if self.states else None)
        state.apply(changes)
        self.states.append(state)
        self.blocks.append(
            ExecutedBlock(
                block=Block(header=header, extrinsics=extrinsics),
                hash=header_hash(header),
                header=header,
                changes=dict(changes),
                tree=tree,
                events=tuple(events),
                weight=0,
            )
        )
        return self.blocks[-1]

    def certificate(
        self,
        header: Header,
        *,
        signers: Sequence[int] = (0, 1, 2),
        kind: VoteKind = FINALIZE,
        epoch: int | None = None,
    ) -> Certificate:
        """Return a certificate for that header by members of its epoch's set."""
        epoch, hash = header.epoch if epoch is None else epoch, header_hash(header)
        keys = self.sets[header.epoch]
        message = vote_message(self.genesis_hash, epoch, header.view, kind, hash)
        votes = {index: keys[index].sign(message) for index in signers}
        return make_certificate(epoch, header.view, kind, hash, votes, len(keys))

    def justification(self, number: int, certified: int | None = None) -> Justification:
        """Return why block `number` is final, by the certificate of block `certified` (default: its own)."""
        certified = number if certified is None else certified
        return Justification(
            descendants=self.headers[number + 1 : certified + 1],
            certificate=self.certificate(self.headers[certified]),
        )

    def proof(self, key: bytes, number: int | None = None) -> StateProof:
        """Return the proof of a key's value, or of its absence, after block `number` (default: the last)."""
        number = len(self.blocks) - 1 if number is None else number
        return prove(self.nodes, number, key, self.states[number].get(key))
