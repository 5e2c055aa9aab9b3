"""The runtime of this chain: the one list of its pallets, in the order in which their hooks run."""

from pallets.aggregation import Aggregation
from pallets.coin import Coin
from pallets.model_propose import ModelPropose
from pallets.prediction import Prediction
from pallets.round import Round
from pallets.system import System
from pallets.timestamp import Timestamp
from pallets.validators import Validators
from pallets.vote import Vote
from runtime.executive import Runtime

SPEC_VERSION = 1
"""Goes up whenever the same block would execute differently; on_runtime_upgrade then migrates the state."""

TRANSACTION_VERSION = 1
"""Goes up whenever bytes that were signed before would mean another call."""

RUNTIME = Runtime(
    (System, Timestamp, Coin, Validators, Round, ModelPropose, Prediction, Vote, Aggregation),
    spec_version=SPEC_VERSION,
    transaction_version=TRANSACTION_VERSION,
)
