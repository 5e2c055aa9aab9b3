"""What is counted of a load: transfers that succeeded, each once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from benchmarks.bench_database import blocks_behind
from benchmarks.bench_resident import medians
from benchmarks.load import included
from node.storage import schema
from node.storage.pruning import Pruning
from pocl.client import Client


def client(*blocks: tuple[list[bytes], list[int]]) -> Client:
    """Return a client of a chain whose blocks have these extrinsics, of which these failed."""
    views = [
        SimpleNamespace(
            extrinsic_hashes=hashes,
            events=[SimpleNamespace(name="TransferQueued", extrinsic_index=0)]
            + [SimpleNamespace(name="ExtrinsicFailed", extrinsic_index=index) for index in failed],
        )
        for hashes, failed in blocks
    ]
    return cast(Client, SimpleNamespace(block=lambda number: views[number - 1]))


def test_what_failed_is_told_apart() -> None:
    found, failed = included(client(([b"a", b"b"], [1]), ([b"c"], [])), 1, 2)
    assert found == {b"a": 1, b"b": 1, b"c": 2}
    assert failed == {b"b"}


def test_an_extrinsic_in_two_blocks_is_an_error() -> None:
    with pytest.raises(AssertionError, match="in two blocks"):
        included(client(([b"a"], []), ([b"a"], [])), 1, 2)


@pytest.mark.parametrize(
    ("first_stale", "oldest_body", "behind"),
    [(None, 91, 0), (92, 91, 0), (91, 91, 1), (41, 91, 51), (None, 21, 70)],
)
def test_pruning_is_behind_by_what_is_due_and_still_there(
    first_stale: int | None, oldest_body: int, behind: int
) -> None:
    # At block 100 the states and bodies from 91 on are kept: what is stale since 91 is due.
    keys = [] if first_stale is None else [schema.stale_key(first_stale, schema.STALE_REPLACED, b"t")]

    class Keys:
        def __init__(self, stop: bytes, **_: object) -> None:
            self.found = iter([key for key in keys if key < stop])

        def __enter__(self) -> Any:
            return self.found

        def __exit__(self, *_: object) -> None:
            pass

    database = SimpleNamespace(
        pruning=Pruning.both(10),
        final=lambda: (100, b""),
        oldest_body=oldest_body,
        db=SimpleNamespace(iterator=lambda start, stop, include_value: Keys(stop)),
    )
    assert blocks_behind(cast(Any, database)) == behind


def test_a_nodes_memory_is_its_median_over_some_blocks() -> None:
    # A write buffer that is full once in a while says nothing, nor what was before.
    samples = [
        (height, (50 if height <= 100 else 100 + (height % 7 == 0) * 30, height)) for height in range(401)
    ]
    assert medians(samples, 100, 200) == [100, 150.5]
    assert medians(samples, 300, 400) == [100, 350.5]
