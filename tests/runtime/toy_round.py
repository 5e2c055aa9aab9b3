"""The smallest round pallet: an operational call, a call that closes the epoch, and one that is defective."""

from __future__ import annotations

from typing import ClassVar

from pallets.validators import Validators
from pocl.hashing import ZERO_HASH
from pocl.v1.round_pb2 import RoundCall, RoundEvent
from pocl.v1.system_pb2 import SystemCall
from runtime.frame import OPERATIONAL, DispatchError, Hash, Origin, Pallet, StorageMap, call
from tests.pallets.harness import BOB, LEDGER


class Twice(DispatchError):
    """The validator was ready already."""


class Round(Pallet):
    """Rounds are epochs."""

    name = "round"
    errors = (Twice,)
    events: ClassVar = {RoundEvent.MinerReady: "A validator said that it takes part."}
    Ready = StorageMap(Hash, Hash)

    def current_round(self) -> int:
        return self.pallet(Validators).Epoch.get()

    @call(RoundCall.Ready, weight=50, class_=OPERATIONAL, kind="ready")
    def ready(self, origin: Origin, args: RoundCall.Ready) -> None:
        """Say that one takes part."""
        self.deposit(RoundEvent.MinerReady(round=origin.round, miner=origin.signer))
        if origin.signer in self.Ready:
            raise Twice
        self.Ready.put(origin.signer, origin.signer)

    @call(SystemCall.Remark, weight=50)
    def act(self, origin: Origin, args: SystemCall.Remark) -> None:
        """Do what the remark says."""
        self.Ready.put(ZERO_HASH, ZERO_HASH)
        self.deposit(RoundEvent.MinerReady(miner=origin.signer))
        if args.remark == b"refuse":
            raise Twice
        if args.remark == b"close":
            self.pallet(Validators).close_epoch([BOB.public], b"s" * 32)
        elif args.remark == b"break":
            raise KeyError("a defect")


PALLETS = (*LEDGER, Round)
