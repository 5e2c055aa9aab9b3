"""A light client: follows final headers and validator sets from the genesis header alone, and checks proofs.

Trusted: the genesis header, which holds the hash that names the chain, the genesis state's root and the
validator set of the first epoch; and that in every epoch fewer than a third of the validators are faulty. Nothing
else: headers, justifications and proofs may come from anyone. The client never executes a block; that a state
root is right is what the validators signed.

`import_final(header, justification)`, in this order:
1. the validator set of the header's epoch is known: the closing block of every epoch before was imported;
2. the header has a place in its epoch: above the closing block of the epoch before, and at most at its own
   closing block where that is known;
3. the justification is valid for it under that set (runtime/certificates.py);
4. no other header was final at its height or closed its epoch: two prove that a third or more of the set is
   faulty;
5. a header that closes its epoch announces the next one, with a sorted set of different validators, and
   leaders out of it. That set is trusted from then on.

`verify_value(proof, number)`: the proof is valid (runtime/proof.py) under the state root of that final
header.

`verify_round_certificate(summary, attestations, number)`: a round is settled, which is what PoCL-final means:
1. `summary` is a valid proof of an existing value, under the key of `round.Summaries` of some round;
2. the value is a canonical RoundSummary of that round, SETTLED, with the hash of the new global model;
3. the set of the epoch of that number is known: round r is epoch r;
4. the attesters are different members of that set, and a quorum of it;
5. of `attestations`, where they are given (the state holds them for `keep_rounds` rounds only): each is a
   valid proof under the key of `aggregation.Attestations` of this round and of another attester, names the
   same global model, and together they are a quorum.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from google.protobuf.message import Message

from pocl import keys
from pocl.hashing import HASH_SIZE
from pocl.keys import PUBLIC_SIZE
from pocl.v1.aggregation_pb2 import Attestation
from pocl.v1.block_pb2 import EpochChange, Header
from pocl.v1.consensus_pb2 import Justification
from pocl.v1.proof_pb2 import StateProof
from pocl.v1.round_pb2 import SETTLED, RoundSummary
from runtime.blocks import header_hash
from runtime.certificates import Verify, verify_justification
from runtime.codec import CodecError, decode
from runtime.frame.errors import RuntimeFault
from runtime.proof import verify_state_proof
from runtime.quorum import quorum

M = TypeVar("M", bound=Message)

SUMMARIES = b"round.Summaries:"
"""Storage prefix of the rounds' summaries; u64be(round) follows."""

ATTESTATIONS = b"aggregation.Attestations:"
"""Storage prefix of the attestations; u64be(round) and the attester's account follow."""

HEADERS_KEPT = 1024
"""Final headers a client keeps for proofs, the highest ones imported."""


class LightClientError(RuntimeFault):
    """A header, a proof or a round certificate does not convince; the message says which check failed.

    For a header whose justification is not valid it is a CertificateError.
    """


class LightClient:
    """Rules in the module's docstring."""

    def __init__(self, genesis: Header, *, verify: Verify = keys.verify) -> None:
        """Trust this header of block 0. Raise LightClientError when it cannot be a genesis header."""
        if genesis.number != 0 or not genesis.HasField("next_epoch"):
            raise LightClientError("genesis header: it needs number 0 and the set of the first epoch")
        self.genesis_hash = header_hash(genesis)
        self._verify = verify
        self._sets: dict[int, tuple[bytes, ...]] = {}
        # Number and hash of each epoch's closing block.
        self._closing: dict[int, tuple[int, bytes]] = {}
        self._headers: dict[int, Header] = {}
        self._close_epoch(genesis)
        self._remember(genesis)

    @property
    def final(self) -> Header:
        """The highest final header so far."""
        return self._headers[max(self._headers)]

    @property
    def epoch(self) -> int:
        """The newest epoch whose validator set is known."""
        return max(self._sets)

    def validators(self, epoch: int) -> tuple[bytes, ...]:
        """Return the validator set of an epoch. Raise LightClientError when it is not known yet."""
        try:
            return self._sets[epoch]
        except KeyError:
            raise LightClientError(
                f"the validators of epoch {epoch} are not known: import the closing blocks from epoch "
                f"{self.epoch} on"
            ) from None

    def import_final(self, header: Header, justification: Justification) -> None:
        """Take in a header that is final by this justification.

        Raise LightClientError or CertificateError when it is not; nothing changes then.
        """
        validators = self.validators(header.epoch)
        self._require_place(header)
        verify_justification(header, justification, validators, self.genesis_hash, verify=self._verify)
        self._require_no_other(header)
        if header.HasField("next_epoch"):
            self._close_epoch(header)
        self._remember(header)

    def verify_value(self, proof: StateProof, number: int | None = None) -> bytes | None:
        """Return the value that the proof's key had after final block `number`, None when it had none.

        `number` None is the highest final header imported. Raise LightClientError when the proof is not
        valid.
        """
        header = self.final if number is None else self._headers.get(number)
        if header is None:
            raise LightClientError(f"the header of block {number} was not imported, or long ago")
        if not verify_state_proof(header.state_root, proof):
            raise LightClientError(
                f"the proof of key 0x{proof.key.hex()} is not valid for the state after block {header.number}"
            )
        return proof.value if proof.exists else None

    def verify_round_certificate(
        self, summary: StateProof, attestations: Sequence[StateProof] = (), number: int | None = None
    ) -> RoundSummary:
        """Return the summary of a settled round, proven by the state after final block `number`.

        Raise LightClientError when a check fails.
        """
        proven = self._proven_summary(summary, number)
        validators = self.validators(proven.round)
        attesters = set(proven.attesters)
        if len(attesters) != len(proven.attesters) or not attesters <= set(validators):
            raise LightClientError(f"round {proven.round}: its attesters are not different validators of it")
        needed = quorum(len(validators))
        if len(attesters) < needed:
            raise LightClientError(f"round {proven.round}: {len(attesters)} attesters, a quorum is {needed}")
        if attestations:
            attested = {self._attester(proof, proven, number) for proof in attestations}
            if len(attested) < needed:
                raise LightClientError(
                    f"round {proven.round}: {len(attested)} attestations proven, a quorum is {needed}"
                )
        return proven

    def _require_place(self, header: Header) -> None:
        opened, closed = self._closing[header.epoch - 1][0], self._closing.get(header.epoch)
        if header.number <= opened or (closed is not None and header.number > closed[0]):
            raise LightClientError(
                f"header {header.number} is out of place: epoch {header.epoch} begins after block {opened}"
                + ("" if closed is None else f" and ends with block {closed[0]}")
            )

    def _require_no_other(self, header: Header) -> None:
        """Raise when a header that excludes this one was imported: both have a quorum's signatures."""
        hash, closed = header_hash(header), self._closing.get(header.epoch)
        known = self._headers.get(header.number)
        other = hash if known is None else header_hash(known)
        if closed is not None and (header.HasField("next_epoch") or header.number == closed[0]):
            other = closed[1]
        if other != hash:
            raise LightClientError(
                f"two final headers exclude each other: 0x{other.hex()} and 0x{hash.hex()}: a third of the "
                "validators or more is faulty"
            )

    def _close_epoch(self, header: Header) -> None:
        """Trust the set that a final closing header announces."""
        change = header.next_epoch
        _require_epoch_change(change, header)
        validators = tuple(change.validators)
        # One object for equal sets: there is one a round, for ever.
        before = self._sets.get(header.epoch)
        self._sets[change.epoch] = before if before == validators else validators
        self._closing[header.epoch] = (header.number, header_hash(header))

    def _remember(self, header: Header) -> None:
        kept = Header()
        kept.CopyFrom(header)
        self._headers[header.number] = kept
        if len(self._headers) > HEADERS_KEPT:
            del self._headers[min(self._headers)]

    def _proven_summary(self, proof: StateProof, number: int | None) -> RoundSummary:
        value = self.verify_value(proof, number)
        round_key = proof.key.removeprefix(SUMMARIES)
        if not proof.key.startswith(SUMMARIES) or len(round_key) != 8:
            raise LightClientError(f"key 0x{proof.key.hex()} is not that of a round's summary")
        round = int.from_bytes(round_key, "big")
        if value is None:
            raise LightClientError(f"round {round} has no summary: it has not ended")
        summary = _decoded(RoundSummary, value, f"summary of round {round}")
        if summary.round != round or summary.outcome != SETTLED or len(summary.global_model) != HASH_SIZE:
            raise LightClientError(f"round {round} is not settled: {summary.void_reason or 'void'}")
        return summary

    def _attester(self, proof: StateProof, summary: RoundSummary, number: int | None) -> bytes:
        """Return the account whose attestation of the round this proves."""
        value = self.verify_value(proof, number)
        prefix = ATTESTATIONS + summary.round.to_bytes(8, "big")
        account = proof.key[len(prefix) :]
        if not proof.key.startswith(prefix) or account not in summary.attesters:
            raise LightClientError(
                f"key 0x{proof.key.hex()} is not that of an attester of round {summary.round}"
            )
        if value is None:
            raise LightClientError(f"round {summary.round}: 0x{account.hex()} did not attest")
        attestation = _decoded(Attestation, value, f"attestation of round {summary.round}")
        if attestation.global_model != summary.global_model:
            raise LightClientError(f"round {summary.round}: 0x{account.hex()} attested another global model")
        if attestation.server_state != summary.server_state:
            raise LightClientError(f"round {summary.round}: 0x{account.hex()} attested another server state")
        return account


def _require_epoch_change(change: EpochChange, header: Header) -> None:
    validators = list(change.validators)
    if change.epoch != header.epoch + 1:
        raise LightClientError(f"header {header.number} closes epoch {header.epoch} but opens {change.epoch}")
    if not validators or validators != sorted(set(validators)):
        raise LightClientError(f"header {header.number} announces a set that is empty or unsorted")
    if any(len(account) != PUBLIC_SIZE for account in validators):
        raise LightClientError(f"header {header.number} announces a validator that is no account")
    if not set(change.leaders) <= set(validators):
        raise LightClientError(f"header {header.number} announces a leader that is no validator")


def _decoded(cls: type[M], value: bytes, what: str) -> M:
    try:
        return decode(cls, value)
    except CodecError as error:
        raise LightClientError(f"{what}: {error}") from None
