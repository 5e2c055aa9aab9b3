"""Why the chain moves, or does not: what a node knows (facts.py, collect.py), said in a sentence (sentence.py)."""
