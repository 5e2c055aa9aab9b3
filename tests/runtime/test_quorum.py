"""Faulty members and quorums."""

import pytest

from runtime.quorum import faulty, quorum


def test_the_table_of_small_sets() -> None:
    assert [(faulty(n), quorum(n)) for n in (1, 2, 3, 4, 5, 6, 7, 10)] == [
        (0, 1),
        (0, 2),
        (0, 3),
        (1, 3),
        (1, 4),
        (1, 5),
        (2, 5),
        (3, 7),
    ]


def test_two_quorums_share_an_honest_validator_and_the_honest_ones_are_a_quorum() -> None:
    for n in range(1, 500):
        f, q = faulty(n), quorum(n)
        assert 2 * q - n > f
        assert n - f >= q


def test_no_validators_is_an_error() -> None:
    for function in (faulty, quorum):
        with pytest.raises(ValueError, match="at least one"):
            function(0)
