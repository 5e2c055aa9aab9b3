"""A light client follows a chain whose validators come and go, from its genesis header alone.

Whole rounds of the whole runtime, played by whoever is in the set; every block certified by its epoch's set.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pallets.validators import Validators
from pocl.keys import Keypair
from pocl.v1.block_pb2 import Header
from pocl.v1.consensus_pb2 import FINALIZE, Justification
from pocl.v1.round_pb2 import SETTLED
from pocl.v1.validators_pb2 import ValidatorsCall
from runtime.blocks import header_hash
from runtime.certificates import CertificateError, make_certificate, vote_message
from runtime.light import SUMMARIES, LightClient
from runtime.quorum import quorum
from runtime.tree import prove
from tests.evidence import report, vote
from tests.pallets.harness import ALICE, GRACE
from tests.pallets.round.scripted import Scripted


class ChangingRounds(Scripted):
    """Rounds whose miners are whoever is in the set."""

    def __init__(self) -> None:
        super().__init__(4, skills=[9, 8, 7, 6, 5, 4])
        self.sets = {1: list(self.miners)}

    def round(self, *calls: bytes) -> None:
        """Open a round, put these calls into its second block, play it to its end, note the next set."""
        self.open()
        self.send(*calls)
        self.steps("propose")
        self.miners = [self.chain.keys[account] for account in self.chain.pallet(Validators).members()]
        self.accounts = [miner.public for miner in self.miners]
        self.sets[self.chain.head.header.next_epoch.epoch] = self.miners

    def call(self, who: Keypair, function: str) -> bytes:
        args = {"join": ValidatorsCall.Join, "leave": ValidatorsCall.Leave}[function]()
        return self.chain.sign(who, "validators", function, args)

    def justification(self, header: Header, signers: Sequence[Keypair] = ()) -> Justification:
        """Return the finalize certificate of the last quorum of its epoch's set, or of other keys."""
        members = list(signers) or self.sets[header.epoch]
        hash = header_hash(header)
        message = vote_message(self.chain.genesis_hash, header.epoch, header.view, FINALIZE, hash)
        n = len(members)
        votes = {index: members[index].sign(message) for index in range(n - quorum(n), n)}
        return Justification(
            certificate=make_certificate(header.epoch, header.view, FINALIZE, hash, votes, n)
        )


@pytest.fixture(scope="module")
def rounds() -> ChangingRounds:
    rounds = ChangingRounds()
    rounds.round(rounds.call(ALICE, "join"))
    rounds.round(rounds.call(GRACE, "join"))
    # ALICE equivocates in epoch 3 and is put out; GRACE leaves in epoch 4; ALICE may not come back by itself.
    index = rounds.accounts.index(ALICE.public)
    pair = [vote(ALICE, index, rounds.chain.genesis_hash, 3, 2, FINALIZE, bytes([b]) * 32) for b in (1, 2)]
    evidence = ValidatorsCall.ReportEquivocation(**report(ALICE, *pair))
    rounds.round(rounds.chain.sign(GRACE, "validators", "report_equivocation", evidence))
    rounds.round(rounds.call(GRACE, "leave"))
    rounds.round()
    return rounds


def test_the_set_changed_and_rounds_went_on(rounds: ChangingRounds) -> None:
    assert [len(rounds.sets[epoch]) for epoch in range(1, 7)] == [4, 5, 6, 5, 4, 4]
    assert [rounds.summary(number).outcome for number in range(1, 6)] == [SETTLED] * 5
    assert len(rounds.summary(3).attesters) == 6
    # The miners of a round are the set of its epoch, to its end.
    miners = [list(rounds.view(number).miners) for number in (3, 4, 5)]
    assert [GRACE.public in [miner.miner for miner in of] for of in miners] == [True, True, False]


def test_every_block_is_followed_from_the_genesis_header(rounds: ChangingRounds) -> None:
    headers = [block.header for block in rounds.chain.blocks]
    client, skipping = LightClient(headers[0]), LightClient(headers[0])
    for header in headers[1:]:
        client.import_final(header, rounds.justification(header))
        if header.HasField("next_epoch"):
            skipping.import_final(header, rounds.justification(header))
    for epoch, members in rounds.sets.items():
        assert client.validators(epoch) == tuple(sorted(member.public for member in members))
        assert skipping.validators(epoch) == client.validators(epoch)
    state = rounds.chain.state
    for number in (2, 3, 4, 5):
        key = SUMMARIES + number.to_bytes(8, "big")
        summary = client.verify_round_certificate(prove(state, state.version, key, state.get(key)))
        assert len(summary.attesters) == len(rounds.sets[number])


@pytest.mark.parametrize(("epoch", "signed_by"), [(2, 1), (3, 2), (4, 3), (5, 4)])
def test_another_epochs_set_finalizes_nothing(rounds: ChangingRounds, epoch: int, signed_by: int) -> None:
    client = LightClient(rounds.chain.blocks[0].header)
    for block in rounds.chain.blocks[1:]:
        header = block.header
        if header.epoch == epoch:
            with pytest.raises(CertificateError):
                client.import_final(header, rounds.justification(header, rounds.sets[signed_by]))
            return
        client.import_final(header, rounds.justification(header))
    raise AssertionError("no block of that epoch")
