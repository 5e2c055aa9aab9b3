"""Clocks of nodes compared over the answers to /peers/1."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from node.network import dialler
from tests.node.network.harness import connect, make_node, running, until, validator


async def test_a_clock_that_is_off_is_seen_and_its_repair_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialler, "_EXCHANGE_S", 0.05)
    ahead = [60_000]
    other = make_node(
        tmp_path, 1, now_ms=lambda: time.time_ns() // 1_000_000 + ahead[0], **validator("//Alice")
    )
    async with running(other):
        node = make_node(tmp_path, 2, bootnodes=tuple(other.network.addresses))
        async with running(node):
            await connect(node, other)

            def offset(now_ms: int | None = None) -> int:
                now_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
                found = node.peer(other).clock_offset_ms(now_ms)
                return 0 if found is None else found

            await until(lambda: offset() != 0, "the peer tells the time")
            assert abs(offset() - 60_000) < 2000
            # The own clock jumps by an hour: seen at once, for trio's clock does not.
            assert abs(offset(time.time_ns() // 1_000_000 + 3_600_000) - (60_000 - 3_600_000)) < 2000
            ahead[0] = 0
            await until(lambda: abs(offset()) < 2000, "peers are asked again")


async def test_a_time_that_is_none_is_not_believed(tmp_path: Path) -> None:
    liar = make_node(tmp_path, 1, now_ms=lambda: 2**64 - 1)
    async with running(liar):
        node = make_node(tmp_path, 2, bootnodes=tuple(liar.network.addresses))
        async with running(node):
            await connect(node, liar)
            session = node.network.sessions()[0]
            await node.network._dialler.ask(session)
            assert node.peer(liar).clock_offset_ms(0) is None
