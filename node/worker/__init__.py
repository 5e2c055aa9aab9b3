"""The training worker of a miner: a process beside its node, with TensorFlow, and without keys."""
