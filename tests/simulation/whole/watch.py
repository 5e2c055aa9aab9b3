"""What must hold at every step of a run of whole nodes, whatever the network does and f validators do.

- agreement: one final block a height, and no other one at the height of a block for which so many honest
  validators have voted FINALIZE that with the faulty ones' votes they are a quorum, seen by anybody or not;
- validity: it follows the final block before it, is of that block's epoch or the one it opens, by the leader of
  its view, and executes here, on a state of the watch's own, with every root equal; every pallet's books balance;
- issuance: all balances, bonds among them, together are the total issuance, which is the genesis' and what was
  minted without what was slashed, and no round mints more than its emission;
- once: an extrinsic is included once, a transfer settled once, a miner has one proposal, ballot and audit a round;
- no honest double vote, nobody honest accused (VoteWatch), nobody honest slashed, no two models or ballots of an
  honest miner in one round;
- sets: every certificate that an honest node sends is valid under the set of its epoch, and at the end a light
  client follows the whole chain of every honest node from the genesis header alone;
- nothing lost: what a node reported final it has after every restart and at the end.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING

from node.consensus.leaders import leader
from node.consensus.types import EpochInfo
from pallets.assembly import RUNTIME
from pocl.extrinsics import extrinsic_hash
from pocl.v1.aggregation_pb2 import AggregationEvent
from pocl.v1.block_pb2 import Block, EventRecord, Header
from pocl.v1.coin_pb2 import CoinEvent
from pocl.v1.consensus_pb2 import NOTARIZE, NULLIFY, Certificate, ConsensusMessage, Vote
from pocl.v1.model_propose_pb2 import ModelProposeEvent
from pocl.v1.system_pb2 import AccountInfo
from pocl.v1.validators_pb2 import Validator, ValidatorsEvent
from pocl.v1.vote_pb2 import VoteEvent
from runtime.blocks import ExecutedBlock, header_hash
from runtime.certificates import CertificateError, verify_certificate
from runtime.frame import InvalidBlock
from runtime.light import LightClient, LightClientError
from runtime.quorum import faulty, quorum
from tests.pallets.harness import MemoryChainState
from tests.simulation.scheme import keyed_hash_verify
from tests.simulation.watch import Violation, VoteWatch
from tests.simulation.whole.world import EMISSION, SharedRuntime, World

if TYPE_CHECKING:
    from tests.simulation.whole.node import WholeNode

_ONCE_A_ROUND = {
    "Proposed": (ModelProposeEvent.Proposed, "miner"),
    "BallotCast": (VoteEvent.BallotCast, "owner"),
    "Audited": (AggregationEvent.Audited, "auditor"),
    "Attested": (AggregationEvent.Attested, "attester"),
}


class Watch(VoteWatch):
    """Sees what honest nodes send, write and report."""

    def __init__(
        self, world: World, runtime: SharedRuntime, honest: set[int], accounts: dict[int, bytes]
    ) -> None:
        super().__init__(honest, accounts)
        self._world = world
        self._runtime = runtime
        self.headers: list[Header] = [world.genesis.header]
        self.hashes: list[bytes] = [world.genesis.hash]
        self._state = MemoryChainState()
        self._state.advance(world.genesis)
        self._epoch = EpochInfo.from_change(world.genesis.header.next_epoch, world.genesis.hash, 0)
        self._sets = {1: self._epoch.validators}
        self._minted: Counter[int] = Counter()
        self.settled: set[int] = set()
        """Transfers that a winner settled, by index."""
        # Heights of blocks that honest validators notarized, honest FINALIZE votes, and what they make final.
        self._heights: dict[bytes, int] = {}
        self._finalizing: dict[tuple[int, int, bytes], set[bytes]] = defaultdict(set)
        self._decided: dict[int, bytes] = {}
        # What honest validators signed, for those who accuse them; what their workers said.
        self._said: dict[bytes, list[ConsensusMessage]] = {account: [] for account in accounts.values()}
        self._calls: dict[tuple[bytes, str, int], bytes] = {}
        self.happened: set[str] = set()
        """Names of events, and reasons for which a validator left the set."""
        self._burnt = 0
        self._require_few_faulty(self._epoch)
        self._seen: dict[str, set[tuple[int, bytes]]] = defaultdict(set)
        self.included: dict[bytes, int] = {}
        """Extrinsics in final blocks, with their block's number."""

    @property
    def height(self) -> int:
        """The highest final block of any honest node."""
        return len(self.headers) - 1

    @property
    def sets(self) -> dict[int, tuple[bytes, ...]]:
        """The validator sets of all epochs so far."""
        return self._sets

    def status(self, account: bytes) -> Validator.Status | None:
        """Return what an account is, as of the highest final block."""
        data = self._state.get(b"validators.Bonded:" + account)
        return None if data is None else Validator.FromString(data).status

    def said(self, random: Random) -> tuple[bytes, ConsensusMessage, ConsensusMessage] | None:
        """Return an honest account and two messages of one kind that it signed, if there are such."""
        account = random.choice(sorted(self._honest_accounts))
        one, other = (random.choice(self._said[account] or [None]) for _ in range(2))
        if one is None or other is None or one.WhichOneof("message") != other.WhichOneof("message"):
            return None
        return account, one, other

    def sent(self, node: int, index: int | None, message: ConsensusMessage, block_hash: bytes) -> None:
        """A node sent a message."""
        super().sent(node, index, message, block_hash)
        if node not in self._honest:
            return
        own = message.HasField("vote") and message.vote.validator == index
        if own or (message.HasField("proposal") and message.proposal.block.header.author in self._own[node]):
            self._said[next(iter(self._own[node]))].append(message)
        if message.HasField("certificate"):
            self._check_certificate(node, message.certificate)

    def _check_certificate(self, node: int, certificate: Certificate) -> None:
        validators = self._sets.get(certificate.epoch)
        if validators is None:
            raise Violation(
                f"node {node} sends a certificate of epoch {certificate.epoch}, which is not open"
            )
        try:
            verify_certificate(certificate, validators, self._world.genesis.hash, verify=keyed_hash_verify)
        except CertificateError as error:
            raise Violation(f"node {node} sends what is no certificate in its epoch: {error}") from error

    def called(self, node: WholeNode, function: str, round: int, args: bytes) -> None:
        """An honest miner's worker has its node send a call."""
        if self._calls.setdefault((node.account, function, round), args) != args:
            raise Violation(f"node {node.index} says two things in {function} of round {round}")

    def place(self, account: bytes, epoch: int) -> int | None:
        """Return an account's index in an epoch's set."""
        members = self._sets.get(epoch, ())
        return members.index(account) if account in members else None

    def voted(self, node: WholeNode, vote: Vote) -> None:
        """An honest node sends a vote of its own or of another one."""
        if vote.validator != self.place(node.account, vote.epoch) or vote.kind == NULLIFY:
            return
        if vote.kind == NOTARIZE:
            header = node.chain.header(vote.block_hash)
            if header is not None:
                self._heights[vote.block_hash] = header.number
            return
        voters = self._finalizing[vote.epoch, vote.view, vote.block_hash]
        voters.add(node.account)
        height = self._heights.get(vote.block_hash)
        members = self._sets[vote.epoch]
        if height is not None and len(voters) + self._faulty_in(members) >= quorum(len(members)):
            decided = self._decided.setdefault(height, vote.block_hash)
            final = self.hashes[height] if height <= self.height else decided
            if not vote.block_hash == decided == final:
                raise Violation(f"a quorum may finalize a second block at height {height}")

    def opened(self, node: WholeNode) -> None:
        """An honest node starts on its database."""
        chain = node.chain
        if chain.final_number < node.told:
            raise Violation(
                f"node {node.index} reported block {node.told} final and starts at {chain.final_number}"
            )
        if chain.final_number <= self.height and chain.final_hash != self.hashes[chain.final_number]:
            raise Violation(f"node {node.index} starts on another final block {chain.final_number}")
        # It may have gone down after writing and before telling.
        for number in range(self.height + 1, chain.final_number + 1):
            block, hash = chain.final_block(number), chain.database.hash(number)
            assert block is not None
            assert hash is not None
            self._extend(node, block, hash)

    def final(self, node: WholeNode, blocks: Sequence[ExecutedBlock]) -> None:
        """An honest node reports blocks final."""
        for executed in blocks:
            number = executed.header.number
            if number <= self.height:
                if self.hashes[number] != executed.hash:
                    raise Violation(f"two final blocks at height {number}: node {node.index} has another one")
            else:
                self._extend(node, executed.block, executed.hash)
            node.told = max(node.told, number)

    def kept_everything(self, node: WholeNode) -> None:
        """Look through an honest node's database at the end."""
        database = node.chain.database
        for number in range(1, node.told + 1):
            if database.hash(number) != self.hashes[number] or database.block(number) is None:
                raise Violation(f"node {node.index} has lost final block {number}")
        for extrinsic, number in self.included.items():
            location = database.extrinsic_location(extrinsic)
            if number <= node.told and (location is None or location[0] != number):
                raise Violation(f"node {node.index} has lost an extrinsic of final block {number}")

    def light_client_follows(self, node: WholeNode) -> None:
        """Let a light client follow an honest node's chain from the genesis header alone."""
        database = node.chain.database
        client = LightClient(self.headers[0], verify=keyed_hash_verify)
        for number in range(1, node.told + 1):
            header, justification = database.header(number), node.chain.justification(number)
            assert header is not None
            assert justification is not None
            try:
                client.import_final(header, justification)
            except (LightClientError, CertificateError) as error:
                raise Violation(
                    f"a light client stops at block {number} of node {node.index}: {error}"
                ) from error
        if client.validators(client.epoch) != self._sets[client.epoch]:
            raise Violation(f"a light client trusts another set in epoch {client.epoch}")

    def _extend(self, node: WholeNode, block: Block, hash: bytes) -> None:
        header, where = block.header, f"node {node.index} made block {block.header.number} final"
        parent = self.headers[-1]
        if self._decided.get(header.number, hash) != hash:
            raise Violation(f"{where}: a quorum has voted to finalize another one")
        if header.number != self.height + 1 or header.parent_hash != self.hashes[-1]:
            raise Violation(f"{where}: it does not follow block {self.height}")
        if header_hash(header) != hash or header.timestamp_ms <= parent.timestamp_ms:
            raise Violation(f"{where}: a wrong hash or timestamp")
        if header.epoch != self._epoch.epoch or header.author != leader(self._epoch, header.view):
            raise Violation(f"{where}: not of this epoch, or not by the leader of its view")
        try:
            again = RUNTIME.execute(
                self._state,
                parent,
                self._world.genesis.hash,
                block,
                verified=self._runtime.verified,
            )
        except InvalidBlock as error:
            raise Violation(f"{where}: {error}") from error
        self._state.advance(again)
        self.headers.append(header)
        self.hashes.append(hash)
        for data in block.extrinsics:
            name = extrinsic_hash(data)
            if name in self.included:
                raise Violation(f"{where}: it includes again an extrinsic of block {self.included[name]}")
            self.included[name] = header.number
        for event in again.events:
            self._look_at(event, where)
        self._count_money(where)
        if header.HasField("next_epoch"):
            self._epoch = EpochInfo.from_change(header.next_epoch, hash, header.number)
            self._sets[self._epoch.epoch] = self._epoch.validators
            self._require_few_faulty(self._epoch)

    def _faulty_in(self, members: Sequence[bytes]) -> int:
        return sum(account not in self._honest_accounts for account in members)

    def _require_few_faulty(self, epoch: EpochInfo) -> None:
        """Raise when this run would prove nothing: nothing is promised with more than f faulty in a set."""
        members = epoch.validators
        if self._faulty_in(members) > faulty(len(members)):
            raise Violation(f"the set of epoch {epoch.epoch} has too many faulty members: a fault of the run")

    def _look_at(self, event: EventRecord, where: str) -> None:
        self.happened.add(event.name)
        if event.name == "Removed":
            self.happened.add(ValidatorsEvent.Removed.FromString(event.data).reason)
        elif event.name == "RewardMinted":
            minted = CoinEvent.RewardMinted.FromString(event.data)
            self._minted[minted.round] += int.from_bytes(minted.amount, "big")
            if self._minted[minted.round] > EMISSION:
                raise Violation(f"{where}: round {minted.round} mints more than its emission")
        elif event.name == "Slashed":
            slashed = ValidatorsEvent.Slashed.FromString(event.data)
            if slashed.who in self._honest_accounts:
                raise Violation(f"{where}: honest 0x{slashed.who.hex()[:8]} is slashed: {slashed.offence}")
            self._burnt += int.from_bytes(slashed.amount, "big")
        elif event.name == "TransferSettled":
            index = CoinEvent.TransferSettled.FromString(event.data).index
            if index in self.settled:
                raise Violation(f"{where}: transfer {index} is settled twice")
            self.settled.add(index)
        elif event.name in _ONCE_A_ROUND:
            kind, who = _ONCE_A_ROUND[event.name]
            content = kind.FromString(event.data)  # type: ignore[attr-defined]
            mark = (content.round, getattr(content, who))
            if mark in self._seen[event.name]:
                raise Violation(f"{where}: a second {event.name} of one miner in round {content.round}")
            self._seen[event.name].add(mark)

    def _count_money(self, where: str) -> None:
        balances = 0
        for _, value in self._state.iterate(b"system.Account:"):
            account = AccountInfo.FromString(value)
            balances += int.from_bytes(account.free, "big") + int.from_bytes(account.reserved, "big")
        issued = self._state.get(b"coin.TotalIssuance:") or b""
        due = self._world.issuance + sum(self._minted.values()) - self._burnt
        if not balances == int.from_bytes(issued, "big") == due:
            raise Violation(
                f"{where}: balances are {balances}, issuance {int.from_bytes(issued, 'big')}, it must be {due}"
            )
        try:
            RUNTIME.try_state(self._state)
        except AssertionError as error:
            raise Violation(f"{where}: {error}") from error
