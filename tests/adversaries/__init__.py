"""Miners that do not keep to the protocol, each in one way: `Adversary`s of tests/round_network.py."""

from tests.adversaries.blobs import (
    malformed_records,
    other_bytes_for_weights,
    records_for_nobody,
    records_for_one,
    weights_for_nobody,
    weights_for_one,
)
from tests.adversaries.calls import (
    adjusting_copier,
    another_size_promised,
    copier,
    false_ballot,
    false_labels,
    false_tags,
    other_weights_revealed,
    second_proposal,
)
from tests.adversaries.models import deaf, nan_weights, nearest_neighbour

__all__ = [
    "adjusting_copier",
    "another_size_promised",
    "copier",
    "deaf",
    "false_ballot",
    "false_labels",
    "false_tags",
    "malformed_records",
    "nan_weights",
    "nearest_neighbour",
    "other_bytes_for_weights",
    "other_weights_revealed",
    "records_for_nobody",
    "records_for_one",
    "second_proposal",
    "weights_for_nobody",
    "weights_for_one",
]
