"""Mutation evidence: rules of this repository taken out one at a time, each of which some test must notice.

A mutant is a small planted fault: a piece of source text that must occur exactly once in its file, and what
stands there instead. `make mutants` (`python -m tests.mutants`) plants each one in a copy of the tree, runs the
tests that guard the rule, and prints which test noticed. A mutant that no test notices is *alive*: a rule that
could be broken without anybody knowing. tests/mutants/test_catalogue.py, part of `make test`, keeps the list
from rotting: every text to be replaced is still there, once.

The list is reviewed by hand, not generated: each entry is a mistake that somebody could make and that would cost
a network its agreement, its money or a miner its privacy. Whoever adds a rule of the protocol adds its mutant.
"""
