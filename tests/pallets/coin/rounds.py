"""A stand-in for the pallets of a round: a call each for what they do with the coin pallet."""

from __future__ import annotations

import json
from collections.abc import Iterable

from pallets.coin import Coin
from pocl.keys import Keypair
from pocl.v1.system_pb2 import SystemCall
from runtime.frame import Origin, Pallet, call
from tests.pallets.harness import GRACE, LEDGER, TestChain


class Rounds(Pallet):
    """Lets an extrinsic do what a round does."""

    name = "round"

    @call(SystemCall.Remark, weight=1)
    def step(self, origin: Origin, args: SystemCall.Remark) -> None:
        """Call the named function of the coin pallet; `remark` is JSON, accounts in hexadecimal."""
        name, round, accounts, amount = json.loads(args.remark)
        coin = self.pallet(Coin)
        who = [bytes.fromhex(account) for account in accounts]
        if name == "deal":
            coin.deal(round, who, amount)
        elif name == "settle":
            coin.settle(round, who)
        elif name == "return_all":
            coin.return_all(round)
        elif name == "mint":
            coin.mint_reward(round, who[0], amount)


LEDGER_WITH_ROUNDS = (*LEDGER, Rounds)


def step(chain: TestChain, name: str, round: int, who: Iterable[Keypair] = (), amount: int = 0) -> bytes:
    """Return a signed step: deal (amount = transfers a miner), settle, return_all or mint."""
    remark = json.dumps([name, round, [keypair.public.hex() for keypair in who], amount])
    return chain.sign(GRACE, "round", "step", SystemCall.Remark(remark=remark.encode()))
