"""A peer that speaks the node's protocols wrongly, each time in one named way (attacks.py lists them).

As a process: `python -m tests.hostile --target MULTIADDR --chain dev --minutes 5`.
"""
