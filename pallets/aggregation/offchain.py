"""AUDIT, AGGREGATE and what follows a round, off chain.

AUDIT. For every provisional winner, its weights are fetched and checked: the bytes have the revealed name and
the proposed size, they are a model of the task within bounds, and run again on the test records this miner
holds they give the revealed labels, but for audit_tolerance_bp of them (different processors may round
differently). All of it: OK, with the tag that shows who holds the bytes. Any of it not: MISMATCH, and so for
a winner that predicted nobody's records. Weights that nobody serves are asked for at every view; only when
the last third of the phase began are they UNAVAILABLE, which the chain does not accept before. The records
left out of the comparison are the winner's own and those it marked unavailable: it predicted neither.

AGGREGATE. The chain's rule (rules/) makes the new global model of the confirmed winners' weights. It is served,
and attested together with what the chain needs for rewards: the winners' weight differences from the starting
model, and how many labels that starting model has right on each owner's records. Auditors whose tags do not
fit the weights held here are named. Where the chain pays for contributions, the new model and, for each
winner, what the rule gives without it are run on the counted owners' records: at most one model more than there
are winners, which genesis bounds.

A rule with a server state needs that of the last settled round. All its attesters have it on disk and serve it
for ever, as they do a global model. Who lacks it asks at every view until half of AGGREGATE's cap is over, and
then attests what the rule gives without: a state that no quorum has any more is given up by a quorum, in the
same round. While a miner that serves it is within reach, all have it long before.

Once attested, and again if the chain settles on another model, the new global model is measured on the data
set's own test part and reported.
"""

from __future__ import annotations

from pallets.aggregation.fixed_point import weight_difference
from pallets.aggregation.rewards import contribution
from pallets.aggregation.rules import WinnerModel, aggregate
from pallets.aggregation.rules.state import InvalidServerState
from pallets.commitments import attest_tag, audit_tag
from pallets.offchain_protocols import BlobUnavailable, InvalidWeights
from pallets.offchain_round import RoundWork, miners_of, owners_of, phase_spent
from pallets.prediction.owners import is_marked, part
from pallets.round.aggregation_rules import max_server_state_bytes
from pocl.hashing import blob_name
from pocl.v1.aggregation_pb2 import (
    MISMATCH,
    OK,
    UNAVAILABLE,
    AggregationCall,
    Baseline,
    Measure,
    Verdict,
    WinnerVerdict,
)
from pocl.v1.round_pb2 import AGGREGATE, AUDIT, SETTLED
from pocl.v1.rounds_service_pb2 import RoundView
from pocl.v1.worker_service_pb2 import PUBLIC


class Aggregating:
    """The off-chain half of `aggregation`. Any miner audits and attests, whether or not it delivered."""

    def __init__(self, work: RoundWork) -> None:
        self.work = work
        self._round: int | None = None
        self._verdicts: dict[bytes, Verdict] = {}
        self._differences: dict[bytes, int] = {}
        self._audit_call: AggregationCall.Audit | None = None
        self._attest_call: AggregationCall.Attest | None = None
        self._measured: bytes = b""

    def step(self, view: RoundView) -> None:
        """In AUDIT give verdicts, in AGGREGATE attest, afterwards measure. Raise OffchainError to wait."""
        if view.round != self._round:
            self._round = view.round
            self._verdicts, self._differences = {}, {}
            self._audit_call, self._attest_call = None, None
        miner = miners_of(view).get(self.work.account)
        if view.summary.outcome == SETTLED:
            self._measure(view, view.summary.global_model)
        elif miner is None:
            return
        elif view.state.phase == AUDIT:
            if not miner.HasField("audit"):
                self._audit(view)
        elif view.state.phase == AGGREGATE and not miner.HasField("attestation"):
            self._attest(view)

    # AUDIT

    def _audit(self, view: RoundView) -> None:
        if self._audit_call is not None:
            self.work.submit("aggregation", "audit", self._audit_call)
            return
        last_call = phase_spent(view, view.config.audit_ms, 2, 3)
        winners = list(view.tally.provisional)
        weights = self._weights(view, winners, again=not last_call)
        global_model = self.work.global_model(view)
        for winner in winners:
            if winner in weights and winner not in self._verdicts:
                self._judge(view, winner, weights[winner], global_model)
        if not last_call and any(winner not in self._verdicts for winner in winners):
            return
        verdicts = [self._verdict(view, winner, weights) for winner in winners]
        self._audit_call = AggregationCall.Audit(verdicts=verdicts)
        self.work.submit("aggregation", "audit", self._audit_call)
        with self.work.timed("audit_ms", "auditing"):
            self._baselines(view)  # run now, while others audit, AGGREGATE has only to count

    def _judge(self, view: RoundView, winner: bytes, weights: bytes, global_model: bytes) -> None:
        """Settle on OK or MISMATCH, or on nothing while there are no records to run the model on."""
        miner = miners_of(view)[winner]
        if len(weights) != miner.proposal.weights_size:
            self._verdicts[winner] = MISMATCH
            return
        size = view.config.test_records
        predicted = {
            owner: part(miner.reveal.predictions, index, size)
            for index, owner in enumerate(owners_of(view))
            if owner != winner and not is_marked(miner.commit.unavailable, index)
        }
        if not predicted and len(owners_of(view)) > 1:
            self._verdicts[winner] = MISMATCH  # it marked everybody, and so has shown nothing to check
            return
        records = self.work.records(view, predicted, again=False)
        if predicted and not records:
            return
        try:
            with self.work.timed("audit_ms", "auditing"):
                # Refuses what could not be averaged, and is needed for the attestation anyway.
                self._differences[winner] = weight_difference(weights, global_model)
                labels = self.work.predict(miner.reveal.weights_hash, weights, records)
        except InvalidWeights:
            self._verdicts[winner] = MISMATCH
            return
        wrong = sum(
            given != found
            for owner in records
            for given, found in zip(predicted[owner], labels[owner], strict=True)
        )
        fits = wrong * 10_000 <= view.config.audit_tolerance_bp * size * len(records)
        self._verdicts[winner] = OK if fits else MISMATCH

    def _verdict(self, view: RoundView, winner: bytes, weights: dict[bytes, bytes]) -> WinnerVerdict:
        verdict = self._verdicts.get(winner, UNAVAILABLE)
        tag = audit_tag(self.work.account, view.round, weights[winner]) if verdict == OK else b""
        return WinnerVerdict(winner=winner, verdict=verdict, tag=tag)

    def _weights(self, view: RoundView, winners: list[bytes], *, again: bool) -> dict[bytes, bytes]:
        """Return the weights of those winners that serve them, or whose weights another miner serves."""
        miners = miners_of(view)
        names = {winner: miners[winner].reveal.weights_hash for winner in winners}
        found = self.work.blobs(
            [(name, view.config.max_weights_bytes, winner) for winner, name in names.items()], again=again
        )
        return {winner: found[name] for winner, name in names.items() if name in found}

    # AGGREGATE

    def _attest(self, view: RoundView) -> None:
        if self._attest_call is None:
            with self.work.timed("aggregate_ms", "aggregating"):
                self._attest_call = self._attestation(view)
        self.work.submit("aggregation", "attest", self._attest_call)
        self._measure(view, self._attest_call.global_model)

    def _attestation(self, view: RoundView) -> AggregationCall.Attest:
        work = self.work
        winners = list(view.confirmed.winners)
        weights = self._weights(view, winners, again=True)
        if len(weights) < len(winners):
            raise BlobUnavailable("weights of a confirmed winner")
        model, state = self._aggregate(view, winners, weights)
        return AggregationCall.Attest(
            global_model=work.context.put_blob(model, view.round, PUBLIC),
            size=len(model),
            tag=attest_tag(work.account, view.round, model + (state or b"")),
            measures=[
                Measure(
                    winner=winner,
                    weight_difference=self._difference(view, winner, weights[winner]),
                    contribution=self._contribution(view, winner, weights, model),
                )
                for winner in winners
            ],
            baselines=self._baselines(view),
            false_tags=self._false_tags(view, weights),
            server_state=b"" if state is None else work.context.put_blob(state, view.round, PUBLIC),
            server_state_size=len(state or b""),
        )

    def _aggregate(
        self, view: RoundView, winners: list[bytes], weights: dict[bytes, bytes]
    ) -> tuple[bytes, bytes | None]:
        """Return what the rule gives of these winners, and its state after it.

        Raise BlobUnavailable while the state before it may come.
        """
        miners = miners_of(view)
        models = [
            WinnerModel(winner, weights[winner], miners[winner].proposal.sample_count) for winner in winners
        ]
        global_model = self.work.global_model(view)
        arguments = view.config, view.state.seed, models, global_model
        if not view.state.server_state:
            return aggregate(*arguments)
        try:
            most = max_server_state_bytes(view.config)
            return aggregate(*arguments, self.work.blob(view.state.server_state, most, b""))
        except (BlobUnavailable, InvalidServerState):
            if not phase_spent(view, view.config.aggregate_cap_ms, 1, 2):
                raise
            return aggregate(*arguments)

    def _difference(self, view: RoundView, winner: bytes, weights: bytes) -> int:
        if winner not in self._differences:
            self._differences[winner] = weight_difference(weights, self.work.global_model(view))
        return self._differences[winner]

    def _contribution(self, view: RoundView, winner: bytes, weights: dict[bytes, bytes], model: bytes) -> int:
        """Measure how much of the new model's accuracy is owed to a winner, if the chain pays for that."""
        if view.config.reward != "contribution":
            return 0
        others = [other for other in view.confirmed.winners if other != winner]
        without = self._aggregate(view, others, weights)[0] if others else self.work.global_model(view)
        owners = [owner for owner in view.tally.counted_owners if owner != winner]
        records = self.work.records(view, owners, again=False)
        right, left = (
            sum(self._correct(view, blob_name(tried), tried, records).values()) for tried in (model, without)
        )
        return contribution(right, left, len(records) * view.config.test_records)

    def _baselines(self, view: RoundView) -> list[Baseline]:
        """Count the starting model's correct labels on the records that are held and have labels."""
        miners = miners_of(view)
        owners = [owner for owner in owners_of(view) if miners[owner].HasField("ballot")]
        records = self.work.records(view, owners, again=False)
        correct = self._correct(view, view.state.global_model, self.work.global_model(view), records)
        return [Baseline(owner=owner, correct=correct[owner]) for owner in owners if owner in correct]

    def _correct(
        self, view: RoundView, name: bytes, model: bytes, records: dict[bytes, bytes]
    ) -> dict[bytes, int]:
        """Count by owner how many of its labels a model has right; `records` are of owners with ballots."""
        miners = miners_of(view)
        labels = self.work.predict(name, model, records)
        return {
            owner: sum(
                given == true for given, true in zip(labels[owner], miners[owner].ballot.labels, strict=True)
            )
            for owner in records
        }

    def _false_tags(self, view: RoundView, weights: dict[bytes, bytes]) -> list[bytes]:
        """Return the auditors that gave a tag which the weights held here do not give, sorted."""
        return sorted(
            miner.miner
            for miner in view.miners
            if any(
                verdict.verdict == OK
                and verdict.winner in weights
                and verdict.tag != audit_tag(miner.miner, view.round, weights[verdict.winner])
                for verdict in miner.audit.verdicts
            )
        )

    # Afterwards

    def _measure(self, view: RoundView, model: bytes) -> None:
        """Report the accuracy of the round's new global model, once for each model."""
        if model == self._measured:
            return
        weights = self.work.blob(model, view.config.max_weights_bytes, b"")
        accuracy = self.work.learner.evaluate(weights)
        self._measured = model
        self.work.report(global_accuracy=accuracy)
