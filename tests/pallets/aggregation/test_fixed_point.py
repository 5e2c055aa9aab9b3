"""Averages and differences of models: exact, in any order, and never of anything that is not a model."""

import json
from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

from pallets.aggregation.fixed_point import BOUND, fedavg, read_model, weight_difference, write_model
from pallets.offchain_protocols import InvalidWeights

weights = st.floats(-BOUND, BOUND, width=32)
layers = st.tuples(st.lists(weights, min_size=3, max_size=3), st.lists(weights, min_size=1, max_size=1))


def model(*tensors: list[float]) -> bytes:
    return write_model({f"layer{i}": np.array(values, np.float32) for i, values in enumerate(tensors)})


@given(st.lists(layers, min_size=1, max_size=4))
def test_the_average_has_the_same_bytes_in_any_order_and_is_the_exact_one_rounded(drawn):
    models = [model(*tensors) for tensors in drawn]
    average = fedavg(models)
    assert all(fedavg(order) == average for order in permutations(models))
    result = read_model(average)
    for layer, name in enumerate(("layer0", "layer1")):
        for index, got in enumerate(result[name]):
            exact = sum(Fraction(tensors[layer][index]) for tensors in drawn) / len(drawn)
            # Half a unit of fixed point for each rint and for the division, half a float32 step for the way
            # back.
            slack = Fraction(1, 2**32) + Fraction(float(np.spacing(np.abs(got)))) / 2
            assert abs(Fraction(float(got)) - exact) <= slack


def test_the_average_of_the_most_and_largest_models_does_not_overflow():
    largest = model([BOUND, -BOUND])
    assert fedavg([largest] * 256) == largest
    with pytest.raises(InvalidWeights, match="256"):
        fedavg([largest] * 257)


def test_known_averages():
    # 3 and 4 units of 2^-32 average to 3.5: half away from zero is 4, and -4 for the mirror image.
    unit = 2.0**-32
    average = read_model(fedavg([model([3 * unit, -3 * unit]), model([4 * unit, -4 * unit])]))
    assert list(average["layer0"] / unit) == [4, -4]
    # 0.1 is not a float32: the order of a float32 sum would show in the last bits.
    assert read_model(fedavg([model([0.1]), model([0.2]), model([0.3])]))["layer0"][0] == np.float32(0.2)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf"), 2.0**15 * 1.01, -1e30])
def test_values_that_are_no_weights_are_refused(bad):
    good = model([0.5, 0.5])
    spoiled = model([0.5, bad])
    for refuse in (lambda: fedavg([good, spoiled]), lambda: weight_difference(spoiled, good)):
        with pytest.raises(InvalidWeights, match="not finite or above"):
            refuse()


def test_files_that_are_no_models_are_refused():
    good = model([0.5])
    doubles = safetensors.numpy.save({"layer0": np.array([0.5])})
    empty = safetensors.numpy.save({"layer0": np.zeros((0, 3), np.float32)})
    for bad in (b"", b"pickle", good[:-1], good + b"\0", doubles, empty, safetensors.numpy.save({})):
        with pytest.raises(InvalidWeights):
            fedavg([bad])
    for other in (model([0.5, 0.5]), model([0.5], [0.5])):
        with pytest.raises(InvalidWeights):
            fedavg([good, other])
        with pytest.raises(InvalidWeights):
            weight_difference(good, other)


@pytest.mark.parametrize("shape", [[2**63, 0], [0, 2**62], [1] * 65])
def test_a_shape_that_only_safetensors_takes_is_refused(shape):
    size = 4 * (0 not in shape)
    head = json.dumps({"w": {"dtype": "F32", "shape": shape, "data_offsets": [0, size]}}).encode()
    with pytest.raises(InvalidWeights, match="shape"):
        read_model(len(head).to_bytes(8, "little") + head + bytes(size))


def test_a_model_has_one_encoding():
    one, two = np.ones((2, 2), np.float32), np.zeros(3, np.float32)
    data = write_model({"b": one, "a": two})
    assert data == write_model({"a": two, "b": one})
    assert data == write_model({"a": two, "b": np.asfortranarray(one)})
    assert list(read_model(data)) == ["a", "b"]


def test_the_papers_weight_difference_on_a_worked_example():
    # Layer means |1-0|, |-1-0|, |0.5-0| -> 5/6 and |2-1| -> 1; their mean, times 2^32, each mean rounded
    # down.
    ours, theirs = model([1.0, -1.0, 0.5], [2.0]), model([0.0, 0.0, 0.0], [1.0])
    assert weight_difference(ours, theirs) == (5 * 2**32 // 6 + 2**32) // 2
    assert weight_difference(theirs, ours) == weight_difference(ours, theirs)
    assert weight_difference(ours, ours) == 0


def test_the_weight_difference_does_not_overflow():
    size = 2**17  # times 2^48 is beyond int64
    high = write_model({"w": np.full(size, BOUND, np.float32)})
    low = write_model({"w": np.full(size, -BOUND, np.float32)})
    assert weight_difference(high, low) == 2**48
