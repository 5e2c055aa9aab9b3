"""AUDIT and AGGREGATE: verdicts, attestations, and what a settled round pays.

Rules of `audit`, in AUDIT:
- by any miner of the round, whether or not it delivered, once;
- a verdict on every provisional winner, in the order of the tally. OK carries a tag (pallets/commitments.py),
  the others none. Of two winners with the same weights the tags are equal, of others they differ;
- UNAVAILABLE only in the last third of the phase;
- who wins by that: pallets/aggregation/audit.py.

Rules of `attest`, in AGGREGATE:
- by any miner of the round, once: blob name, size and tag of the new global model, which the chain's rule
  (pallets/aggregation/rules) makes of the winners' weights; name and size of the server state under a rule
  that keeps one, nothing under the others; what it measured on every winner; how many labels of each owner
  the old global model has right, of the owners whose records it holds; and the auditors whose tag on a winner
  it found false;
- once a quorum attested the same model and state, they are the new ones, and the round settles. These
  attestations are the round's certificate, and their medians its measures (pallets/aggregation/rewards.py).

A **false tag** is an offence: f+1 of the attesters that agreed name the auditor. One of them is honest and
computed the tag itself, for it holds the weights. The event tells everybody, and a winner that did it
forfeits its reward. The audit stands: it counted on f lies from the start.

Tags of different miners are not compared. A copied tag is false by itself, as it names another account; and
if the second of two equal ones were refused, a miner that copies one from the pool would silence the miner
that made it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pallets.aggregation import audit as auditing
from pallets.aggregation import weights
from pallets.aggregation.attesting import check_measures, check_server_state
from pallets.aggregation.errors import (
    AlreadyAttested,
    AlreadyAudited,
    InvalidBaselines,
    InvalidFalseTags,
    InvalidMeasure,
    InvalidServerState,
    InvalidTag,
    InvalidVerdict,
    SameTag,
    TooEarly,
    WrongLength,
    WrongSize,
    WrongWinners,
)
from pallets.aggregation.rewards import Share, accuracy_weight, divide, is_free_ride, low_median
from pallets.model_propose import ModelPropose
from pallets.prediction import Prediction
from pallets.round import Round
from pallets.round.books import check_only_kept, kept_rounds
from pallets.validators import Validators
from pallets.vote import Vote
from pocl.hashing import HASH_SIZE, ZERO_HASH
from pocl.v1.aggregation_pb2 import (
    MISMATCH,
    OK,
    UNAVAILABLE,
    AggregationCall,
    AggregationEvent,
    Attestation,
    AuditRecord,
    Winners,
)
from pocl.v1.prediction_pb2 import PredictionReveal
from pocl.v1.round_pb2 import AGGREGATE, AUDIT, RoundConfig
from pocl.v1.vote_pb2 import MinerTally
from runtime.frame import (
    OPERATIONAL,
    U64,
    AccountId,
    Bytes,
    GenesisError,
    Hash,
    Message,
    Origin,
    Pallet,
    StorageDoubleMap,
    StorageMap,
    StorageValue,
    call,
)
from runtime.quorum import faulty


@dataclass(frozen=True, slots=True)
class Agreement:
    """The new global model and server state of a quorum, and the attestations that agree on them, by account."""

    global_model: bytes
    size: int
    server_state: bytes
    """Empty under a rule that keeps none."""
    attestations: Mapping[bytes, Attestation]


class Aggregation(Pallet):
    """The audit of the winners, the global model that a quorum attests, and the rewards."""

    name = "aggregation"
    errors = (
        AlreadyAudited,
        AlreadyAttested,
        WrongWinners,
        InvalidVerdict,
        TooEarly,
        InvalidTag,
        SameTag,
        WrongLength,
        WrongSize,
        InvalidServerState,
        InvalidMeasure,
        InvalidBaselines,
        InvalidFalseTags,
    )
    events: ClassVar = {
        AggregationEvent.Audited: "A miner gave its verdicts on the provisional winners.",
        AggregationEvent.WinnerDisqualified: "The audit took a provisional winner's place.",
        AggregationEvent.WinnersConfirmed: "The winners that passed the audit; AGGREGATE begins.",
        AggregationEvent.Attested: "A miner attested a new global model.",
        AggregationEvent.FalseTag: "f+1 attesters found an auditor's tag on a winner false.",
        AggregationEvent.FreeRide: "A winner is no better than the model it started from: the base share only.",
    }

    GlobalModel = StorageValue(
        Hash,
        default=ZERO_HASH,
        doc="Blob name of the global model; zeros stand for the task's initial model.",
    )
    ServerState = StorageValue(
        Bytes,
        default=b"",
        doc="Blob name of the aggregation rule's own state; empty before the first round and for rules without.",
    )
    Audits = StorageDoubleMap(U64, AccountId, Message(AuditRecord), doc="Verdicts by round and auditor.")
    Confirmed = StorageMap(
        U64, Message(Winners), doc="The winners of a round that passed the audit, from AGGREGATE on."
    )
    Attestations = StorageDoubleMap(
        U64, AccountId, Message(Attestation), doc="Attestations of the new global model, by round and miner."
    )

    def genesis(self, config: Mapping[str, Any]) -> None:
        """Take `global_model`: 32 zero bytes for the task's initial model."""
        model = config.get("global_model", ZERO_HASH)
        if len(model) != HASH_SIZE:
            raise GenesisError(f"aggregation.global_model has {HASH_SIZE} bytes, not {len(model)}")
        self.GlobalModel.put(model)

    @call(
        AggregationCall.Audit,
        weight=lambda args: weights.audit(len(args.verdicts)),
        class_=OPERATIONAL,
        kind="audit",
    )
    def audit(self, origin: Origin, args: AggregationCall.Audit) -> None:
        """Give a verdict on every provisional winner."""
        rounds = self.pallet(Round)
        state = rounds.require(origin, AUDIT)
        if self.Audits.contains(state.round, origin.signer):
            raise AlreadyAudited
        provisional = list(self.pallet(Vote).tally(state.round).provisional)
        if [verdict.winner for verdict in args.verdicts] != provisional:
            raise WrongWinners("give a verdict on each provisional winner, in their order")
        late = 3 * state.phase_clock_ms >= 2 * rounds.config().audit_ms
        tags: list[tuple[bytes, bytes]] = []
        for verdict in args.verdicts:
            if verdict.verdict not in (OK, MISMATCH, UNAVAILABLE):
                raise InvalidVerdict
            if verdict.verdict == UNAVAILABLE and not late:
                raise TooEarly
            if len(verdict.tag) != (HASH_SIZE if verdict.verdict == OK else 0):
                raise InvalidTag(f"a tag has {len(verdict.tag)} bytes")
            if verdict.verdict == OK:
                reveal: PredictionReveal = self.pallet(Prediction).Reveals.get(state.round, verdict.winner)
                tags.append((reveal.weights_hash, verdict.tag))
        # One tag a weights hash, and one weights hash a tag.
        if not len(set(tags)) == len({name for name, _ in tags}) == len({tag for _, tag in tags}):
            raise SameTag
        self.Audits.put(state.round, origin.signer, AuditRecord(verdicts=args.verdicts))
        self.deposit(
            AggregationEvent.Audited(round=state.round, auditor=origin.signer, verdicts=args.verdicts)
        )

    @call(
        AggregationCall.Attest,
        weight=lambda args: weights.attest(len(args.baselines), len(args.false_tags)),
        class_=OPERATIONAL,
        kind="attest",
    )
    def attest(self, origin: Origin, args: AggregationCall.Attest) -> None:
        """Attest the new global model that the winners' weights give, and the rule's state after it."""
        rounds = self.pallet(Round)
        state = rounds.require(origin, AGGREGATE)
        if self.Attestations.contains(state.round, origin.signer):
            raise AlreadyAttested
        config = rounds.config()
        if len(args.global_model) != HASH_SIZE:
            raise WrongLength(f"a global model's name has {len(args.global_model)} bytes, not {HASH_SIZE}")
        if not 1 <= args.size <= config.max_weights_bytes:
            raise WrongSize(f"the size is {args.size}: it may be 1 to {config.max_weights_bytes} bytes")
        if len(args.tag) != HASH_SIZE:
            raise InvalidTag(f"a tag has {len(args.tag)} bytes, not {HASH_SIZE}")
        check_server_state(config, args)
        self._check_measures(state.round, config, args)
        self.Attestations.put(
            state.round,
            origin.signer,
            Attestation(
                global_model=args.global_model,
                size=args.size,
                tag=args.tag,
                measures=args.measures,
                baselines=args.baselines,
                false_tags=args.false_tags,
                server_state=args.server_state,
                server_state_size=args.server_state_size,
            ),
        )
        self.deposit(
            AggregationEvent.Attested(
                round=state.round, attester=origin.signer, global_model=args.global_model
            )
        )

    # For the round pallet.

    def global_model(self) -> bytes:
        """Return the blob name of the current global model."""
        return self.GlobalModel.get()

    def server_state(self) -> bytes:
        """Return the blob name of the aggregation rule's state, empty for none."""
        return self.ServerState.get()

    def audit_decided(self, round: int) -> bool:
        """Return whether no further audit can change who wins."""
        return auditing.is_decided(self._judgements(round), self.pallet(Round).config().winners)

    def confirm(self, round: int) -> list[bytes]:
        """End AUDIT: note the winners and return them; none when nobody passed."""
        places = self.pallet(Round).config().winners
        judgements = self._judgements(round)
        for judgement in auditing.disqualified(judgements, places):
            self.deposit(
                AggregationEvent.WinnerDisqualified(
                    round=round, winner=judgement.winner, reason=judgement.reason
                )
            )
        winners = auditing.winners(judgements, places)
        if winners:
            self.Confirmed.put(round, Winners(winners=winners))
            self.deposit(AggregationEvent.WinnersConfirmed(round=round, winners=winners))
        return winners

    def winners(self, round: int) -> list[bytes]:
        """Return the confirmed winners of a round, best first; none before AGGREGATE."""
        confirmed: Winners | None = self.Confirmed.get(round)
        return [] if confirmed is None else list(confirmed.winners)

    def agreement(self, round: int) -> Agreement | None:
        """Return the global model and server state that a quorum attested, or None."""
        groups: dict[tuple[bytes, int, bytes, int], dict[bytes, Attestation]] = {}
        for attester, said in self.Attestations.items(round):
            result = (said.global_model, said.size, said.server_state, said.server_state_size)
            groups.setdefault(result, {})[attester] = said
        quorum = self.pallet(Validators).quorum
        for (model, size, server_state, _), attestations in groups.items():
            if len(attestations) >= quorum:
                return Agreement(model, size, server_state, attestations)
        return None

    def adopt(self, round: int, agreement: Agreement) -> list[tuple[bytes, int]]:
        """Take the attested global model; return what each winner is to be paid, in their order."""
        self.GlobalModel.put(agreement.global_model)
        if agreement.server_state:
            self.ServerState.put(agreement.server_state)
        config = self.pallet(Round).config()
        liars = self._false_tags(agreement)
        for auditor in liars:
            self.deposit(AggregationEvent.FalseTag(round=round, auditor=auditor))
        baseline = self._baseline(agreement)
        tally = self.pallet(Vote).tally(round)
        results = {result.miner: result for result in tally.miners}
        counted = set(tally.counted_owners)
        shares = []
        for place, winner in enumerate(self.winners(round)):
            result = results[winner]
            correct = {score.owner: score.correct for score in result.scores if score.owner in counted}
            free_ride = is_free_ride(correct, baseline)
            if free_ride:
                self.deposit(AggregationEvent.FreeRide(round=round, winner=winner))
            weight = self._weight(config, place, result, agreement)
            shares.append(Share(winner, weight, free_ride, forfeits=winner in liars))
        return divide(int.from_bytes(config.emission, "big"), config.base_share_bp, shares)

    def forget(self, round: int) -> None:
        """Remove a round's verdicts, winners and attestations."""
        self.Audits.clear(round)
        self.Confirmed.remove(round)
        self.Attestations.clear(round)

    def try_state(self) -> None:
        """Check of all kept rounds that auditors and attesters are miners and winners passed the audit."""
        rounds = self.pallet(Round)
        config = rounds.config()
        emission = int.from_bytes(config.emission, "big")
        for number in kept_rounds(rounds):
            miners = set(rounds.miners(number))
            assert {auditor for auditor, _ in self.Audits.items(number)} <= miners
            assert {attester for attester, _ in self.Attestations.items(number)} <= miners
            winners = self.winners(number)
            if winners:
                judgements = self._judgements(number)
                assert winners == auditing.winners(judgements, config.winners), f"round {number}: winners"
            summary = rounds.Summaries.get(number)
            if summary is not None:
                paid = [int.from_bytes(reward.amount, "big") for reward in summary.rewards]
                assert sum(paid) <= emission, f"round {number} minted more than its emission"
                assert list(summary.winners) in ([], winners), f"round {number}: the summary's winners"
        check_only_kept(rounds, Aggregation.Audits, Aggregation.Confirmed, Aggregation.Attestations)

    def _judgements(self, round: int) -> list[auditing.Judgement]:
        audits = [[verdict.verdict for verdict in record.verdicts] for _, record in self.Audits.items(round)]
        provisional = self.pallet(Vote).tally(round).provisional
        miners = self.pallet(Round).miners(round)
        # The round's own f: this is asked of earlier rounds, too, whose sets had other sizes.
        return auditing.judge(provisional, audits, len(miners), faulty(len(miners)))

    def _check_measures(self, round: int, config: RoundConfig, args: AggregationCall.Attest) -> None:
        winners = self.winners(round)
        check_measures(config, winners, args.measures)
        owners = [baseline.owner for baseline in args.baselines]
        proposers = set(self.pallet(ModelPropose).proposers(round)) if owners else set()
        if owners != sorted(set(owners)) or not proposers.issuperset(owners):
            raise InvalidBaselines("name owners of this round, sorted, each once")
        if any(baseline.correct > config.test_records for baseline in args.baselines):
            raise InvalidBaselines(f"an owner has {config.test_records} records")
        accused = list(args.false_tags)
        if accused != sorted(set(accused)) or not all(
            self._approved(round, auditor, winners) for auditor in accused
        ):
            raise InvalidFalseTags("name auditors with an OK on a winner, sorted, each once")

    def _approved(self, round: int, auditor: bytes, winners: list[bytes]) -> bool:
        """Return whether a miner's audit says OK about one of the winners."""
        if len(auditor) != HASH_SIZE:
            return False
        record: AuditRecord | None = self.Audits.get(round, auditor)
        return record is not None and any(
            verdict.verdict == OK and verdict.winner in winners for verdict in record.verdicts
        )

    def _false_tags(self, agreement: Agreement) -> list[bytes]:
        """Return the auditors that f+1 of the agreeing attesters name, sorted."""
        accusations: dict[bytes, int] = {}
        for attestation in agreement.attestations.values():
            for auditor in attestation.false_tags:
                accusations[auditor] = accusations.get(auditor, 0) + 1
        faulty = self.pallet(Validators).f
        return sorted(auditor for auditor, count in accusations.items() if count > faulty)

    def _baseline(self, agreement: Agreement) -> dict[bytes, int]:
        """Return by owner how many labels the old global model has right, where f+1 attesters measured it."""
        reports: dict[bytes, list[int]] = {}
        for attestation in agreement.attestations.values():
            for baseline in attestation.baselines:
                reports.setdefault(baseline.owner, []).append(baseline.correct)
        faulty = self.pallet(Validators).f
        return {owner: low_median(counts) for owner, counts in reports.items() if len(counts) > faulty}

    def _weight(self, config: RoundConfig, place: int, result: MinerTally, agreement: Agreement) -> int:
        """Return the weight of the winner in that place, by the chain's reward rule."""
        if config.reward == "accuracy":
            return accuracy_weight(result.correct, result.records)
        measures = [attestation.measures[place] for attestation in agreement.attestations.values()]
        if config.reward == "contribution":
            return low_median([measure.contribution for measure in measures])
        return low_median([measure.weight_difference for measure in measures])
