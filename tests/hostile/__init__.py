"""A peer that speaks the node's protocols wrongly, each time in one named way (attacks/ lists them).

As a process: `python -m tests.hostile --target MULTIADDR --chain dev --minutes 5`.
siege.py is one node under all of them at once (`make hostile`), rounds.py rounds with one of four validators
Byzantine (`make byzantine`): traitor.py is a whole node that breaks the rules of agreement.
"""
