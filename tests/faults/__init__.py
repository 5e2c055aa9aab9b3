"""Faults of real processes: a network of validators, harmed at random, watched all the time.

    python -m tests.faults --validators 4 --minutes 8 --every 15 --seed 1       (make faults)

isolation.py   namespaces of its own: a mount for every disk, a cable for every node
network.py     the validators' processes
harm.py        every kind of fault: what is done, what the node must do, how it is healed
watch.py       what must hold at any moment, over gRPC, and at the end, from databases and consensus logs
transfers.py   transfers under way all the time
run.py         a whole run, its table and its JSON
"""
