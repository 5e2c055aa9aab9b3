"""A rule's own state as bytes: safetensors of int64, for each kind of number one tensor for each of the model's.

The name of a tensor is `kind:name of the model's tensor`; they are sorted, and there is no metadata. With one
number of eight bytes for each weight of four and kind, a state of two kinds stays below four times the model.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy
from safetensors import SafetensorError

from pallets.aggregation.rules.model import FixedModel
from pallets.offchain_protocols import OffchainError

_MOST = 1 << 48


class InvalidServerState(OffchainError):
    """Bytes are not the state of a rule for a model of these names and shapes."""


def write_state(state: Mapping[str, FixedModel]) -> bytes:
    """Return the bytes of a state, by kind."""
    tensors = {f"{kind}:{name}": values for kind, model in state.items() for name, values in model.items()}
    data: bytes = safetensors.numpy.save(
        {name: np.asarray(tensors[name], dtype="<i8", order="C") for name in sorted(tensors)}
    )
    return data


def read_state(data: bytes, layout: Mapping[str, npt.NDArray[np.float32]]) -> dict[str, FixedModel]:
    """Return a state by kind. Raise InvalidServerState unless every kind has the tensors of `layout`."""
    try:
        views = dict(safetensors.deserialize(data))  # type: ignore[no-untyped-call]
    except (SafetensorError, TypeError, ValueError, OverflowError) as error:
        raise InvalidServerState(f"not a safetensors file: {error}") from None
    state: dict[str, FixedModel] = {}
    for full_name, view in views.items():
        kind, _, name = full_name.partition(":")
        expected = layout.get(name)
        if expected is None or view["dtype"] != "I64" or tuple(view["shape"]) != expected.shape:
            raise InvalidServerState(f"{full_name[:60]!r} is no tensor of int64 for one of the model's")
        values = np.frombuffer(view["data"], dtype="<i8").reshape(expected.shape)
        if not bool(np.all((values >= -_MOST) & (values <= _MOST))):
            raise InvalidServerState(f"{full_name[:60]!r} has values beyond 2^48")
        state.setdefault(kind, {})[name] = values
    if not state or any(tensors.keys() != layout.keys() for tensors in state.values()):
        raise InvalidServerState("tensors of the model are missing")
    return state
