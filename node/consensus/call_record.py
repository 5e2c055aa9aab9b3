"""What the consensus log keeps of a call of which a second one in its round would be an offence.

A record is, among the ConsensusMessages of the log, whose first byte is never zero:
    0x00 || u64be(round) || BLAKE2b-256 of the arguments || name of the call, for example model_propose.propose
"""

from __future__ import annotations

from dataclasses import dataclass

from node.errors import PoclError
from pocl.hashing import HASH_SIZE, hash256
from pocl.v1.extrinsic_pb2 import Call

_TAG = b"\0"
_NAME_AT = len(_TAG) + 8 + HASH_SIZE


class CallWithheld(PoclError):
    """A call of a round is not signed: it might contradict one that was signed before."""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One such call."""

    round: int
    name: str
    args_hash: bytes

    @classmethod
    def of(cls, call: Call, round: int) -> CallRecord:
        """Return the record of a call."""
        return cls(round, f"{call.pallet}.{call.function}", hash256("pocl/call-args/1", call.args))

    @property
    def key(self) -> tuple[int, str]:
        """That of which there may be one."""
        return self.round, self.name

    def encode(self) -> bytes:
        """Return the record's bytes."""
        return _TAG + self.round.to_bytes(8, "big") + self.args_hash + self.name.encode()

    @classmethod
    def decode(cls, data: bytes) -> CallRecord:
        """Return a record from its bytes. Raise ValueError."""
        if not is_call(data) or len(data) <= _NAME_AT:
            raise ValueError("no record of a call")
        return cls(int.from_bytes(data[1:9], "big"), data[_NAME_AT:].decode(), data[9:_NAME_AT])


def is_call(data: bytes) -> bool:
    """Tell a record of a call from a ConsensusMessage."""
    return data.startswith(_TAG)
