"""Extrinsics: how they are read, and what makes one valid.

An extrinsic is valid on a state when, in this order,
1. it is the canonical encoding of an Extrinsic whose payload is a canonical Payload with a u128 tip; signer
   and signature have their sizes; an empty block has space for it                                (malformed)
2. the runtime has the function it calls, of the class that its sequence says: a nonce for the normal class, a
   round for the operational one; its arguments are canonical; an operational call has no tip
                                                                                    (unknown_call, malformed)
3. the next block may still include it: valid_until is 0 or not below that block's number           (expired)
4. the signature is the signer's, over payload, genesis hash and versions                     (bad_signature)
5. normal: its nonce is the account's and the free balance covers the fee            (stale, future, payment)
   operational: the signer is a validator, its round is the current one, and the call is not refused
                                                                         (not_validator, stale, future, call)
The words in brackets are the codes of InvalidTransaction. For the pool, 'future' is no reason to refuse.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

from google.protobuf.message import Message

from pocl.extrinsics import U128_MAX, U128_SIZE, extrinsic_hash, signing_digest
from pocl.keys import PUBLIC_SIZE, SIGNATURE_SIZE
from pocl.v1.block_pb2 import EventRecord
from pocl.v1.extrinsic_pb2 import Extrinsic, Payload
from runtime import weights
from runtime.certificates import Verify
from runtime.codec import CodecError, decode
from runtime.frame.errors import InvalidTransaction
from runtime.frame.pallet import NORMAL, OPERATIONAL, CallInfo

_SEQUENCE_OF = {NORMAL: "nonce", OPERATIONAL: "round"}


class CallDefect(InvalidTransaction):
    """A call ended with an exception that is none of the runtime's: a defect of its pallet.

    It must not pass for a dispatch error, which would become part of the chain: no block may contain the
    extrinsic. `__cause__` is the exception; whoever catches this should make its traceback seen.
    """

    def __init__(self, pallet: str, function: str, cause: Exception) -> None:
        super().__init__("defect", f"{pallet}.{function} failed: {type(cause).__name__}: {cause}")


@dataclass(frozen=True, slots=True)
class ValidTransaction:
    """What validation found out about an extrinsic, for the pool."""

    hash: bytes
    signer: bytes
    operational: bool
    provides: bytes
    """What only one can provide: (signer, nonce) or (round, kind, signer)."""
    nonce: int
    future: bool
    """Ahead of the state: its nonce or round is not due yet."""
    priority: int
    """The tip; an operational one is above every tip."""
    valid_until: int
    weight: int


@dataclass(frozen=True, slots=True)
class DryRun:
    """What an extrinsic would do as the only one of the next block."""

    ok: bool
    error: str
    """The dispatch error's label (`pallet.Name`) when not ok."""
    fee: int
    weight: int
    events: tuple[EventRecord, ...]


@dataclass(slots=True)
class Checked:
    """An extrinsic that passed every check which needs no state (rules 1 to 4)."""

    hash: bytes
    signer: bytes
    pallet: str
    call: CallInfo
    args: Message
    sequence: int
    """Nonce or round, by the call's class."""
    tip: int
    valid_until: int
    length: int
    weight: int

    @property
    def operational(self) -> bool:
        """Whether it is of the operational class."""
        return self.call.class_ == OPERATIONAL


@dataclass(frozen=True, slots=True)
class Rules:
    """What the checks need to know of the runtime and the chain."""

    calls: Mapping[tuple[str, str], CallInfo]
    genesis_hash: bytes
    spec_version: int
    transaction_version: int
    verify: Verify


def check(rules: Rules, data: bytes, block_number: int, verified: Container[bytes]) -> Checked:
    """Return an extrinsic that rules 1 to 4 allow in block `block_number`, else raise InvalidTransaction.

    The signature of one whose hash is in `verified` was found valid before.
    """
    try:
        extrinsic = decode(Extrinsic, data)
        payload = decode(Payload, extrinsic.payload)
    except CodecError as error:
        raise InvalidTransaction("malformed", str(error)) from None
    signer = extrinsic.signer
    if len(signer) != PUBLIC_SIZE or len(extrinsic.signature) != SIGNATURE_SIZE:
        raise InvalidTransaction("malformed", "signer or signature has a wrong length")
    if len(payload.tip) != U128_SIZE:
        raise InvalidTransaction("malformed", f"a tip has {U128_SIZE} bytes, not {len(payload.tip)}")
    tip = int.from_bytes(payload.tip, "big")
    call = payload.call
    info, args = _read_call(rules, payload)
    if info.class_ == OPERATIONAL and tip:
        raise InvalidTransaction("malformed", "an operational call is free: its tip must be 0")
    if payload.valid_until and payload.valid_until < block_number:
        raise InvalidTransaction("expired", f"block {payload.valid_until} was the last that could include it")
    hash = extrinsic_hash(data)
    if hash not in verified:
        digest = signing_digest(
            extrinsic.payload, rules.genesis_hash, rules.spec_version, rules.transaction_version
        )
        if not rules.verify(signer, digest, extrinsic.signature):
            raise InvalidTransaction(
                "bad_signature", "the signature is not the signer's for this chain and runtime version"
            )
    return Checked(
        hash=hash,
        signer=signer,
        pallet=call.pallet,
        call=info,
        args=args,
        sequence=payload.round if info.class_ == OPERATIONAL else payload.nonce,
        tip=tip,
        valid_until=payload.valid_until,
        length=len(data),
        weight=info.weigh(args) + weights.extrinsic(len(data)),
    )


def check_due(what: str, given: int, due: int) -> None:
    """Raise InvalidTransaction unless a nonce or round is the one that is due."""
    if given < due:
        raise InvalidTransaction("stale", f"{what} {given} is past: {due} is next")
    if given > due:
        raise InvalidTransaction("future", f"{what} {given} is not due: {due} is next")


def valid(checked: Checked, *, future: bool) -> ValidTransaction:
    """Return what the pool needs to know of a valid extrinsic."""
    sequence = checked.sequence.to_bytes(8, "big")
    if checked.operational:
        # Unambiguous: the parts around the kind have fixed sizes.
        provides, nonce, priority = sequence + checked.call.kind.encode() + checked.signer, 0, U128_MAX + 1
    else:
        provides, nonce, priority = checked.signer + sequence, checked.sequence, checked.tip
    return ValidTransaction(
        hash=checked.hash,
        signer=checked.signer,
        operational=checked.operational,
        provides=provides,
        nonce=nonce,
        future=future,
        priority=priority,
        valid_until=checked.valid_until,
        weight=checked.weight,
    )


def _read_call(rules: Rules, payload: Payload) -> tuple[CallInfo, Message]:
    """Return the function that a payload calls and its arguments (rule 2)."""
    call = payload.call
    info = rules.calls.get((call.pallet, call.function))
    if info is None:
        raise InvalidTransaction("unknown_call", f"there is no call {call.pallet}.{call.function}")
    sequence = _SEQUENCE_OF[info.class_]
    if payload.WhichOneof("sequence") != sequence:
        raise InvalidTransaction(
            "malformed",
            f"{call.pallet}.{call.function} is {info.class_}: its payload must carry a {sequence}",
        )
    try:
        return info, decode(info.args, call.args)
    except CodecError as error:
        raise InvalidTransaction("malformed", f"{call.pallet}.{call.function}: {error}") from None
