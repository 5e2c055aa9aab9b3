"""Rounds go on with one of four validators Byzantine: a few ways of it. All of them are `make byzantine`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.rounds import run


@pytest.mark.slow
def test_rounds_settle_under_a_few_attacks_of_each_kind(tmp_path: Path) -> None:
    rows, wrong = run(tmp_path / "network", ["lying_pages", "insiders_vote_flood", "Silent", "DoubleVoter"])
    assert wrong == []
    assert all(row.blocks and row.rounds for row in rows)
