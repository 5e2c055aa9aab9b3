"""The chain spec: everything that nodes of one chain must agree on before the first block.

A spec is a JSON file (chain-spec/*.json; node/spec_files.py finds it). It is parsed strictly: unknown fields, wrong
types, numbers out of range and addresses with a wrong checksum are refused with the file, the field, what it is and
what it may be. Amounts are u128 in the smallest unit, written as decimal strings.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node.aggregation_spec import AggregationSpec, read_aggregation
from node.errors import ChainSpecError
from node.json_fields import Fields, read_json, shown
from node.learning_task import read_task
from node.raw_genesis import raw_to_dict, read_raw
from node.spec_files import find
from pallets.round.config import (
    BASIS_POINTS,
    MAX_CLASSES,
    REWARD_RULES,
    VOTING_RULES,
)
from pocl.extrinsics import U128_MAX
from pocl.keys import SS58_PREFIX, ss58_encode

__all__ = [
    "CHAIN_TYPES", "MAX_VALIDATORS", "ChainSpec", "ConsensusSpec", "GenesisSpec", "Properties", "RoundSpec",
    "ValidatorsSpec", "find", "load", "parse",
]  # fmt: skip

CHAIN_TYPES = ("development", "local", "live")

MAX_VALIDATORS = 256
"""A bitmap over owners and n signatures a certificate must stay small."""

_DAY_MS = 24 * 3600 * 1000
_NAMES = r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}"
_IDS = r"[a-z0-9][a-z0-9_-]{0,63}"
_BOOTNODE = r"/(ip4|ip6|dns4|dns6|dns)/[^/\s]+/tcp/[0-9]{1,5}/p2p/[A-Za-z0-9]{10,100}"


@dataclass(frozen=True)
class Properties:
    """How clients show amounts and addresses."""

    token_symbol: str
    token_decimals: int
    ss58_format: int


@dataclass(frozen=True)
class ConsensusSpec:
    """The timers of agreement, in milliseconds (docs/protocol.md)."""

    block_interval_ms: int
    heartbeat_ms: int
    leader_timeout_ms: int
    view_timeout_ms: int
    max_timeout_ms: int


@dataclass(frozen=True)
class RoundSpec:
    """The rules of the rounds: the fields of pocl.v1.RoundConfig under their own names."""

    winners: int
    test_records: int
    classes: int
    min_miners: int
    train_ms: int
    predict_ms: int
    reveal_ms: int
    vote_ms: int
    audit_ms: int
    aggregate_ms: int
    aggregate_cap_ms: int
    heartbeat_ms: int
    voting: str
    reward: str
    aggregation: AggregationSpec
    emission: int
    base_share_bp: int
    transfers_per_miner: int
    audit_tolerance_bp: int
    screen_margin_bp: int
    max_weights_bytes: int
    max_records_bytes: int
    keep_rounds: int

    @property
    def max_blob_bytes(self) -> int:
        """Most bytes of a blob of this chain: weights, records, or a server state."""
        state = self.max_weights_bytes * self.aggregation.server_state_factor()
        return max(self.max_weights_bytes, self.max_records_bytes, state)


@dataclass(frozen=True)
class ValidatorsSpec:
    """The rules of the validator set: the fields of pocl.v1.ValidatorsConfig under their own names."""

    bond: int
    slash: int
    unbonding_epochs: int
    offline_rounds: int
    max_validators: int


@dataclass(frozen=True)
class GenesisSpec:
    """The state before the first block. Accounts are 32-byte public keys."""

    timestamp_ms: int
    balances: tuple[tuple[bytes, int], ...]
    validators: tuple[bytes, ...]
    validator_rules: ValidatorsSpec
    round: RoundSpec
    global_model: bytes


@dataclass(frozen=True)
class ChainSpec:
    """One chain. `learning` names data set, partition, architecture and training (node/learning_task.py).

    A chain that begins with another one's state has that in `raw_genesis`, key by key; `genesis` and `learning` then
    say what is in it (node/raw_genesis.py).
    """

    name: str
    id: str
    chain_type: str
    bootnodes: tuple[str, ...]
    properties: Properties
    consensus: ConsensusSpec
    genesis: GenesisSpec
    learning: Mapping[str, Any]
    raw_genesis: Mapping[bytes, bytes] | None = None

    def without_state(self) -> ChainSpec:
        """Return the spec without the accounts' balances and raw state: what a node needs once it has block 0."""
        genesis = dataclasses.replace(self.genesis, balances=())
        return dataclasses.replace(self, genesis=genesis, raw_genesis=None)

    def to_dict(self) -> dict[str, Any]:
        """Return the spec as its JSON object, from which `parse` makes an equal one."""
        genesis, rules = self.genesis, self.genesis.validator_rules
        prefix = self.properties.ss58_format
        round_fields = dataclasses.asdict(genesis.round) | {
            "aggregation": genesis.round.aggregation.to_json(),
            "emission": str(genesis.round.emission),
        }
        return {
            "name": self.name,
            "id": self.id,
            "chain_type": self.chain_type,
            "bootnodes": list(self.bootnodes),
            "properties": dataclasses.asdict(self.properties),
            "consensus": dataclasses.asdict(self.consensus),
            "genesis": {
                "timestamp_ms": genesis.timestamp_ms,
                "coin": {
                    "balances": [[ss58_encode(who, prefix), str(amount)] for who, amount in genesis.balances]
                },
                "validators": {
                    "validators": [ss58_encode(who, prefix) for who in genesis.validators],
                    **dataclasses.asdict(rules),
                    "bond": str(rules.bond),
                    "slash": str(rules.slash),
                },
                "round": round_fields,
                "aggregation": {"global_model": "0x" + genesis.global_model.hex()},
            },
            "learning": dict(self.learning),
            **({} if self.raw_genesis is None else {"raw_genesis": raw_to_dict(self.raw_genesis)}),
        }

    def to_json(self) -> str:
        """Return the canonical text of the spec: fixed order of fields, two spaces, a final line end."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n"

    def save(self, path: Path) -> None:
        """Write the spec to a file. Raise ChainSpecError when the disk refuses."""
        try:
            path.write_text(self.to_json(), encoding="utf-8")
        except OSError as error:
            raise ChainSpecError(f"{path}: cannot be written: {error.strerror}") from None


def load(name_or_path: str | Path) -> ChainSpec:
    """Return a chain spec by its built-in name (dev, local, pocl-cifar10) or its file.

    Raise ChainSpecError for an unknown name, an unreadable file or anything malformed in it.
    """
    path = find(name_or_path)
    return parse(read_json(path), str(name_or_path))


def parse(value: object, source: str) -> ChainSpec:
    """Return the spec that a JSON value holds; `source` is its file's name, for messages.

    Raise ChainSpecError for anything missing, unknown, of a wrong type or out of range.
    """
    fields = Fields(source, "", value)
    properties = _properties(fields.section("properties"))
    consensus = _consensus(fields.section("consensus"))
    raw = read_raw(fields)
    genesis = _genesis(
        fields.section("genesis"), properties.ss58_format, consensus.heartbeat_ms, raw is not None
    )
    spec = ChainSpec(
        name=fields.text("name", _NAMES, "letters, digits, spaces, dots and hyphens, at most 64"),
        id=fields.text("id", _IDS, "lower-case letters, digits and hyphens, at most 64"),
        chain_type=fields.choice("chain_type", CHAIN_TYPES),
        bootnodes=_bootnodes(fields),
        properties=properties,
        consensus=consensus,
        genesis=genesis,
        learning=_learning(fields, genesis.round.classes),
        raw_genesis=raw,
    )
    fields.done()
    return spec


def _properties(fields: Fields) -> Properties:
    properties = Properties(
        token_symbol=fields.text("token_symbol", r"[A-Za-z0-9]{1,12}", "1 to 12 letters and digits"),
        token_decimals=fields.integer("token_decimals", 0, 30),
        ss58_format=fields.integer("ss58_format", 0, 16383),
    )
    if properties.ss58_format != SS58_PREFIX:
        raise fields.error(
            "ss58_format", f"is {properties.ss58_format}: this node supports {SS58_PREFIX} only"
        )
    fields.done()
    return properties


def _consensus(fields: Fields) -> ConsensusSpec:
    consensus = ConsensusSpec(
        block_interval_ms=fields.integer("block_interval_ms", 1, 600_000),
        heartbeat_ms=fields.integer("heartbeat_ms", 10, 600_000),
        leader_timeout_ms=fields.integer("leader_timeout_ms", 10, 600_000),
        view_timeout_ms=fields.integer("view_timeout_ms", 10, 600_000),
        max_timeout_ms=fields.integer("max_timeout_ms", 10, 3_600_000),
    )
    order = [(field.name, getattr(consensus, field.name)) for field in dataclasses.fields(consensus)]
    for (lower, low), (upper, high) in itertools.pairwise(order):
        # A leader may wait a whole heartbeat before it proposes; its timer must not fire by then.
        if low >= high:
            raise fields.error(upper, f"is {high} but {lower} is {low}: it must be above it")
    fields.done()
    return consensus


def _bootnodes(fields: Fields) -> tuple[str, ...]:
    nodes = fields.items("bootnodes")
    for index, node in enumerate(nodes):
        if not isinstance(node, str) or not re.fullmatch(_BOOTNODE, node):
            raise fields.error(
                f"bootnodes[{index}]",
                f"is {shown(node)}: it must be an address like /ip4/1.2.3.4/tcp/30333/p2p/12D3Koo...",
            )
    return tuple(nodes)


def _genesis(fields: Fields, prefix: int, heartbeat_ms: int, raw: bool) -> GenesisSpec:
    coin, validators = fields.section("coin"), fields.section("validators")
    aggregation = fields.section("aggregation")
    accounts = _validators(validators, prefix)
    balances = _balances(coin, prefix)
    genesis = GenesisSpec(
        timestamp_ms=fields.integer("timestamp_ms", 0, 2**53),
        balances=balances,
        validators=accounts,
        # A state that a chain has come to is under its own rules: bonds are slashed, and sets shrink.
        validator_rules=_validator_rules(validators, () if raw else accounts, dict(balances)),
        round=_round(fields.section("round"), MAX_VALIDATORS if raw else len(accounts), heartbeat_ms),
        global_model=aggregation.hash("global_model"),
    )
    for section in (coin, validators, aggregation, fields):
        section.done()
    return genesis


def _validators(fields: Fields, prefix: int) -> tuple[bytes, ...]:
    listed = fields.items("validators")
    if not 1 <= len(listed) <= MAX_VALIDATORS:
        raise fields.error("validators", f"has {len(listed)} entries: it must have 1 to {MAX_VALIDATORS}")
    accounts = [fields.account(f"validators[{i}]", value, prefix) for i, value in enumerate(listed)]
    _refuse_repeated(fields, "validators", accounts, listed)
    return tuple(accounts)


def _validator_rules(
    fields: Fields, validators: tuple[bytes, ...], balances: Mapping[bytes, int]
) -> ValidatorsSpec:
    rules = ValidatorsSpec(
        bond=fields.amount("bond"),
        slash=fields.amount("slash"),
        unbonding_epochs=fields.integer("unbonding_epochs", 1, 1_000_000),
        offline_rounds=fields.integer("offline_rounds", 1, 1_000_000),
        max_validators=fields.integer("max_validators", 1, MAX_VALIDATORS),
    )
    if rules.max_validators < len(validators):
        raise fields.error(
            "max_validators",
            f"is {rules.max_validators} but {len(validators)} validators are listed: raise it",
        )
    for index, account in enumerate(validators):
        held = balances.get(account, 0)
        if held < rules.bond:
            raise fields.error(
                f"validators[{index}]",
                f"has a balance of {held} but bond is {rules.bond}: a validator's bond comes out of its balance",
            )
    return rules


def _balances(fields: Fields, prefix: int) -> tuple[tuple[bytes, int], ...]:
    listed = fields.items("balances")
    balances = []
    for index, entry in enumerate(listed):
        place = f"balances[{index}]"
        if not isinstance(entry, list) or len(entry) != 2:
            raise fields.error(place, f'is {shown(entry)}: it must be a pair [address, "amount"]')
        balances.append((fields.account(place, entry[0], prefix), fields.amount_of(place, entry[1])))
    _refuse_repeated(fields, "balances", [who for who, _ in balances], [entry[0] for entry in listed])
    total = sum(amount for _, amount in balances)
    if total > U128_MAX:
        raise fields.error("balances", f"add up to {total}: they must fit in a u128 together")
    return tuple(balances)


def _refuse_repeated(fields: Fields, name: str, accounts: list[bytes], listed: list[Any]) -> None:
    before: set[bytes] = set()
    for index, account in enumerate(accounts):
        if account in before:
            raise fields.error(f"{name}[{index}]", f"is {listed[index]} again: list it once")
        before.add(account)


def _round(fields: Fields, validators: int, heartbeat_ms: int) -> RoundSpec:
    winners = fields.integer("winners", 1, MAX_VALIDATORS)
    spec = RoundSpec(
        winners=winners,
        test_records=fields.integer("test_records", 1, 100_000),
        classes=fields.integer("classes", 2, MAX_CLASSES),
        min_miners=fields.integer("min_miners", 1, MAX_VALIDATORS),
        train_ms=fields.integer("train_ms", 1, _DAY_MS),
        predict_ms=fields.integer("predict_ms", 1, _DAY_MS),
        reveal_ms=fields.integer("reveal_ms", 1, _DAY_MS),
        vote_ms=fields.integer("vote_ms", 1, _DAY_MS),
        audit_ms=fields.integer("audit_ms", 1, _DAY_MS),
        aggregate_ms=fields.integer("aggregate_ms", 1, _DAY_MS),
        aggregate_cap_ms=fields.integer("aggregate_cap_ms", 1, 7 * _DAY_MS),
        heartbeat_ms=fields.integer("heartbeat_ms", 10, 600_000),
        voting=fields.choice("voting", VOTING_RULES),
        reward=fields.choice("reward", REWARD_RULES),
        aggregation=read_aggregation(fields, winners),
        emission=fields.amount("emission"),
        base_share_bp=fields.integer("base_share_bp", 0, BASIS_POINTS),
        transfers_per_miner=fields.integer("transfers_per_miner", 1, 1_000_000),
        audit_tolerance_bp=fields.integer("audit_tolerance_bp", 0, BASIS_POINTS),
        screen_margin_bp=fields.integer("screen_margin_bp", 0, BASIS_POINTS),
        max_weights_bytes=fields.integer("max_weights_bytes", 1, 2**31),
        max_records_bytes=fields.integer("max_records_bytes", 1, 2**31),
        keep_rounds=fields.integer("keep_rounds", 1, 1_000_000),
    )
    for name, value in (("winners", spec.winners), ("min_miners", spec.min_miners)):
        if value > validators:
            few = "validator is" if validators == 1 else "validators are"
            raise fields.error(
                name, f"is {value} but only {validators} {few} listed: lower it or add validators"
            )
    if spec.aggregate_cap_ms < spec.aggregate_ms:
        raise fields.error(
            "aggregate_cap_ms",
            f"is {spec.aggregate_cap_ms} but aggregate_ms is {spec.aggregate_ms}: it must not be below it",
        )
    if spec.heartbeat_ms != heartbeat_ms:
        raise fields.error(
            "heartbeat_ms",
            f"is {spec.heartbeat_ms} but consensus.heartbeat_ms is {heartbeat_ms}: make them equal",
        )
    fields.done()
    return spec


def _learning(fields: Fields, classes: int) -> Mapping[str, Any]:
    section = fields.section("learning")
    task = read_task(section)
    if task.classes != classes:
        raise section.error(
            "dataset",
            f"is {shown(task.dataset)} with {task.classes} classes but genesis.round.classes is {classes}: "
            "make them equal",
        )
    return section.values
