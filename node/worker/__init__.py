"""The training worker of a miner: a process beside its node, with TensorFlow, and without keys."""

STATUS_UNUSABLE = 2
"""The worker's exit status when its options, its data or its installation cannot be used."""

HONEST = "honest"
"""The behaviour of a miner that does what the task says: for it nothing of node.worker.behaviours is loaded."""
