"""`python -m node.worker`."""

from node.worker.main import run

run()
