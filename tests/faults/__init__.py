"""Faults of real processes: a network of validators, harmed at random, watched all the time.

    python -m tests.faults --validators 10 --minutes 30 --every 20 --at-once 3 --seed 1       (make faults)

isolation.py   namespaces of its own: a mount for every disk, a cable for every node
network.py     the validators' processes
workers.py     those with workers (--workers)
harm.py        every kind of fault: what is done, what the node must do, how it is healed
schedule.py    when a fault begins, which, and of which nodes: several may be in progress
progress.py    those in progress, until finality goes on and their nodes are level
watch.py       what must hold at any moment, over gRPC, and at the end, from databases and consensus logs
sets.py        the validator sets of the epochs: the silent and the doubled are put out
votes.py       double votes in consensus logs
operators.py   stand-ins for workers that say they take part, operators that ask back into the set
transfers.py   transfers under way all the time
run.py         a whole run, its table and its JSON
"""
