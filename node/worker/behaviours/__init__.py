"""Miners that misbehave on purpose, for experiments and for tests of whole networks.

docs/experiments.md lists the attacks: what each does, where it comes from, what stops it. Nothing here is in
an honest miner's path: a worker loads this package only when it is told to misbehave.

    attacker.py   what an attack is made of: Seat, Behaviour, Attacker
    collusion.py  the side channel of accomplices
    registry.py   behaviours by name: make, parse, names
    the others    one attack each, or one family
"""

from node.worker import HONEST
from node.worker.behaviours.attacker import Attacker, Behaviour, DataLearner, NotYet, Seat
from node.worker.behaviours.collusion import Collusion, FolderCollusion, Gang, alone, write_accounts
from node.worker.behaviours.registry import BehaviourError, make, names, parameters, parse, word

__all__ = [
    "HONEST",
    "Attacker",
    "Behaviour",
    "BehaviourError",
    "Collusion",
    "DataLearner",
    "FolderCollusion",
    "Gang",
    "NotYet",
    "Seat",
    "alone",
    "make",
    "names",
    "parameters",
    "parse",
    "word",
    "write_accounts",
]
