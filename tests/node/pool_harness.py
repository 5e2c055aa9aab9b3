"""A pool over the smallest ledger that has nonces, rounds and fees; shared by the pool's tests."""

from dataclasses import dataclass, field

from node.pool import (
    PoolEvent,
    PoolLimits,
    TransactionPool,
)
from pocl.extrinsics import extrinsic_hash, u128, u128_int
from pocl.v1.extrinsic_pb2 import Call, Extrinsic, Payload
from runtime.frame.errors import InvalidTransaction

ALICE, BOB, CAROL = b"a" * 32, b"b" * 32, b"c" * 32


def normal(signer: bytes, nonce: int, tip: int = 0, valid_until: int = 0, size: int = 0) -> bytes:
    call = Call(pallet="coin", function="transfer", args=bytes(size))
    payload = Payload(call=call, nonce=nonce, tip=u128(tip), valid_until=valid_until)
    return Extrinsic(payload=payload.SerializeToString(), signer=signer).SerializeToString()


def operational(signer: bytes, round: int, kind: str, args: bytes = b"") -> bytes:
    payload = Payload(call=Call(pallet="vote", function=kind, args=args), round=round, tip=u128(0))
    return Extrinsic(payload=payload.SerializeToString(), signer=signer).SerializeToString()


@dataclass(frozen=True)
class Valid:
    signer: bytes
    operational: bool
    provides: bytes
    nonce: int
    future: bool
    priority: int
    valid_until: int


@dataclass
class Ledger:
    """The part of a state that matters to a pool: the next nonce of each account, and the round."""

    nonces: dict[bytes, int] = field(default_factory=dict)
    round: int = 1
    number: int = 0
    poor: set[bytes] = field(default_factory=set)
    validated: list[bytes] = field(default_factory=list)

    def validate(self, data: bytes) -> Valid:
        self.validated.append(data)
        extrinsic = Extrinsic.FromString(data)
        payload = Payload.FromString(extrinsic.payload)
        signer = extrinsic.signer
        if payload.WhichOneof("sequence") == "round":
            if payload.round < self.round:
                raise InvalidTransaction("stale", f"round {payload.round} is over")
            provides = bytes([payload.round]) + payload.call.function.encode() + signer
            return Valid(signer, True, provides, 0, payload.round > self.round, 2**200, 0)
        account_nonce = self.nonces.get(signer, 0)
        if payload.nonce < account_nonce:
            raise InvalidTransaction("stale", f"nonce {payload.nonce} is used")
        if payload.valid_until and payload.valid_until <= self.number:
            raise InvalidTransaction("expired", f"only valid until block {payload.valid_until}")
        if signer in self.poor:
            raise InvalidTransaction("payment", "cannot pay the fee")
        tip, future = u128_int(payload.tip), payload.nonce > account_nonce
        provides = signer + bytes([payload.nonce])
        return Valid(signer, False, provides, payload.nonce, future, tip, payload.valid_until)

    def apply(self, extrinsics: list[bytes]) -> None:
        for data in extrinsics:
            extrinsic = Extrinsic.FromString(data)
            payload = Payload.FromString(extrinsic.payload)
            if payload.WhichOneof("sequence") == "nonce":
                assert payload.nonce == self.nonces.get(extrinsic.signer, 0)
                self.nonces[extrinsic.signer] = payload.nonce + 1


class Harness:
    def __init__(self, **limits: int) -> None:
        self.ledger = Ledger()
        self.pool = TransactionPool(self.ledger.validate, PoolLimits(**limits))
        self.events: list[PoolEvent] = []
        self.pool.subscribe(self.events.append)

    def submit(self, *extrinsics: bytes) -> None:
        for data in extrinsics:
            self.pool.submit(data)

    def block(self, *extrinsics: bytes) -> None:
        self.ledger.apply(list(extrinsics))
        self.ledger.number += 1
        self.pool.on_block(extrinsics, self.ledger.number)

    def ready(self, exclude: set[bytes] | None = None) -> list[bytes]:
        return [entry.data for entry in self.pool.ready(exclude or set())]

    def seen(self, data: bytes) -> list[str]:
        return [event.status.value for event in self.events if event.hash == extrinsic_hash(data)]

    def reason(self, data: bytes) -> str:
        return next(
            event.reason for event in self.events if event.hash == extrinsic_hash(data) and event.reason
        )
