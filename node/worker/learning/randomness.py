"""Reproducible random numbers: every draw has a purpose and a place (seed, miner, round), and its own stream."""

from __future__ import annotations

import numpy as np

from pocl.hashing import hash256


def bit_generator(purpose: str, *place: int) -> np.random.PCG64:
    """Return the stream of a purpose at a place, independent of all others.

    NumPy guarantees that the raw output of a bit generator never changes (NEP 19).
    """
    numbers = b"".join(number.to_bytes(8, "big") for number in place)
    return np.random.PCG64(int.from_bytes(hash256(f"pocl/learning/{purpose}/1", numbers), "big"))


def generator(purpose: str, *place: int) -> np.random.Generator:
    """Return a Generator over `bit_generator`: for everything that need not be the same in every NumPy version."""
    return np.random.Generator(bit_generator(purpose, *place))
