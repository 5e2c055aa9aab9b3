"""Appending to a value without decoding it: the same bytes as decoding, adding and encoding."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pallets.coin import Coin
from pallets.system import System
from pocl.v1.coin_pb2 import Assignments, IndexRange, QueuedTransfer, TransferPage
from pocl.v1.system_pb2 import AccountInfo
from runtime.codec import encode
from runtime.frame import Message, Repeated
from tests.pallets.harness import LEDGER, TestChain

TRANSFERS = st.builds(QueuedTransfer, index=st.integers(0, 2**64 - 1), sender=st.binary(), amount=st.binary())


@given(st.lists(st.lists(TRANSFERS, max_size=3), min_size=1))
def test_parts_appended_are_the_canonical_whole(parts: list[list[QueuedTransfer]]) -> None:
    pages = TestChain(pallets=LEDGER).pallet(Coin).Queue
    for part in parts:
        pages.append(7, TransferPage(transfers=part))
    whole = TransferPage(transfers=[transfer for part in parts for transfer in part])
    assert pages.get(7) == whole
    assert pages.state.get(b"coin.Queue:" + (7).to_bytes(8, "big")) == encode(whole)


@pytest.mark.parametrize("cls", [Assignments, AccountInfo, IndexRange])
def test_a_message_with_other_fields_cannot_be_appended_to(cls: Any) -> None:
    with pytest.raises(TypeError, match="cannot be appended to"):
        Repeated(cls)
    assert not Message(cls).appendable


def test_an_item_that_holds_something_else_refuses() -> None:
    accounts = TestChain(pallets=LEDGER).pallet(System).Account
    with pytest.raises(TypeError, match=r"system\.Account holds pocl\.v1\.AccountInfo"):
        accounts.append(bytes(32), AccountInfo(nonce=1))
