"""Balances, fees, and transfers that a round's winner settles.

Rules:
- an account has a free and a reserved balance; their sum over all accounts is the total issuance, which is
  genesis plus minted rewards minus what was burnt;
- reserved are the amounts of queued transfers and the bonds of validators (pallets/validators), nothing else;
- a transfer reserves its amount and joins the queue under the next index, until it is paid or cancelled. The
  queue (queue.py) holds at most `MaxQueued`: above it new transfers are refused;
- a queued transfer *waits*, is *dealt* to a miner of the round, or is *unpaid*: assigned to a winner. Only a waiting
  one can be cancelled, by its sender;
- `deal` hands out the oldest waiting ones in equal shares, at most `per_miner` each, so that no transfer
  hangs on one miner's luck longer than another. When the round ends, winners' transfers become unpaid, and all
  others wait again at their old places, so the oldest stay first. One sender's transfers can therefore settle
  out of order;
- `on_idle` pays unpaid ones, oldest settlement first, as the block's weight allows: the reserve of the
  sender becomes free balance of the destination, which exists from being paid;
- a normal extrinsic costs BaseFee + ByteFee for each byte + WeightFee for each unit of weight + its tip. It
  all goes to the block's author, once, before on_idle, so that the author's account is written once a block.

Waiting are those in the ranges `Returned` and those from `FirstFresh` on, which were never dealt. Both may have
holes, where some were cancelled; `deal` passes over each hole once, at most `MAX_HOLES` a round.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pallets.coin import queue, ranges, weights
from pallets.coin.errors import (
    Dealt,
    InsufficientBalance,
    MalformedAccount,
    MalformedAmount,
    NotQueued,
    NotSender,
    QueueFull,
    ZeroAmount,
)
from pallets.coin.try_state import check_books
from pallets.system import System
from pocl.extrinsics import U128_MAX, U128_SIZE, u128
from pocl.keys import PUBLIC_SIZE
from pocl.v1 import coin_pb2 as pb
from pocl.v1.system_pb2 import AccountInfo
from runtime.frame import (
    U64,
    U128,
    GenesisError,
    InvalidTransaction,
    Message,
    Origin,
    Pallet,
    Repeated,
    StorageMap,
    StorageValue,
    call,
)

if TYPE_CHECKING:
    from pallets.validators import Validators

MAX_QUEUED = 1 << 20
"""Whoever fills the queue shuts everyone else out until rounds settle, so filling it must be dear: at the least fee of
about 4.9 million a transfer it takes 5.2 * 10^12 (5.2 coins of 12 decimals), and all of 524 blocks. An entry takes
about 400 bytes of a node's disk, its history and its part of the tree included: 420 MB when all are there, which
settling gives back. No call and no hook walks the queue."""
BASE_FEE = 1_000_000
BYTE_FEE = 10_000
WEIGHT_FEE = 10_000

PAY_WEIGHT = weights.PAY
DEAL_WEIGHT = weights.DEAL
MAX_HOLES = 10_000


class Coin(Pallet):
    """Balances, fees, and the queue of transfers."""

    name = "coin"
    errors = (
        InsufficientBalance,
        QueueFull,
        ZeroAmount,
        MalformedAmount,
        MalformedAccount,
        NotQueued,
        NotSender,
        Dealt,
    )
    events: ClassVar = {
        pb.CoinEvent.TransferQueued: "A transfer was reserved and waits in the queue under its index.",
        pb.CoinEvent.TransferCancelled: "Its sender took a transfer back.",
        pb.CoinEvent.TransferSettled: "A winner's transfer was paid out of the sender's reserve.",
        pb.CoinEvent.RewardMinted: "A winner got its share of the round's emission.",
        pb.CoinEvent.FeePaid: "The extrinsic's fee, which goes to the block's author.",
    }
    constants: ClassVar = {
        "BaseFee": (U128, BASE_FEE, "What every normal extrinsic costs, in the smallest unit."),
        "ByteFee": (U128, BYTE_FEE, "What each byte of a normal extrinsic costs."),
        "WeightFee": (U128, WEIGHT_FEE, "What each unit of weight of a normal extrinsic costs."),
        "MaxQueued": (U64, MAX_QUEUED, "How many transfers the queue holds: waiting, dealt and unpaid."),
        "PageSize": (U64, queue.PAGE_SIZE, "A transfer's page in Queue is its index divided by this."),
    }

    TotalIssuance = StorageValue(U128, default=0, doc="The sum of all balances, free and reserved.")
    Queue = StorageMap(
        U64, Repeated(pb.TransferPage), doc="Transfers not paid yet, by page: the older, the lower."
    )
    Queued = StorageValue(U64, default=0, doc="The number of transfers in Queue.")
    NextIndex = StorageValue(U64, default=0, doc="The index of the next transfer.")
    FirstFresh = StorageValue(U64, default=0, doc="From here to NextIndex no transfer was ever dealt.")
    Returned = StorageValue(
        Message(pb.IndexRanges), doc="Waiting transfers below FirstFresh: dealt before, but to no winner."
    )
    Assignments = StorageValue(
        Message(pb.Assignments), doc="The transfers dealt to the miners of the current round."
    )
    Payouts = StorageValue(
        Message(pb.Payouts), doc="Transfers that winners settled and on_idle has still to pay."
    )

    def genesis(self, config: Mapping[str, Any]) -> None:
        """Take `balances`, pairs of account and amount; amounts of an account listed twice add up."""
        issuance = 0
        for who, amount in config.get("balances", ()):
            if len(who) != PUBLIC_SIZE:
                raise GenesisError(f"coin.balances: an account has {PUBLIC_SIZE} bytes, not {len(who)}")
            if not 0 <= amount <= U128_MAX - issuance:
                raise GenesisError("coin.balances: the sum of all amounts does not fit in a u128")
            issuance += amount
            self._credit(who, amount)
        self.TotalIssuance.put(issuance)

    def on_idle(self, remaining_weight: int) -> int:
        """Pay as many unpaid transfers as fit, and return the weight of that."""
        left = remaining_weight // PAY_WEIGHT
        if not left or not self.Payouts.exists():
            return 0
        unpaid = []
        paid = 0
        for payout in self.Payouts.get().payouts:
            rest = ranges.pairs(payout.ranges)
            while rest and paid < left:
                start, end = rest[0]
                stop = min(end, start + left - paid)
                for entry in queue.take(self.Queue, start, stop):
                    self._pay(entry, payout.round, payout.miner)
                rest[:1] = [(stop, end)] if stop < end else []
                paid += stop - start
            if rest:
                unpaid.append(pb.Payout(round=payout.round, miner=payout.miner, ranges=ranges.messages(rest)))
        self._put_payouts(unpaid)
        self.Queued.put(self.Queued.get() - paid)
        return paid * PAY_WEIGHT

    @call(pb.CoinCall.Transfer, weight=weights.TRANSFER)
    def transfer(self, origin: Origin, args: pb.CoinCall.Transfer) -> None:
        """Reserve an amount and queue it for settlement by a round's winner."""
        if len(args.amount) != U128_SIZE:
            raise MalformedAmount(f"an amount has {U128_SIZE} bytes, not {len(args.amount)}")
        if len(args.dest) != PUBLIC_SIZE:
            raise MalformedAccount(f"an account has {PUBLIC_SIZE} bytes, not {len(args.dest)}")
        amount = int.from_bytes(args.amount, "big")
        if not amount:
            raise ZeroAmount
        queued = self.Queued.get()
        if queued >= MAX_QUEUED:
            raise QueueFull(f"{queued} transfers wait: try again after the next round")
        self.reserve(origin.signer, amount)
        index = self.NextIndex.get()
        self.NextIndex.put(index + 1)
        self.Queued.put(queued + 1)
        entry = pb.QueuedTransfer(index=index, sender=origin.signer, dest=args.dest, amount=args.amount)
        queue.append(self.Queue, entry)
        self.deposit(
            pb.CoinEvent.TransferQueued(index=index, sender=origin.signer, dest=args.dest, amount=args.amount)
        )

    @call(pb.CoinCall.Cancel, weight=weights.CANCEL)
    def cancel(self, origin: Origin, args: pb.CoinCall.Cancel) -> None:
        """Take back an own queued transfer that is not dealt to a miner at the moment."""
        entry = self.queued(args.index)
        if entry is None:
            raise NotQueued(f"no transfer {args.index} in the queue: it was paid, cancelled, or never made")
        if entry.sender != origin.signer:
            raise NotSender(f"transfer {args.index} is another account's")
        if args.index < self.FirstFresh.get() and not ranges.contains(self._returned(), args.index):
            raise Dealt(
                f"transfer {args.index} is with a miner of this round, or settled and about to be paid"
            )
        self.unreserve(entry.sender, int.from_bytes(entry.amount, "big"))
        queue.take(self.Queue, args.index, args.index + 1)
        self.Queued.put(self.Queued.get() - 1)
        self.deposit(
            pb.CoinEvent.TransferCancelled(index=args.index, sender=entry.sender, amount=entry.amount)
        )

    def queued(self, index: int) -> pb.QueuedTransfer | None:
        """Return the transfer of that index while it is queued: not paid, not cancelled."""
        return queue.find(self.Queue, index)

    # For the pallets of a round.

    def deal(self, round: int, miners: Sequence[bytes], per_miner: int) -> int:
        """Deal the oldest waiting transfers to the round's miners in equal shares, at most `per_miner` each.

        The shares follow each other in the order of the miners. Return the weight of that.
        """
        if self.Assignments.exists():
            raise RuntimeError(f"round {self.Assignments.get().round} is dealt and not settled")
        fresh, end = self.FirstFresh.get(), self.NextIndex.get()
        walk = ranges.Walk([*self._returned(), (fresh, end)])
        queued = queue.Indices(self.Queue)
        holes = visited = 0
        assignments = []
        share = min(per_miner, -(-self._waiting() // max(len(miners), 1)))
        for miner in miners:
            dealt: list[ranges.Range] = []
            count = 0
            while count < share and holes < MAX_HOLES:
                index = walk.next()
                if index is None:
                    break
                visited += 1
                if index in queued:
                    ranges.append(dealt, index)
                    count += 1
                else:
                    holes += 1
            assignments.append(pb.Assignment(miner=miner, ranges=ranges.messages(dealt)))
        rest = walk.rest()
        self._put_returned([part for part in rest if part[0] < fresh])
        self.FirstFresh.put(next((start for start, _ in rest if start >= fresh), end))
        self.Assignments.put(pb.Assignments(round=round, assignments=assignments))
        return visited * DEAL_WEIGHT

    def settle(self, round: int, winners: Iterable[bytes]) -> None:
        """Settle the winners' transfers, to be paid by on_idle; all others of the round wait again."""
        won = set(winners)
        payouts = list(self.Payouts.get().payouts) if self.Payouts.exists() else []
        lost = []
        for assignment in self._take_assignments(round):
            if assignment.miner not in won:
                lost.append(ranges.pairs(assignment.ranges))
            elif assignment.ranges:
                payouts.append(pb.Payout(round=round, miner=assignment.miner, ranges=assignment.ranges))
        self._put_payouts(payouts)
        self._put_returned(ranges.merged(self._returned(), *lost))

    def return_all(self, round: int) -> None:
        """Let all transfers of a void round wait again, at their old places."""
        self.settle(round, ())

    def payouts_pending(self) -> bool:
        """Return whether settled transfers are still to be paid."""
        return self.Payouts.exists()

    def mint_reward(self, round: int, miner: bytes, amount: int) -> None:
        """Make `amount` new coins the miner's, for its part in the round.

        The issuance cannot pass 2^128 - 1: of a reward that would pass it, what fits is minted.
        """
        issuance: int = self.TotalIssuance.get()
        amount = min(amount, U128_MAX - issuance)
        if amount <= 0:
            return
        self.TotalIssuance.put(issuance + amount)
        self._credit(miner, amount)
        self.deposit(pb.CoinEvent.RewardMinted(round=round, miner=miner, amount=u128(amount)))

    # For the validators' bonds.

    def reserve(self, who: bytes, amount: int) -> None:
        """Set an amount of free balance aside. Raise InsufficientBalance."""
        system = self.pallet(System)
        account = system.account(who)
        free = int.from_bytes(account.free, "big")
        if free < amount:
            raise InsufficientBalance(f"{free} is free, {amount} is needed")
        account.free = u128(free - amount)
        account.reserved = u128(int.from_bytes(account.reserved, "big") + amount)
        system.put_account(who, account)

    def unreserve(self, who: bytes, amount: int) -> None:
        """Make an amount that was reserved free balance again."""
        system = self.pallet(System)
        account = system.account(who)
        account.reserved = u128(int.from_bytes(account.reserved, "big") - amount)
        account.free = u128(int.from_bytes(account.free, "big") + amount)
        system.put_account(who, account)

    def burn(self, who: bytes, *, reserved: int, free: int) -> int:
        """Take these amounts of an account out of the issuance; return what of `free` it had."""
        system = self.pallet(System)
        account = system.account(who)
        held = int.from_bytes(account.free, "big")
        free = min(free, held)
        account.free = u128(held - free)
        account.reserved = u128(int.from_bytes(account.reserved, "big") - reserved)
        system.put_account(who, account)
        self.TotalIssuance.put(self.TotalIssuance.get() - reserved - free)
        return free

    # For the executive (runtime/roles.py).

    def fee(self, length: int, weight: int, tip: int) -> int:
        """Return the fee of an extrinsic of `length` bytes and that weight; it may exceed a u128."""
        return BASE_FEE + BYTE_FEE * length + WEIGHT_FEE * weight + tip

    def charge(self, account: AccountInfo, fee: int) -> None:
        """Take the fee and the nonce out of an account's record, which the caller puts back.

        Raise InvalidTransaction("payment") when the free balance is too small.
        """
        free = int.from_bytes(account.free, "big")
        if free < fee:
            raise InvalidTransaction("payment", f"the fee is {fee}, but only {free} is free")
        account.free = u128(free - fee)
        account.nonce += 1

    def fee_paid(self, who: bytes, fee: int) -> None:
        """Tell of a fee that goes to the block's author."""
        self.deposit(pb.CoinEvent.FeePaid(who=who, author=self.env.header.author, amount=u128(fee)))

    def reward_author(self, fees: int) -> None:
        """Give the block's author what `charge` took in this block."""
        if fees:
            self._credit(self.env.header.author, fees)

    def try_state(self) -> None:
        """Check the issuance, every account's reserve, and the places of all queued transfers."""
        validators: Validators = self.pallet("validators")
        waiting = [*self._returned(), (self.FirstFresh.get(), self.NextIndex.get())]
        dealt = self.Assignments.get().assignments if self.Assignments.exists() else []
        unpaid = self.Payouts.get().payouts if self.Payouts.exists() else []
        exact = [assignment.ranges for assignment in dealt] + [payout.ranges for payout in unpaid]
        check_books(
            accounts=dict(self.pallet(System).Account.items()),
            issuance=self.TotalIssuance.get(),
            bonds=validators.bonds(),
            queue={entry.index: entry for entry in queue.transfers(self.Queue)},
            queued=self.Queued.get(),
            waiting=waiting,
            exact=[pair for part in exact for pair in ranges.pairs(part)],
        )

    def _credit(self, who: bytes, amount: int) -> None:
        system = self.pallet(System)
        account = system.account(who)
        account.free = u128(int.from_bytes(account.free, "big") + amount)
        system.put_account(who, account)

    def _pay(self, entry: pb.QueuedTransfer, round: int, miner: bytes) -> None:
        """Move one transfer's amount from its sender's reserve to its destination."""
        system = self.pallet(System)
        sender = system.account(entry.sender)
        amount = int.from_bytes(entry.amount, "big")
        sender.reserved = u128(int.from_bytes(sender.reserved, "big") - amount)
        system.put_account(entry.sender, sender)
        self._credit(entry.dest, amount)
        self.deposit(
            pb.CoinEvent.TransferSettled(
                index=entry.index,
                round=round,
                miner=miner,
                sender=entry.sender,
                dest=entry.dest,
                amount=entry.amount,
            )
        )

    def _take_assignments(self, round: int) -> Sequence[pb.Assignment]:
        if not self.Assignments.exists() or self.Assignments.get().round != round:
            raise RuntimeError(f"round {round} is not dealt")
        assignments: Sequence[pb.Assignment] = self.Assignments.get().assignments
        self.Assignments.kill()
        return assignments

    def _waiting(self) -> int:
        """Return how many transfers wait, while none is dealt."""
        unpaid = self.Payouts.get().payouts if self.Payouts.exists() else []
        settled = sum(end - start for payout in unpaid for start, end in ranges.pairs(payout.ranges))
        return int(self.Queued.get()) - settled

    def _returned(self) -> list[ranges.Range]:
        return ranges.pairs(self.Returned.get().ranges) if self.Returned.exists() else []

    def _put_returned(self, parts: list[ranges.Range]) -> None:
        if parts:
            self.Returned.put(pb.IndexRanges(ranges=ranges.messages(parts)))
        elif self.Returned.exists():
            self.Returned.kill()

    def _put_payouts(self, payouts: list[pb.Payout]) -> None:
        if payouts:
            self.Payouts.put(pb.Payouts(payouts=payouts))
        elif self.Payouts.exists():
            self.Payouts.kill()
