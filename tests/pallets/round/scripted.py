"""Scripted miners: whole rounds on the real runtime, without models.

rounds = Scripted(4, skills=[9, 7, 5, 3])      # 4 miners; how many of 10 records each predicts right
rounds.play()                                  # a whole round, all honest
rounds.open(); rounds.all("propose"); rounds.all("commit") ...
rounds.send(rounds.cast(who, labels=...))      # one miner's call, with something about it changed
rounds.refused(rounds.commit(who, ...))        # the label of the error that refuses it

Miners are named by their place in the sorted validator set. All that a miner says follows from (round, miner).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from google.protobuf.message import Message

from pallets.commitments import LABELS, PREDICTIONS, WEIGHTS, attest_tag, audit_tag, commitment
from pallets.prediction.owners import bitmap, join
from pallets.round import Round
from pallets.round.view import round_view
from pallets.vote.ranking import Revealed, implied_ranking
from pocl.extrinsics import u128
from pocl.hashing import blob_name, hash256
from pocl.keys import Keypair
from pocl.v1.aggregation_pb2 import OK, AggregationCall, Measure, WinnerVerdict
from pocl.v1.model_propose_pb2 import ModelProposeCall
from pocl.v1.prediction_pb2 import PredictionCall
from pocl.v1.round_pb2 import PHASE_NONE, Phase, RoundCall, RoundConfig, RoundState, RoundSummary
from pocl.v1.rounds_service_pb2 import RoundView
from pocl.v1.vote_pb2 import VoteCall
from runtime.frame import InvalidTransaction, RuntimeFault
from tests.pallets.harness import TestChain

RECORDS, CLASSES = 10, 4
EMISSION = 1_000_000
STEPS = ("propose", "commit", "reveal", "cast", "audit", "attest")


def config(**changes: Any) -> RoundConfig:
    """Return rules under which a phase lasts ten blocks of a second."""
    rules: dict[str, Any] = {
        "winners": 2,
        "test_records": RECORDS,
        "classes": CLASSES,
        "min_miners": 1,
        "train_ms": 10_000,
        "predict_ms": 10_000,
        "reveal_ms": 10_000,
        "vote_ms": 10_000,
        "audit_ms": 12_000,
        "aggregate_ms": 10_000,
        "aggregate_cap_ms": 20_000,
        "heartbeat_ms": 1000,
        "voting": "borda",
        "reward": "accuracy",
        "aggregation": "fedavg",
        "emission": u128(EMISSION),
        "base_share_bp": 2000,
        "transfers_per_miner": 10,
        "audit_tolerance_bp": 200,
        "screen_margin_bp": 1500,
        "max_weights_bytes": 1000,
        "max_records_bytes": 1000,
        "keep_rounds": 3,
    }
    return RoundConfig(**(rules | changes))


class Scripted:
    """A chain of `count` validators and what their miners say."""

    def __init__(self, count: int = 4, skills: Sequence[int] | None = None, **changes: Any) -> None:
        keys = [Keypair.from_uri(f"//Miner{index}") for index in range(count)]
        self.chain = TestChain(validators=keys, config={"round": {"config": config(**changes)}})
        self.miners = self.chain.validators
        self.accounts = [miner.public for miner in self.miners]
        self.skills = list(skills or [RECORDS - index for index in range(count)])
        self.marks: dict[int, set[int]] = {}
        """Who marks whose records unavailable."""

    # The chain

    @property
    def state(self) -> RoundState:
        state: RoundState = self.chain.pallet(Round).State.get()
        return state

    @property
    def phase(self) -> str:
        return Phase.Name(self.state.phase)

    def view(self, round: int | None = None) -> RoundView:
        head = self.chain.head
        pallets = self.chain.runtime.bind(self.chain.state, head.header, self.chain.genesis_hash)
        return round_view(pallets, head.header.number, head.hash, round)

    def summary(self, round: int) -> RoundSummary:
        summary: RoundSummary = self.chain.pallet(Round).Summaries.get(round)
        return summary

    def send(self, *calls: bytes, **how: Any) -> None:
        """Put calls into one block."""
        self.chain.block(*calls, **how)

    def refused(self, data: bytes) -> str:
        """Return the label of the error for which no block may contain the call, "" when one may."""
        refused: list[tuple[bytes, RuntimeFault]] = []
        self.chain.propose(data, refused=refused)
        for _, error in refused:
            assert isinstance(error, InvalidTransaction)
            assert error.code == "call", error
            return error.label
        return ""

    def wait(self, until: str, blocks: int = 40) -> None:
        """Make empty blocks until the round is in that phase."""
        for _ in range(blocks):
            if self.phase == until:
                return
            self.send()
        raise AssertionError(f"the round is in {self.phase} after {blocks} blocks, not in {until}")

    # Whole phases

    def open(self) -> None:
        """Begin the next round."""
        assert self.phase == Phase.Name(PHASE_NONE)
        self.send()

    def all(self, step: str, but: Iterable[int] = ()) -> None:
        """Let all miners, or all but some, make one step in one block."""
        self.send(*(getattr(self, step)(who) for who in range(len(self.miners)) if who not in set(but)))

    def play(self, until: str = "attest") -> None:
        """Open a round and play it to the end, or to the end of one step."""
        self.open()
        self.steps("propose", until)

    def steps(self, first: str, last: str = "attest", but: Iterable[int] = ()) -> None:
        """Play from one step to another; those in `but` only audit and attest."""
        for step in STEPS[STEPS.index(first) : STEPS.index(last) + 1]:
            self.all(step, () if step in ("audit", "attest") else but)

    # What a miner has

    def labels(self, who: int, round: int | None = None) -> bytes:
        seed = hash256("test/labels", self._round(round), self.accounts[who])
        return bytes(byte % CLASSES for byte in seed[:RECORDS])

    def weights(self, who: int) -> bytes:
        return b"weights" + self._round() + self.accounts[who]

    def salt(self, who: int, kind: str) -> bytes:
        return hash256("test/salt", self._round(), self.accounts[who], kind.encode())

    def bitmap(self, who: int) -> bytes:
        owners = self.owners()
        return bitmap(len(owners), (owners.index(other) for other in self.marks.get(who, ())))

    def owners(self) -> list[int]:
        """Return the miners that proposed."""
        return [place for place, miner in enumerate(self.view().miners) if miner.HasField("proposal")]

    def predictions(self, who: int) -> bytes:
        """Return predictions whose first `skill` labels are right on everybody's records."""
        left_out = {who, *self.marks.get(who, ())}
        return join([None if o in left_out else self._predicted(who, o) for o in self.owners()], RECORDS)

    def ranking(self, who: int, labels: bytes | None = None) -> list[Message]:
        revealed = [
            Revealed(miner.miner, miner.reveal.predictions, miner.commit.block)
            for miner in self.view().miners
            if miner.HasField("reveal")
        ]
        index = self.owners().index(who)
        return list(implied_ranking(self.accounts[who], index, labels or self.labels(who), revealed))

    def commitment(self, who: int, kind: str, payload: bytes) -> bytes:
        return commitment(
            kind,
            self.chain.genesis_hash,
            self.state.round,
            self.accounts[who],
            self.salt(who, kind),
            payload,
        )

    # Its calls; keyword arguments replace fields

    def ready(self, who: int) -> bytes:
        return self._call(who, "round", "ready", RoundCall.Ready())

    def propose(self, who: int, **fields: Any) -> bytes:
        honest = {
            "weights_commitment": self.commitment(who, WEIGHTS, blob_name(self.weights(who))),
            "labels_commitment": self.commitment(who, LABELS, self.labels(who)),
            "records_hash": hash256("test/records", self._round(), self.accounts[who]),
            "records_size": 500,
            "weights_size": len(self.weights(who)),
            "sample_count": 100,
        }
        return self._call(who, "model_propose", "propose", ModelProposeCall.Propose(**(honest | fields)))

    def commit(self, who: int, **fields: Any) -> bytes:
        honest = {
            "commitment": self.commitment(who, PREDICTIONS, self.predictions(who)),
            "unavailable": self.bitmap(who),
        }
        return self._call(who, "prediction", "commit", PredictionCall.Commit(**(honest | fields)))

    def reveal(self, who: int, **fields: Any) -> bytes:
        honest = {
            "predictions": self.predictions(who),
            "predictions_salt": self.salt(who, PREDICTIONS),
            "weights_hash": blob_name(self.weights(who)),
            "weights_salt": self.salt(who, WEIGHTS),
        }
        return self._call(who, "prediction", "reveal", PredictionCall.Reveal(**(honest | fields)))

    def cast(self, who: int, **fields: Any) -> bytes:
        honest = {
            "labels": self.labels(who),
            "labels_salt": self.salt(who, LABELS),
            "ranking": self.ranking(who),
        }
        return self._call(who, "vote", "cast", VoteCall.Cast(**(honest | fields)))

    def verdict(self, who: int, winner: bytes, verdict: int = OK) -> WinnerVerdict:
        weights = self.weights(self.accounts.index(winner))
        tag = audit_tag(self.accounts[who], self.state.round, weights) if verdict == OK else b""
        return WinnerVerdict(winner=winner, verdict=verdict, tag=tag)

    def audit(self, who: int, *verdicts: int, **fields: Any) -> bytes:
        """Return an audit with these verdicts, all OK without any."""
        winners = list(self.view().tally.provisional)
        given = list(verdicts) or [OK] * len(winners)
        honest = {"verdicts": [self.verdict(who, w, v) for w, v in zip(winners, given, strict=True)]}
        return self._call(who, "aggregation", "audit", AggregationCall.Audit(**(honest | fields)))

    def model(self) -> bytes:
        return b"model" + self._round()

    def attest(self, who: int, **fields: Any) -> bytes:
        winners = list(self.view().confirmed.winners)
        honest = {
            "global_model": blob_name(self.model()),
            "size": len(self.model()),
            "tag": attest_tag(self.accounts[who], self.state.round, self.model()),
            "measures": [Measure(winner=winner, weight_difference=1 << 30) for winner in winners],
        }
        return self._call(who, "aggregation", "attest", AggregationCall.Attest(**(honest | fields)))

    def _predicted(self, who: int, owner: int) -> bytes:
        truth = self.labels(owner)
        right = self.skills[who]
        return truth[:right] + bytes((label + 1) % CLASSES for label in truth[right:])

    def _call(self, who: int, pallet: str, function: str, args: Message) -> bytes:
        return self.chain.sign(self.miners[who], pallet, function, args, round=self.state.round)

    def _round(self, round: int | None = None) -> bytes:
        return (self.state.round if round is None else round).to_bytes(8, "big")
