"""The `pocl` script. Only the client may be installed: then it says which extra its commands need."""

from __future__ import annotations

import sys

_OWN = ("node", "pallets", "runtime", "pocl")


def main() -> None:
    """Run `pocl` (node.cli), or end with one line where its packages are not installed."""
    try:
        from node.cli import main as run
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in _OWN:
            raise
        sys.exit(f"pocl: {error.name} is not installed: install the extra `node` (pip install '.[node]')")
    run()
