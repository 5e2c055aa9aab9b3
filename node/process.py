"""What a node is to the system it runs on: a process that logs, says that it is ready, and ends with one error."""

from __future__ import annotations

import ctypes
import gc
import json
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from node.errors import NodeStartError, PoclError


def write_ready_file(file: Path, value: Mapping[str, Any]) -> None:
    """Write what whoever waits for this node wants to know of it: whole or not at all. Raise NodeStartError."""
    temporary = file.with_name(f".{file.name}.tmp")
    try:
        temporary.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
        temporary.replace(file)
    except OSError as error:
        raise NodeStartError(f"{file}: the ready file cannot be written: {error.strerror}") from None


def give_memory_back() -> None:
    """Give the system what this process has freed. glibc alone keeps it otherwise, in case it is wanted again."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def configure_logging(level: str) -> None:
    """Log to stderr: this node from `level` on, libraries what is a warning."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.WARNING,
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        force=True,
    )
    # It tells at "info" what concerns nobody but its authors.
    logging.getLogger("libp2p").setLevel(logging.WARNING)
    for name in ("pocl", "node"):
        logging.getLogger(name).setLevel(level.upper())


def first_cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error that ended the node: one made for users if there is any."""
    leaves: list[BaseException] = []

    def collect(error: BaseException) -> None:
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                collect(inner)
        else:
            leaves.append(error)

    collect(group)
    return next((leaf for leaf in leaves if isinstance(leaf, PoclError)), leaves[0])
