"""How long a validator without a log abstains: whom it believes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import trio

from node.consensus.abstention import GENESIS_PATIENCE_S, Abstention
from pocl.v1.consensus_pb2 import FINALIZE, NOTARIZE, Certificate
from runtime.certificates import make_certificate

VALIDATORS = [bytes([number]) * 32 for number in range(4)]
GOOD, FORGED = b"g" * 64, b"f" * 64


def certificate(epoch: int = 1, kind: int = FINALIZE, signature: bytes = GOOD) -> Certificate:
    return make_certificate(epoch, 3, kind, b"h" * 32, dict.fromkeys(range(3), signature), 4)


class Around:
    """A chain at epoch 1, block 0, and the peers of a network, as far as Abstention looks."""

    def __init__(self) -> None:
        self.final_number = 0
        self.genesis_hash = b"0" * 32
        self.epoch_change = SimpleNamespace(epoch=1, validators=VALIDATORS)
        self.connected: list[Any] = []
        self.syncs = 0
        self.abstention = Abstention(VALIDATORS[0], self, self, self.sync)  # type: ignore[arg-type]

    def peers(self) -> list[Any]:
        return self.connected

    def verify(self, account: bytes, message: bytes, signature: bytes) -> bool:
        return signature == GOOD

    def sync(self) -> None:
        self.syncs += 1

    def join(self, validator: int, final_number: int, begun: Certificate | None = None) -> Any:
        return self.connect(VALIDATORS[validator], final_number, begun)

    def connect(self, account: bytes, final_number: int, begun: Certificate | None = None) -> Any:
        peer: Any = SimpleNamespace(validator=account, final_number=final_number, epoch=1, begun=begun)
        self.connected.append(peer)
        self.abstention.on_peer(peer)
        return peer


async def test_a_liar_at_genesis_makes_nobody_abstain(autojump_clock: Any) -> None:
    around = Around()
    around.join(1, 0)
    around.join(2, 0)
    around.join(3, 10**9)
    assert around.abstention.look() == 0


@pytest.mark.parametrize(
    "shown", [certificate(signature=FORGED), certificate(kind=NOTARIZE), certificate(epoch=2)]
)
async def test_what_shows_no_beginning_is_a_lie_like_any_other(shown: Certificate) -> None:
    around = Around()
    around.join(1, 0)
    around.join(2, 0)
    around.join(3, 4, shown)
    assert around.abstention.look() == 0


async def test_one_that_shows_a_final_block_is_believed(autojump_clock: Any) -> None:
    around = Around()
    around.join(1, 0)
    around.join(2, 0)
    honest = around.join(3, 4, certificate())
    with trio.move_on_after(2 * GENESIS_PATIENCE_S):
        await around.abstention.end()
        raise AssertionError("it began although something was final")
    assert around.syncs
    around.connected.remove(honest)
    assert around.abstention.look() is None, "nothing that was shown is forgotten with who showed it"
    around.final_number = 4
    assert around.abstention.look() == 3


async def test_on_a_chain_that_has_begun_a_claim_is_asked_for_until_the_liar_is_gone() -> None:
    around = Around()
    around.final_number = 3
    abstention = Abstention(VALIDATORS[0], around, around, around.sync)  # type: ignore[arg-type]
    around.join(1, 3)
    around.join(2, 3)
    liar = around.join(3, 10**9)
    assert abstention.look() is None
    assert around.syncs == 1
    around.connected.remove(liar)  # banned: it could not show the blocks
    assert abstention.look() == 3


async def test_what_becomes_final_after_the_first_words_is_no_reason_to_abstain() -> None:
    around = Around()
    first = around.join(1, 0)
    around.join(2, 0)
    assert around.abstention.look() is None
    # The chain begins without this node, by a liar's votes, say: that tells nothing of its own.
    first.final_number, around.final_number = 2, 1
    around.join(3, 1)
    assert around.abstention.look() == 0


async def test_who_has_a_block_abstains_whatever_others_say() -> None:
    around = Around()
    around.final_number = 1
    abstention = Abstention(VALIDATORS[0], around, around, around.sync)  # type: ignore[arg-type]
    for validator in (1, 2, 3):
        around.join(validator, 0)
    assert abstention.look() == 3


async def test_what_more_than_f_say_is_waited_for_and_believed(autojump_clock: Any) -> None:
    around = Around()
    around.join(1, 0)
    for validator in (2, 3):
        around.connected.remove(around.join(validator, 7))
    with trio.move_on_after(2 * GENESIS_PATIENCE_S):
        await around.abstention.end()
        raise AssertionError("it began although two have seen final blocks")
    around.final_number = 7
    assert await around.abstention.end() == 3


@pytest.mark.parametrize("connected", [1, 2])
async def test_a_silent_validator_does_not_keep_a_chain_from_its_first_block(
    autojump_clock: Any, connected: int
) -> None:
    around = Around()
    for validator in range(1, connected + 1):
        around.join(validator, 0)
    begun = trio.current_time()
    with trio.move_on_after(2 * GENESIS_PATIENCE_S) as waiting:
        assert await around.abstention.end() == 0
        assert trio.current_time() - begun >= GENESIS_PATIENCE_S
    assert waiting.cancelled_caught == (connected < 2)  # with itself, two are no quorum of four


async def test_who_is_not_in_the_set_asks_a_quorum_of_all_of_it(autojump_clock: Any) -> None:
    around = Around()
    stranger = Abstention(b"s" * 32, around, around, around.sync)  # type: ignore[arg-type]
    around.epoch_change = SimpleNamespace(epoch=1, validators=VALIDATORS[:1])
    with trio.move_on_after(2 * GENESIS_PATIENCE_S):
        await stranger.end()
        raise AssertionError("it believed itself")
    peer: Any = SimpleNamespace(validator=VALIDATORS[0], final_number=0, epoch=1, begun=None)
    stranger.on_peer(peer)
    assert await stranger.end() == 0


async def test_accounts_outside_the_set_have_no_say(autojump_clock: Any) -> None:
    around = Around()
    around.join(1, 0)
    for stranger in (b"x" * 32, b"y" * 32):
        around.connect(stranger, 0)
    with trio.move_on_after(2 * GENESIS_PATIENCE_S) as waiting:
        await around.abstention.end()
    assert waiting.cancelled_caught, "one validator and two strangers are no quorum"


async def test_strangers_are_not_remembered(autojump_clock: Any) -> None:
    around = Around()
    for number in range(10, 1000):
        around.connected.remove(around.connect(number.to_bytes(32, "big"), 5))
        around.abstention.look()
    assert not around.abstention._reports
    for validator in (1, 2, 3):
        around.join(validator, 0)
    assert len(around.abstention._reports) == 3
    assert await around.abstention.end() == 0
    assert not around.abstention._reports


async def test_whoever_came_into_the_set_meanwhile_is_heard(autojump_clock: Any) -> None:
    around = Around()
    around.epoch_change.validators = [VALIDATORS[0], b"x" * 32]
    for validator in (1, 2):
        around.join(validator, 7)
    # It connects, says how far it is, and is gone before its account means anything.
    around.connected.remove(around.join(3, 7))
    assert around.abstention.look() is None
    around.final_number, around.epoch_change = 7, SimpleNamespace(epoch=2, validators=VALIDATORS)
    assert around.abstention.look() is None, "two of the three others were heard"
    around.join(3, 7)
    with trio.fail_after(5):
        assert await around.abstention.end() == 4


async def test_whoever_left_the_set_meanwhile_has_no_say(autojump_clock: Any) -> None:
    around = Around()
    for validator in (1, 2, 3):
        around.connected.remove(around.join(validator, 0))
    around.epoch_change = SimpleNamespace(
        epoch=2, validators=[VALIDATORS[0], b"x" * 32, b"y" * 32, b"z" * 32]
    )
    around.final_number = 3
    with trio.move_on_after(2 * GENESIS_PATIENCE_S) as waiting:
        await around.abstention.end()
    assert waiting.cancelled_caught
