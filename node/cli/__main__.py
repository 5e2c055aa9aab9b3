"""`python -m node.cli` is `pocl`."""

from node.cli import main

main()
