"""The aggregation rules: what the round's new global model is, given its winners' weights.

    fedavg, weighted              averages.py
    fedavgm, fedadam              server.py: they keep a state from round to round
    median, trimmed_mean          order.py
    krum, multi_krum              krum.py
    geometric_median              geometric_median.py
    norm_clipping, centred_clipping   clipping.py

Every one gives the same bytes on every machine and for the winners in any order, because a quorum has to attest
them: integers in fixed point (pallets/aggregation/fixed_point.py), and where a root or a quotient is needed an
integer one or single IEEE operations. What a chain spec may say of each is in pallets/round/aggregation_rules.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pallets.aggregation.rules.averages import fedavg, weighted
from pallets.aggregation.rules.clipping import centred_clipping, norm_clipping
from pallets.aggregation.rules.geometric_median import geometric_median
from pallets.aggregation.rules.krum import krum, multi_krum
from pallets.aggregation.rules.model import Rule, WinnerModel, read_inputs, write_fixed
from pallets.aggregation.rules.order import median, trimmed_mean
from pallets.aggregation.rules.server import fedadam, fedavgm
from pallets.aggregation.rules.state import read_state, write_state
from pocl.v1.round_pb2 import RoundConfig

__all__ = ["RULES", "WinnerModel", "aggregate"]

RULES: Mapping[str, Rule] = {
    "fedavg": fedavg,
    "weighted": weighted,
    "fedavgm": fedavgm,
    "fedadam": fedadam,
    "median": median,
    "trimmed_mean": trimmed_mean,
    "krum": krum,
    "multi_krum": multi_krum,
    "geometric_median": geometric_median,
    "norm_clipping": norm_clipping,
    "centred_clipping": centred_clipping,
}


def aggregate(
    config: RoundConfig,
    seed: bytes,
    models: Sequence[WinnerModel],
    global_model: bytes,
    server_state: bytes | None = None,
) -> tuple[bytes, bytes | None]:
    """Return the new global model and the server state after the round, None under a rule that keeps none.

    `server_state` is that of the last settled round, None in the first one and when it is lost. Raise
    InvalidWeights when a model is malformed or they differ in names or shapes, InvalidServerState when the
    state does not fit them.
    """
    inputs = read_inputs(models, global_model, config.aggregation_parameters, seed)
    if server_state is not None:
        inputs = replace(inputs, server_state=read_state(server_state, inputs.global_model))
    outcome = RULES[config.aggregation](inputs)
    state = write_state(outcome.server_state) if outcome.server_state else None
    return write_fixed(outcome.model), state
