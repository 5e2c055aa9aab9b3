"""A stand-in for the round pallet: an extrinsic says who delivered, and its block closes the epoch."""

from __future__ import annotations

from collections.abc import Iterable

from pallets.validators import Validators
from pocl.keys import Keypair
from pocl.v1.system_pb2 import SystemCall
from runtime.frame import Bytes, Origin, Pallet, StorageValue, call
from tests.pallets.harness import GRACE, LEDGER, TestChain


class Epochs(Pallet):
    """Closes the epoch at the end of the block, as a round does."""

    name = "round"
    Closing = StorageValue(Bytes)

    @call(SystemCall.Remark, weight=1)
    def close(self, origin: Origin, args: SystemCall.Remark) -> None:
        """Close the epoch; the remark holds the accounts that delivered."""
        self.Closing.put(args.remark)

    def on_finalize(self) -> None:
        """Do it after the extrinsics."""
        if self.Closing.exists():
            data = self.Closing.get()
            self.Closing.kill()
            delivered = [data[start : start + 32] for start in range(0, len(data), 32)]
            self.pallet(Validators).close_epoch(delivered, b"s" * 32, delivered)


PALLETS = (*LEDGER, Epochs)


def close(chain: TestChain, delivered: Iterable[Keypair], *extrinsics: bytes) -> None:
    """Make a block of these extrinsics that closes the epoch; those named delivered something in it."""
    accounts = b"".join(keypair.public for keypair in delivered)
    chain.block(*extrinsics, chain.sign(GRACE, "round", "close", SystemCall.Remark(remark=accounts)))
