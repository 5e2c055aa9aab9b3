"""The first start of a chain: the process that makes block 0 ends with the memory that this took."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from node import layout
from node.chain import open_chain
from node.chain_spec import ChainSpec
from node.lifetime import die_with_parent


def begin_aside(spec: ChainSpec, base_path: Path) -> None:
    """Let a process of its own make a chain's database where there is none, and wait for it.

    The heap in which block 0 of many accounts was made has holes all over, and never becomes small again. What fails
    there fails again, and is told, when the chain is opened here. With other threads, which a fork would tear off,
    nothing is done.
    """
    if layout.database_folder(base_path).exists() or threading.active_count() > 1:
        return
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            die_with_parent(parent)
            open_chain(spec, base_path).close()
        finally:
            # Neither a traceback nor what the parent does at its exit.
            os._exit(0)
    os.waitpid(child, 0)
