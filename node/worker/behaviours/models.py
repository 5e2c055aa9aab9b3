"""Arithmetic of attacks on models: an update is what training changed, one float32 array a tensor."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from pallets.aggregation.fixed_point import BOUND, read_model, write_model

Update = Mapping[str, npt.NDArray[np.float32]]


def update_of(model: bytes, start: bytes) -> dict[str, npt.NDArray[np.float32]]:
    """Return what leads from `start` to `model`."""
    before = read_model(start)
    return {name: tensor - before[name] for name, tensor in read_model(model).items()}


def moved(start: bytes, update: Update, factor: float = 1.0) -> bytes:
    """Return `start` + factor · update, kept within what the chain takes for a weight."""
    tensors = {
        name: np.clip(
            np.nan_to_num(tensor + np.float64(factor) * update[name], nan=0.0), -BOUND, BOUND
        ).astype(np.float32)
        for name, tensor in read_model(start).items()
    }
    return write_model(tensors)


def noise_like(model: bytes, rng: np.random.Generator) -> dict[str, npt.NDArray[np.float32]]:
    """Return Gaussian noise with the standard deviation of each of the model's tensors.

    A tensor whose values are all alike (a bias not yet trained) has none; it gets that of the whole model.
    """
    tensors = read_model(model)
    overall = float(np.std(np.concatenate([tensor.ravel() for tensor in tensors.values()])))
    return {
        name: rng.normal(scale=float(tensor.std()) or overall, size=tensor.shape).astype(np.float32)
        for name, tensor in tensors.items()
    }


def disguised(model: bytes, noise: float, rng: np.random.Generator) -> bytes:
    """Return the model under noise of that part of each tensor's deviation: other bytes, hardly another model."""
    return moved(model, noise_like(model, rng), noise) if noise else model


def strongest(
    candidate: Callable[[float], bytes],
    fits: Callable[[bytes], bool],
    fallback: bytes,
    *,
    largest: float = 1.0,
    tries: int = 8,
) -> bytes:
    """Return the candidate of the largest factor that fits, of `largest` and its halves, or `fallback`."""
    for halvings in range(tries):
        model = candidate(largest * 0.5**halvings)
        if fits(model):
            return model
    return fallback
