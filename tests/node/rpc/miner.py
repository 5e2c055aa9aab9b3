"""The worker of the one miner of a chain, in short: a whole round through WorkerService, with bytes for a model."""

from __future__ import annotations

import grpc

from pallets.commitments import LABELS, PREDICTIONS, WEIGHTS, attest_tag, audit_tag, commitment
from pocl.v1.aggregation_pb2 import OK, AggregationCall, Baseline, Measure, WinnerVerdict
from pocl.v1.extrinsic_pb2 import Call
from pocl.v1.model_propose_pb2 import ModelProposeCall
from pocl.v1.prediction_pb2 import PredictionCall
from pocl.v1.vote_pb2 import VoteCall
from pocl.v1.worker_service_pb2 import (
    BlobVisibility,
    GetSaltRequest,
    PutBlobRequest,
    SubmitCallRequest,
)
from pocl.v1.worker_service_pb2_grpc import WorkerServiceStub
from tests.node.rpc.harness import ALICE, TOKEN, Node

AUTHORIZED = (("authorization", f"Bearer {TOKEN}"),)
WEIGHTS_BLOB, RECORDS_BLOB, MODEL_BLOB = b"weights" * 50_000, b"records", b"model"


class Miner:
    """`play` runs a round; each step is a call through the server, included in a block of its own."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.channel = grpc.insecure_channel(node.server.address)
        self.worker = WorkerServiceStub(self.channel)

    def submit(self, pallet: str, function: str, args: object, round: int) -> bytes:
        data = args.SerializeToString(deterministic=True)  # type: ignore[attr-defined]
        request = SubmitCallRequest(call=Call(pallet=pallet, function=function, args=data), round=round)
        return self.worker.SubmitCall(request, metadata=AUTHORIZED, timeout=20).hash

    def salt(self, round: int, kind: str) -> bytes:
        request = GetSaltRequest(round=round, kind=kind)
        return self.worker.GetSalt(request, metadata=AUTHORIZED, timeout=20).salt

    def put(self, data: bytes, round: int, visibility: int) -> bytes:
        parts = [data[start : start + 100_000] for start in range(0, len(data), 100_000)]
        requests = [PutBlobRequest(round=round, visibility=visibility, data=part) for part in parts]
        return self.worker.PutBlob(iter(requests), metadata=AUTHORIZED, timeout=20).hash

    def commit(self, round: int, kind: str, payload: bytes) -> bytes:
        genesis = self.node.chain.genesis_hash
        return commitment(kind, genesis, round, ALICE.public, self.salt(round, kind), payload)

    def propose(self, round: int) -> ModelProposeCall.Propose:
        weights = self.put(WEIGHTS_BLOB, round, BlobVisibility.AFTER_REVEAL)
        records = self.put(RECORDS_BLOB, round, BlobVisibility.AFTER_TRAIN)
        count = self.node.config.chain.genesis.round.test_records
        return ModelProposeCall.Propose(
            weights_commitment=self.commit(round, WEIGHTS, weights),
            labels_commitment=self.commit(round, LABELS, bytes(count)),
            records_hash=records,
            records_size=len(RECORDS_BLOB),
            weights_size=len(WEIGHTS_BLOB),
            sample_count=100,
        )

    def play(self, round: int) -> None:
        """Take the round from TRAIN to its settlement. Its opening block must have been made."""
        count = self.node.config.chain.genesis.round.test_records
        self.step("model_propose", "propose", self.propose(round), round)
        predictions = b"\xff" * count
        commit = PredictionCall.Commit(
            commitment=self.commit(round, PREDICTIONS, predictions), unavailable=b"\0"
        )
        self.step("prediction", "commit", commit, round)
        reveal = PredictionCall.Reveal(
            predictions=predictions,
            predictions_salt=self.salt(round, PREDICTIONS),
            weights_hash=self.put(WEIGHTS_BLOB, round, BlobVisibility.AFTER_REVEAL),
            weights_salt=self.salt(round, WEIGHTS),
        )
        self.step("prediction", "reveal", reveal, round)
        cast = VoteCall.Cast(labels=bytes(count), labels_salt=self.salt(round, LABELS))
        self.step("vote", "cast", cast, round)
        verdict = WinnerVerdict(
            winner=ALICE.public, verdict=OK, tag=audit_tag(ALICE.public, round, WEIGHTS_BLOB)
        )
        self.step("aggregation", "audit", AggregationCall.Audit(verdicts=[verdict]), round)
        attest = AggregationCall.Attest(
            global_model=self.put(MODEL_BLOB, round, BlobVisibility.PUBLIC),
            size=len(MODEL_BLOB),
            tag=attest_tag(ALICE.public, round, MODEL_BLOB),
            measures=[Measure(winner=ALICE.public, weight_difference=5)],
            baselines=[Baseline(owner=ALICE.public, correct=3)],
        )
        self.step("aggregation", "attest", attest, round)

    def step(self, pallet: str, function: str, args: object, round: int) -> None:
        self.submit(pallet, function, args, round)
        self.node.author()
