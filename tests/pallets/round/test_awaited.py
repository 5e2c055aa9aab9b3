"""Whom a phase waits for, through a whole round; and that it agrees with what ends a phase."""

from __future__ import annotations

import pytest

from pallets.round import Round
from pallets.round.awaited import awaited
from pallets.round.phases import complete
from pocl.v1.round_pb2 import PHASE_NONE
from tests.pallets.round.scripted import STEPS, Scripted


def waiting(rounds: Scripted) -> list[int]:
    """Return the places of the awaited miners."""
    chain = rounds.chain
    pallets = chain.runtime.bind(chain.state, chain.head.header, chain.genesis_hash)
    found = awaited(pallets)
    pallet = pallets["round"]
    assert isinstance(pallet, Round)
    state = pallet.State.get()
    if state.phase != PHASE_NONE and not found:
        assert complete(pallet, state, pallet.config())
    return [rounds.accounts.index(miner) for miner in found]


@pytest.mark.parametrize("missing", [0, 3])
def test_each_phase_waits_for_who_has_not_delivered(missing: int) -> None:
    rounds = Scripted(4)
    assert waiting(rounds) == []
    rounds.open()
    for step in STEPS[:4]:
        assert waiting(rounds) == [0, 1, 2, 3]
        rounds.all(step, but=[missing])
        assert waiting(rounds) == [missing]
        rounds.send(getattr(rounds, step)(missing))
    assert waiting(rounds) == [0, 1, 2, 3]
    # Who audited is not named any more, though the phase may end without the others.
    rounds.send(rounds.audit(missing))
    assert waiting(rounds) == [who for who in range(4) if who != missing]
    rounds.all("audit", but=[missing])
    assert rounds.phase == "AGGREGATE"
    rounds.send(rounds.attest(missing))
    assert waiting(rounds) == [who for who in range(4) if who != missing]


def test_who_dropped_out_is_waited_for_no_longer() -> None:
    rounds = Scripted(4)
    rounds.open()
    rounds.all("propose", but=[2])
    rounds.wait("PREDICT")
    assert waiting(rounds) == [0, 1, 3]
    rounds.steps("commit", "attest", but=[2])
    rounds.open()
    # The second round expects those that delivered in the first one.
    assert waiting(rounds) == [0, 1, 3]
    rounds.all("propose", but=[2])
    assert rounds.phase == "PREDICT"
