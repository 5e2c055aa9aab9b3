"""The rounds: a state machine on the chain's own clock.

    (none) → TRAIN → PREDICT → REVEAL → VOTE → AUDIT → AGGREGATE → settled, or void from any of them

Rules:
- round r is epoch r of agreement. The first block of an epoch opens its round, before its extrinsics: queued
  transfers are dealt to the miners, who are the validators, and TRAIN begins;
- every operational call names the round, and is accepted only in its own phase (`require`);
- the phase clock counts milliseconds since the phase began. A block moves it on by the gap between its
  timestamp and the last block's, but by at most two heartbeats, so that an outage does not eat a phase;
- a phase ends *early* when everybody it waits for has delivered (pallets/round/phases.py);
- otherwise it ends after its deadline, once blocks by f+1 different authors came whose phase clock is at or
  past the deadline. One of them is honest and included what it had, so no faulty leader cuts a miner off.
  Until then the phase's calls are still accepted;
- both are checked at the end of a block, and a block makes at most one step;
- TRAIN waits for the `expected`: at first all miners, later those that delivered in the last round
  (pallets/round/closing.py says what that means), and those that say `ready`;
- when a round ends, settled or void, its summary is written for ever and its epoch closes.

The seed of a round is its epoch's: all know it when the round opens. It breaks ties that nothing else breaks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pallets.round import phases, weights
from pallets.round.config import check_config, deadline_ms
from pallets.round.errors import AlreadyReady, NotMiner, WrongPhase, WrongRound
from pallets.validators import Validators
from pocl.hashing import HASH_SIZE
from pocl.v1.round_pb2 import (
    AGGREGATE,
    AUDIT,
    PHASE_NONE,
    PREDICT,
    REVEAL,
    TRAIN,
    VOTE,
    Phase,
    RoundCall,
    RoundConfig,
    RoundEvent,
    RoundState,
    RoundSummary,
)
from pocl.v1.validators_pb2 import ValidatorSet
from runtime.frame import (
    OPERATIONAL,
    U64,
    AccountId,
    Bool,
    GenesisError,
    Message,
    Origin,
    Pallet,
    StorageDoubleMap,
    StorageMap,
    StorageValue,
    call,
)

if TYPE_CHECKING:
    from pallets.aggregation import Aggregation
    from pallets.coin import Coin

_END_WEIGHTS = {
    TRAIN: weights.end_train,
    PREDICT: weights.end_predict,
    REVEAL: weights.end_reveal,
    VOTE: weights.end_vote,
    AUDIT: weights.end_audit,
    AGGREGATE: weights.end_aggregate,
}


class Round(Pallet):
    """The current round, its phases and deadlines, and the summaries of all rounds that ended."""

    name = "round"
    errors = (WrongRound, WrongPhase, NotMiner, AlreadyReady)
    events: ClassVar = {
        RoundEvent.RoundStarted: "A round opened with TRAIN, for these miners, from this global model.",
        RoundEvent.PhaseChanged: "The next phase began; early: before the last one's deadline.",
        RoundEvent.MinerReady: "A miner said that it takes part, so that TRAIN waits for it.",
        RoundEvent.OwnerUnavailable: "f+1 miners could not get an owner's records: it is out of this round.",
        RoundEvent.RoundSettled: "A quorum attested the new global model; the winners' transfers settle.",
        RoundEvent.RoundVoid: "The round ended without winners; the global model is as before.",
    }

    Config = StorageValue(Message(RoundConfig), doc="The rules of the rounds.")
    State = StorageValue(
        Message(RoundState), doc="The current round; once it ended, phase NONE until the next one opens."
    )
    Ready = StorageDoubleMap(
        U64, AccountId, Bool, default=False, doc="Miners that said in a round's TRAIN that they take part."
    )
    Miners = StorageMap(
        U64, Message(ValidatorSet), doc="The miners of a round: the validators when it opened."
    )
    Summaries = StorageMap(
        U64, Message(RoundSummary), doc="How each round ended; kept for ever, the certificate in short."
    )

    def genesis(self, config: Mapping[str, Any]) -> None:
        """Take `config`, a RoundConfig. Round 0 is over: the first block opens round 1."""
        rules = config.get("config")
        if not isinstance(rules, RoundConfig):
            raise GenesisError("round.config is missing: it must be a RoundConfig")
        check_config(rules, self.pallet(Validators).n)
        self.Config.put(rules)
        self.State.put(RoundState(last_timestamp_ms=self.env.header.timestamp_ms))

    def on_initialize(self) -> int:
        """Open the next round after one has ended; else move the phase clock on.

        on_finalize returns no weight: what the end of the phase would weigh is in the one returned here.
        """
        state: RoundState = self.State.get()
        if state.phase == PHASE_NONE:
            return self._open(state.round + 1)
        config: RoundConfig = self.Config.get()
        header = self.env.header
        state.phase_clock_ms = clock_at(state, config, header.timestamp_ms)
        state.last_timestamp_ms = header.timestamp_ms
        past = state.phase_clock_ms >= deadline_ms(config, state.phase)
        if past and header.author not in state.late_authors:
            state.late_authors.append(header.author)
        self.State.put(state)
        return _end_weight(state, config)

    def on_finalize(self) -> None:
        """Take the step that is due, if any."""
        state: RoundState = self.State.get()
        if state.phase == PHASE_NONE:
            return
        config: RoundConfig = self.Config.get()
        early = phases.complete(self, state, config)
        if early or len(state.late_authors) > self.pallet(Validators).f:
            phases.end(self, state, config, early)

    @call(RoundCall.Ready, weight=weights.READY, class_=OPERATIONAL, kind="ready")
    def ready(self, origin: Origin, args: RoundCall.Ready) -> None:
        """Say in TRAIN that one takes part: TRAIN then waits for this miner too, up to its deadline.

        For a miner that did not deliver in the last round; the others are waited for anyway.
        """
        state = self.require(origin, TRAIN)
        if origin.signer in state.expected:
            raise AlreadyReady
        self.Ready.put(state.round, origin.signer, True)
        expected = sorted([*state.expected, origin.signer])
        del state.expected[:]
        state.expected.extend(expected)
        self.State.put(state)
        self.deposit(RoundEvent.MinerReady(round=state.round, miner=origin.signer))

    # For the other pallets and the executive.

    def current_round(self) -> int:
        """Return the number that operational calls must name now: the round that is open, or ended last."""
        return self.State.get().round

    def config(self) -> RoundConfig:
        """Return the rules of the rounds."""
        return self.Config.get()

    def require(self, origin: Origin, phase: Phase) -> RoundState:
        """Return the current round if `origin` may make a call of this phase in it.

        Raise WrongRound, WrongPhase or NotMiner.
        """
        state: RoundState = self.State.get()
        if origin.round != state.round:
            raise WrongRound(f"the call names round {origin.round}, the current one is {state.round}")
        if state.phase != phase:
            current, needed = Phase.Name(state.phase), Phase.Name(phase)
            raise WrongPhase(f"round {state.round} is in {current}, this call belongs to {needed}")
        if origin.signer not in state.miners:
            raise NotMiner(f"0x{origin.signer.hex()} is no miner of round {state.round}")
        return state

    def miners(self, round: int) -> list[bytes]:
        """Return the miners of a round whose books are still kept, sorted; none for any other round."""
        miners: ValidatorSet | None = self.Miners.get(round)
        return [] if miners is None else list(miners.validators)

    def forget(self, round: int) -> None:
        """Remove a round's books; its summary stays."""
        self.Ready.clear(round)
        self.Miners.remove(round)

    def try_state(self) -> None:
        """Check the current round and that exactly the rounds that ended have summaries."""
        state: RoundState = self.State.get()
        config: RoundConfig = self.Config.get()
        ended = [number for number, _ in self.Summaries.items()]
        last = state.round if state.phase == PHASE_NONE else state.round - 1
        assert ended == list(range(1, last + 1)), f"rounds 1 to {last} ended, summaries are of {ended}"
        for number, summary in self.Summaries.items():
            assert summary.round == number
            assert bool(summary.digest) == (number + config.keep_rounds <= last), f"round {number}'s digest"
            assert bool(self.miners(number)) != bool(summary.digest), f"round {number}'s books and digest"
        if state.phase == PHASE_NONE:
            return
        miners = list(state.miners)
        assert miners == sorted(set(miners)) == self.miners(state.round), "the miners are not sorted"
        assert set(state.expected) <= set(miners), "somebody is expected who is no miner"
        assert list(state.expected) == sorted(set(state.expected)), "the expected are not sorted"
        ready = {account for account, _ in self.Ready.items(state.round)}
        assert ready <= set(state.expected), "somebody is ready but not expected"
        late = list(state.late_authors)
        assert len(set(late)) == len(late), "a late author is listed twice"
        assert len(state.seed) == len(state.global_model) == HASH_SIZE

    def _open(self, number: int) -> int:
        """Begin a round: deal transfers, note who is expected; return the weight of that."""
        validators = self.pallet(Validators)
        aggregation: Aggregation = self.pallet("aggregation")
        coin: Coin = self.pallet("coin")
        config: RoundConfig = self.Config.get()
        header = self.env.header
        miners = validators.members()
        last: RoundState = self.State.get()
        expected = miners if number == 1 else [miner for miner in last.expected if miner in miners]
        model = aggregation.global_model()
        self.State.put(
            RoundState(
                round=number,
                phase=TRAIN,
                last_timestamp_ms=header.timestamp_ms,
                started_ms=header.timestamp_ms,
                started_block=header.number,
                phase_started_block=header.number,
                global_model=model,
                server_state=aggregation.server_state(),
                miners=miners,
                expected=expected,
                seed=validators.seed,
            )
        )
        self.Miners.put(number, ValidatorSet(validators=miners))
        self.deposit(RoundEvent.RoundStarted(round=number, global_model=model, miners=miners))
        self.deposit(RoundEvent.PhaseChanged(round=number, phase=TRAIN))
        weight = weights.open(len(miners)) + coin.deal(number, miners, config.transfers_per_miner)
        return weight + _end_weight(self.State.get(), config)


def _end_weight(state: RoundState, config: RoundConfig) -> int:
    """Return what ending the current phase weighs: each of n owners' R labels is compared with n predictions."""
    miners = len(state.miners)
    return _END_WEIGHTS[state.phase](miners, miners * miners * config.test_records)


def clock_at(state: RoundState, config: RoundConfig, timestamp_ms: int) -> int:
    """Return what the phase clock shows in a block of that time which follows the state's last one."""
    gap = max(0, timestamp_ms - state.last_timestamp_ms)
    return state.phase_clock_ms + min(gap, 2 * config.heartbeat_ms)
