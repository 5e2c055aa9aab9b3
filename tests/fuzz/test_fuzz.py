"""Every target, briefly."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fuzz.running import run_target
from tests.fuzz.targets import World

EXAMPLES = 40


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("fuzz")) as made:
        yield made


def test_every_decoder_of_foreign_bytes_refuses_as_documented(
    world: World, subtests: pytest.Subtests
) -> None:
    for target in world.targets():
        with subtests.test(target.name):
            assert run_target(target, EXAMPLES, always_the_same=True) >= EXAMPLES // 2
