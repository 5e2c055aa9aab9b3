"""fedavgm and fedadam: an optimiser on the server's side, which here is every attester.

The mean difference D of the winners from the global model counts as a gradient. The state is one or two
numbers for each weight; the chain keeps its blob's name beside the global model's. In the first round, and
after a state was lost, all of it is 0.

fedavgm (Hsu et al., "Measuring the Effects of Non-Identical Data Distribution for Federated Visual
Classification", 2019):
    velocity' = momentum · velocity + D                             model' = model + learning_rate · velocity'
fedadam (Reddi et al., "Adaptive Federated Optimization", ICLR 2021, without bias correction as there):
    first' = beta_1 · first + (1 - beta_1) · D
    second' = sqrt(beta_2 · second² + (1 - beta_2) · D²)            (the root is what is kept)
    model' = model + learning_rate · first' / (second' + adaptivity)

Moving statistics of batch normalisation, told by their names, are no parameters: steps would take them away
from what the data has, and variances below 0. They are averaged, and their state stays 0.

All numbers are integers, 2^32 to 1, of at most 2^48 (what is beyond is put back to it). In between stand
single float64 operations on whole tensors, + - * / and sqrt, each of which IEEE 754 specifies to the last bit;
nothing smaller than 2^-70 but 0 comes up, so it makes no difference whether a processor flushes denormals.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pallets.aggregation.fixed_point import SCALE, Integers, mean, to_fixed
from pallets.aggregation.rules.model import FixedModel, Inputs, Outcome
from pallets.round.aggregation_rules import MILLION

Doubles = npt.NDArray[np.float64]

MOST = 1 << 48
"""Largest absolute value in a server state."""

STATISTICS = (".moving_mean", ".moving_variance")
"""How names of tensors end that are no parameters."""

VELOCITY, FIRST, SECOND = "velocity", "first", "second"


def fedavgm(inputs: Inputs) -> Outcome:
    """Momentum."""
    momentum = float(inputs.parameters.momentum)
    rate = inputs.parameters.learning_rate / MILLION
    model: FixedModel = {}
    velocities: FixedModel = {}
    for name in inputs.names:
        average, start, velocity = _tensors(inputs, name, VELOCITY)
        if not name.endswith(STATISTICS):
            kept = _rounded(velocity.astype(np.float64) * momentum / MILLION)
            velocity = np.clip(kept + average - start, -MOST, MOST)
            average = start + _rounded(velocity.astype(np.float64) * rate)
        model[name], velocities[name] = average, velocity
    return Outcome(model, {VELOCITY: velocities})


def fedadam(inputs: Inputs) -> Outcome:
    """Momentum, and steps by the size that differences had so far."""
    given = inputs.parameters
    beta_1, beta_2 = float(given.beta_1), float(given.beta_2)
    rate, adaptivity = given.learning_rate / MILLION * SCALE, given.adaptivity / MILLION * SCALE
    model: FixedModel = {}
    firsts: FixedModel = {}
    seconds: FixedModel = {}
    for name in inputs.names:
        average, start, first = _tensors(inputs, name, FIRST)
        second = _state(inputs, name, SECOND)
        if not name.endswith(STATISTICS):
            difference = (average - start).astype(np.float64)
            first = _rounded((first.astype(np.float64) * beta_1 + difference * (MILLION - beta_1)) / MILLION)
            root = second.astype(np.float64)
            # At most 2^96 · 10^6 under the root, which is then at most 2^48 again.
            squares = root * root * beta_2 + difference * difference * (MILLION - beta_2)
            second = _rounded(np.sqrt(squares / MILLION))
            average = start + _rounded(first.astype(np.float64) / (second + adaptivity) * rate)
        model[name], firsts[name], seconds[name] = average, first, second
    return Outcome(model, {FIRST: firsts, SECOND: seconds})


def _tensors(inputs: Inputs, name: str, kind: str) -> tuple[Integers, Integers, Integers]:
    """Return a tensor's mean over the winners, what it was in the global model, and its state of a kind."""
    return mean(inputs.tensors(name)), to_fixed(inputs.global_model[name]), _state(inputs, name, kind)


def _state(inputs: Inputs, name: str, kind: str) -> Integers:
    if kind not in inputs.server_state:
        return np.zeros(inputs.global_model[name].shape, np.int64)
    return inputs.server_state[kind][name]


def _rounded(values: Doubles) -> Integers:
    """Return the nearest integers, at most MOST away from 0."""
    integers: Integers = np.rint(np.clip(values, -float(MOST), float(MOST))).astype(np.int64)
    return integers
