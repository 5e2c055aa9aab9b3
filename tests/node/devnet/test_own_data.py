"""Which folder each node of a devnet gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from node import chain_spec
from node.devnet.runner import Devnet, DevnetOptions


@pytest.mark.parametrize(
    ("chain", "folders"), [("tabular-own", ["data/alice", "data/bob"]), ("local", ["data"] * 2)]
)
def test_own_data_lies_in_a_folder_for_each_node(tmp_path: Path, chain: str, folders: list[str]) -> None:
    options = DevnetOptions(chain_spec.load(chain), 2, 1, tmp_path, data_path=tmp_path / "data")
    devnet = Devnet(options, cast(Any, None))
    given = []
    for node in devnet.nodes:
        flags = devnet._flags(node)
        given.append(flags[flags.index("--data") + 1])
    assert given == [str(tmp_path / folder) for folder in folders]
