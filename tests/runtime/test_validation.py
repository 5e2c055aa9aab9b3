"""What judges many extrinsics on one state, over the executive's small runtime."""

from __future__ import annotations

import pytest

from pocl.keys import Keypair
from pocl.v1.system_pb2 import SystemCall
from runtime.frame import InvalidTransaction
from runtime.state import Overlay
from tests.pallets.harness import EVE, TestChain
from tests.runtime.toy_round import PALLETS


def test_it_remembers_a_bounded_number_of_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    overlays: list[Overlay] = []

    class Watched(Overlay):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)  # type: ignore[arg-type]
            overlays.append(self)

    monkeypatch.setattr("runtime.execution.Overlay", Watched)
    monkeypatch.setattr("runtime.validation.MAX_SHARED", 10)
    chain = TestChain(pallets=PALLETS)
    overlays.clear()
    validate = chain.runtime.validation(chain.state, chain.head.header, chain.genesis_hash)
    remark = SystemCall.Remark(remark=b"hi")
    # Who has nothing is refused, and was looked up all the same.
    for number in range(30):
        with pytest.raises(InvalidTransaction, match="fee"):
            validate(
                chain.sign(Keypair.from_uri(f"//stranger {number}"), "system", "remark", remark, nonce=0)
            )
    assert len(overlays) > 2
    assert max(len(overlay.before) for overlay in overlays) < 20
    assert sum(len(overlay.before) for overlay in overlays) >= 30
    # It says the same as before, and one block serves many.
    made = len(overlays)
    for nonce in range(5):
        assert validate(chain.sign(EVE, "system", "remark", remark, nonce=nonce)).future == (nonce > 0)
    assert len(overlays) <= made + 1
