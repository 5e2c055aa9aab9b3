"""TRAIN: what a proposal may be."""

from __future__ import annotations

from typing import Any

import pytest

from pallets.model_propose import ModelPropose
from pocl.v1.model_propose_pb2 import ModelProposeEvent
from tests.pallets.round.scripted import Scripted


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"weights_commitment": bytes(31)}, "WrongLength"),
        ({"labels_commitment": b""}, "WrongLength"),
        ({"records_hash": bytes(33)}, "WrongLength"),
        ({"weights_size": 0}, "WrongSize"),
        ({"weights_size": 1001}, "WrongSize"),
        ({"records_size": 1001}, "WrongSize"),
        ({"sample_count": 0}, "NoSamples"),
    ],
)
def test_a_malformed_proposal_is_refused(fields: dict[str, Any], error: str) -> None:
    rounds = Scripted(4)
    rounds.open()
    assert rounds.refused(rounds.propose(0, **fields)) == f"model_propose.{error}"
    rounds.send(rounds.propose(0))


def test_a_proposal_is_noted_with_its_block() -> None:
    rounds = Scripted(4)
    rounds.open()
    rounds.send()
    rounds.send(rounds.propose(2, sample_count=77))
    proposal = rounds.chain.pallet(ModelPropose).Proposals.get(1, rounds.accounts[2])
    assert (proposal.sample_count, proposal.block) == (77, 3)
    (event,) = rounds.chain.events(ModelProposeEvent.Proposed)
    assert (event.round, event.miner, event.sample_count) == (1, rounds.accounts[2], 77)


def test_a_second_proposal_is_refused_whatever_it_says() -> None:
    rounds = Scripted(4)
    rounds.open()
    rounds.send(rounds.propose(0))
    assert rounds.refused(rounds.propose(0)) == "model_propose.AlreadyProposed"
    assert rounds.refused(rounds.propose(0, weights_commitment=bytes(32))) == "model_propose.AlreadyProposed"


def test_a_copied_commitment_is_accepted_but_never_opens() -> None:
    rounds = Scripted(4)
    rounds.open()
    view = rounds.view  # the thief reads the victim's proposal on chain
    rounds.send(*(rounds.propose(who) for who in (0, 1, 2)))
    victim = view().miners[0].proposal
    rounds.send(
        rounds.propose(
            3, weights_commitment=victim.weights_commitment, labels_commitment=victim.labels_commitment
        )
    )
    rounds.all("commit")
    rounds.send(*(rounds.reveal(who) for who in (0, 1, 2)))
    opened = view().miners[0].reveal
    copied = rounds.reveal(3, weights_hash=opened.weights_hash, weights_salt=opened.weights_salt)
    assert rounds.refused(copied) == "prediction.CommitmentMismatch"
    rounds.wait("VOTE")
    rounds.steps("cast", but=[3])
    assert list(rounds.summary(1).winners) == rounds.accounts[:2]
