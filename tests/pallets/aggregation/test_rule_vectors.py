"""Every rule's bytes on fixed models, recorded: another NumPy, processor or thread count may not change them.

Recorded with NumPy 2.4.6, and found the same with 1.26.4 and without AVX and FMA. A change of a rule is a change of
the protocol, and changes them on purpose.
"""

from __future__ import annotations

import random

import pytest

from pallets.aggregation.fixed_point import read_model
from pallets.aggregation.rules import aggregate
from pocl.hashing import blob_name
from tests.pallets.aggregation.test_rules import EXAMPLES, SEED, config, model, winners

SIZE = 300
RECORDED = {
    "fedavg": "c1b4ac5391f6c6dc",
    "weighted": "5a8a0b116972c99c",
    "fedavgm": "bf2b03a711a9eb18",
    "fedadam": "68b66c944a4d8271",
    "median": "62d10fa3629fbf1f",
    "trimmed_mean": "3b4369f65dc7fcc2",
    "krum": "5ac825a64910f126",
    "multi_krum": "caad320c71162258",
    "geometric_median": "ecf991c739e33ea8",
    "norm_clipping": "efea2c00008785da",
    "centred_clipping": "0dcd392a066581b1",
}


def drawn(rng: random.Random, exponent: int) -> bytes:
    """Return a model of whole multiples of a power of two: exact, and no function of a library's in it."""
    return model(
        [rng.randrange(-(10**6), 10**6) * 2.0**exponent for _ in range(SIZE)], [rng.randrange(9) / 8]
    )


@pytest.mark.parametrize("rule", list(EXAMPLES))
def test_a_rule_gives_the_recorded_bytes(rule: str) -> None:
    rng = random.Random(7)
    data, state, names = drawn(rng, -20), None, b""
    for exponents in ((-20, -21, -22, -20, -12), (-20, -20, -6), (-30, -40)):
        samples = [rng.randrange(1, 10**6) for _ in exponents]
        models = winners([drawn(rng, exponent) for exponent in exponents], samples)
        data, state = aggregate(config(rule), SEED, models, data, state)
        names += blob_name(data) + blob_name(state or b"")
        assert len(read_model(data)["kernel"]) == SIZE
    assert blob_name(names).hex()[:16] == RECORDED[rule]
