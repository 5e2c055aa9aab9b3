"""Reporting offences: a validator's node sends what it saw to the chain, by itself.

- An equivocation comes from the consensus core, which has checked both signatures. Twins in learning are found
  here: two operational calls of one miner, round and kind that say different things (runtime/offences.py).
- A report is a normal extrinsic, signed by the validator's key: it costs its fee, and anybody else may send the
  same. One is enough, so nodes take turns: the one whose place in the set follows the offender's reports at
  once, each further one `TURN_BLOCKS` final blocks later, unless the chain knows by then.
- What was not taken in `RETRY_BLOCKS` after it was sent is sent again, until the offence is on the chain or too
  old. What was seen is kept in memory only: after a restart the others report it.
- An offence of the own key is not reported but said aloud: another node runs with this key.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from node.chain import Chain
from node.consensus import types as t
from node.errors import PoclError
from node.pool import TransactionPool
from pallets.system import System
from pallets.validators import Validators
from pocl.extrinsics import sign_call
from pocl.keys import Keypair, ss58_encode
from pocl.v1.extrinsic_pb2 import Call, Extrinsic, Payload
from pocl.v1.validators_pb2 import ValidatorsCall
from runtime.codec import encode
from runtime.frame import InvalidTransaction
from runtime.offences import TWIN_CALLS, OffenceKind, essence

log = logging.getLogger("pocl.offences")

TURN_BLOCKS = 2
RETRY_BLOCKS = 20

MAX_PENDING = 1024

SIGNED = {"call", "stale"}
"""A transaction that the pool refuses for these was its signer's all the same: it is looked at."""

Key = tuple[int, bytes]
"""Epoch and offender: all that a validator did wrong in one epoch is one offence to the chain."""


@dataclass(slots=True)
class _Pending:
    call: Call
    due: int
    """The final block from which on it is sent."""


class OffenceReporter:
    """See the module's text. All methods are for the thread that moves the chain."""

    def __init__(
        self, key: Keypair, chain: Chain, pool: TransactionPool, submit: Callable[[bytes], object]
    ) -> None:
        self._key = key
        self._chain = chain
        self._pool = pool
        self._submit = submit
        self._pending: dict[Key, _Pending] = {}
        self._own: set[Key] = set()
        # The first of each miner's calls of the latest rounds: (round, function, signer).
        self._calls: dict[tuple[int, str, bytes], tuple[bytes, bytes]] = {}

    def equivocation(self, offence: t.Offence) -> None:
        """Take in what the consensus core found."""
        content = offence.first.vote if offence.first.HasField("vote") else offence.first.proposal
        args = ValidatorsCall.ReportEquivocation(
            offender=offence.account, first=essence(offence.first), second=essence(offence.second)
        )
        call = Call(pallet=Validators.name, function="report_equivocation", args=encode(args))
        self._add((content.epoch, offence.account), offence.kind, call)

    def look_at(self, data: bytes) -> None:
        """Look at an extrinsic whose signature is valid: is it the second one of a pair of twins?"""
        extrinsic = Extrinsic.FromString(data)
        payload = Payload.FromString(extrinsic.payload)
        kind = TWIN_CALLS.get((payload.call.pallet, payload.call.function))
        epoch = self._chain.epoch_change.epoch
        if kind is None or not epoch - 1 <= payload.round <= epoch + 1:
            return
        key = (payload.round, payload.call.function, extrinsic.signer)
        args, first = self._calls.setdefault(key, (payload.call.args, data))
        if args == payload.call.args:
            return
        runtime = self._chain.runtime
        report = ValidatorsCall.ReportTwin(
            first=first,
            second=data,
            spec_version=runtime.spec_version,
            transaction_version=runtime.transaction_version,
        )
        call = Call(pallet=Validators.name, function="report_twin", args=encode(report))
        self._add((payload.round, extrinsic.signer), kind, call)

    def on_final(self) -> None:
        """Send what is due after a new final block; forget what the chain knows."""
        if not self._pending and not self._calls:
            return
        pallets = self._chain.pallets(self._chain.final_state())
        validators = cast(Validators, pallets[Validators.name])
        number, epoch = self._chain.final_number, self._chain.epoch_change.epoch
        self._calls = {key: seen for key, seen in self._calls.items() if key[0] + 1 >= epoch}
        for key, pending in list(self._pending.items()):
            if validators.reported(*key) or (key[0] < epoch and not validators.set_of(key[0])):
                del self._pending[key]
            elif pending.due <= number:
                pending.due = number + RETRY_BLOCKS
                self._send(pending.call, cast(System, pallets[System.name]))

    def _add(self, key: Key, kind: OffenceKind, call: Call) -> None:
        epoch, account = key
        if account == self._key.public:
            if key not in self._own:
                self._own.add(key)
                log.error("this validator's own key signed %s: another node runs with it", kind.value)
            return
        if key in self._pending or len(self._pending) >= MAX_PENDING:
            return
        log.warning("validator %s: %s, epoch %d", ss58_encode(account), kind.value, epoch)
        self._pending[key] = _Pending(call, self._chain.final_number + TURN_BLOCKS * self._turn(account))

    def _turn(self, offender: bytes) -> int:
        """Return how many others report before this node."""
        members = list(self._chain.epoch_change.validators)
        if self._key.public not in members or offender not in members:
            return len(members)
        return (members.index(self._key.public) - members.index(offender) - 1) % len(members)

    def _send(self, call: Call, system: System) -> None:
        who, runtime = self._key.public, self._chain.runtime
        data = sign_call(
            self._key,
            call,
            genesis_hash=self._chain.genesis_hash,
            spec_version=runtime.spec_version,
            transaction_version=runtime.transaction_version,
            nonce=self._pool.next_nonce(who, system.account(who).nonce),
        )
        try:
            self._submit(data)
        except (InvalidTransaction, PoclError) as error:
            log.warning("an offence could not be reported: %s", error)
