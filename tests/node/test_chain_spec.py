"""Every field of a chain spec: missing, of another type, out of range, each refused with one line that names it."""

import copy
import json
import sysconfig
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from node import chain_spec, spec_files
from node.errors import ChainSpecError
from node.json_fields import shown
from pocl.keys import Keypair

SOURCE = "some/spec.json"
LOCAL: dict[str, Any] = json.loads(spec_files.find("local").read_text())
# Fields that only other learning tasks have.
NPZ: dict[str, Any] = copy.deepcopy(LOCAL)
NPZ["learning"] |= {"dataset": "npz", "input_shape": [20], "input_dtype": "float32", "classes": 10}
NPZ["learning"] |= {"architecture": "mlp", "partition": {"kind": "dirichlet", "seed": 1, "alpha": "0.5"}}

ALICE, EVE = Keypair.from_uri("//Alice").address, Keypair.from_uri("//Nobody").address


def fields(value: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, inner in value.items():
        yield (*path, name)
        if isinstance(inner, dict):
            yield from fields(inner, (*path, name))


def objects(value: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from objects(inner, (*path, name))


def changed(spec: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    spec = copy.deepcopy(spec)
    *above, last = path.split(".")
    place = spec
    for name in above:
        place = place[name]
    place[last] = value
    return spec


def without(spec: dict[str, Any], path: str) -> dict[str, Any]:
    spec = copy.deepcopy(spec)
    *above, last = path.split(".")
    place = spec
    for name in above:
        place = place[name]
    del place[last]
    return spec


def refusal(spec: object) -> str:
    """Return the one line with which a spec is refused, without the file's name in front."""
    with pytest.raises(ChainSpecError) as caught:
        chain_spec.parse(spec, SOURCE)
    line = str(caught.value)
    assert line.startswith(f"{SOURCE}: ")
    assert "\n" not in line
    assert len(line) < 400
    return line.removeprefix(f"{SOURCE}: ")


EVERY_FIELD = sorted({".".join(path) for spec in (LOCAL, NPZ) for path in fields(spec)})


def home_of(path: str) -> dict[str, Any]:
    return LOCAL if path in {".".join(p) for p in fields(LOCAL)} else NPZ


def test_npz_and_dirichlet_specs_are_good() -> None:
    assert chain_spec.parse(NPZ, SOURCE).learning["classes"] == 10


@pytest.mark.parametrize("path", EVERY_FIELD)
def test_no_field_may_be_missing(path: str) -> None:
    assert refusal(without(home_of(path), path)) == f"{path} is missing"


@pytest.mark.parametrize("path", EVERY_FIELD)
@pytest.mark.parametrize("value", [None, 1.5, True, "\u2603", {"odd": [1]}], ids=repr)
def test_no_field_may_have_another_type(path: str, value: object) -> None:
    line = refusal(changed(home_of(path), path, value))
    # An object of another shape is refused by what it lacks.
    assert line.startswith((f"{path} is ", f"{path}."))
    assert " it must be " in line or line.endswith("is missing")


@pytest.mark.parametrize("path", sorted(".".join(p) for spec in (LOCAL, NPZ) for p in objects(spec)))
def test_no_object_may_have_an_unknown_field(path: str) -> None:
    name = f"{path}.surplus".lstrip(".")
    home = LOCAL if path in {".".join(p) for p in objects(LOCAL)} else NPZ
    assert refusal(changed(home, name, 1)).startswith(
        f"{name} is not a field of a chain spec: remove it (known"
    )


@pytest.mark.parametrize("value", [[], "text", 7, None], ids=repr)
def test_a_spec_is_an_object(value: object) -> None:
    assert refusal(value) == f"the file is {json.dumps(value)}: it must be a JSON object"


SET = "genesis.validators."
ROUND, CONSENSUS, LEARNING = "genesis.round.", "consensus.", "learning."
BOUNDS: list[tuple[str, int, int]] = [
    ("properties.token_decimals", 0, 30),
    ("properties.ss58_format", 0, 16383),
    (CONSENSUS + "block_interval_ms", 1, 600_000),
    (CONSENSUS + "heartbeat_ms", 10, 600_000),
    (CONSENSUS + "leader_timeout_ms", 10, 600_000),
    (CONSENSUS + "view_timeout_ms", 10, 600_000),
    (CONSENSUS + "max_timeout_ms", 10, 3_600_000),
    ("genesis.timestamp_ms", 0, 2**53),
    (SET + "unbonding_epochs", 1, 1_000_000),
    (SET + "offline_rounds", 1, 1_000_000),
    (SET + "max_validators", 1, 256),
    (ROUND + "winners", 1, 256),
    (ROUND + "test_records", 1, 100_000),
    (ROUND + "classes", 2, 255),
    (ROUND + "min_miners", 1, 256),
    *[(f"{ROUND}{phase}_ms", 1, 86_400_000) for phase in ("train", "predict", "reveal", "vote", "audit")],
    (ROUND + "aggregate_ms", 1, 86_400_000),
    (ROUND + "aggregate_cap_ms", 1, 7 * 86_400_000),
    (ROUND + "heartbeat_ms", 10, 600_000),
    (ROUND + "base_share_bp", 0, 10_000),
    (ROUND + "transfers_per_miner", 1, 1_000_000),
    (ROUND + "audit_tolerance_bp", 0, 10_000),
    (ROUND + "screen_margin_bp", 0, 10_000),
    (ROUND + "max_weights_bytes", 1, 2**31),
    (ROUND + "max_records_bytes", 1, 2**31),
    (ROUND + "keep_rounds", 1, 1_000_000),
    (LEARNING + "seed", 0, 2**53 - 1),
    (LEARNING + "batch_size", 1, 65_536),
    (LEARNING + "epochs", 1, 10_000),
    (LEARNING + "early_stopping_patience", 1, 10_000),
    (LEARNING + "evaluation_records", 0, 10_000_000),
    (LEARNING + "partition.seed", 0, 2**53 - 1),
    (LEARNING + "classes", 2, 255),
]


def test_every_whole_number_has_its_bounds_tested() -> None:
    def at(path: str) -> object:
        value: Any = home_of(path)
        for name in path.split("."):
            value = value[name]
        return value

    numbers = {path for path in EVERY_FIELD if isinstance(at(path), int)}
    assert numbers == {path for path, _, _ in BOUNDS}


@pytest.mark.parametrize(("path", "low", "high"), BOUNDS)
def test_whole_numbers_have_bounds(path: str, low: int, high: int) -> None:
    for value in (low - 1, high + 1):
        line = refusal(changed(home_of(path), path, value))
        assert line == f"{path} is {value}: it must be a whole number from {low} to {high}"


TEXTS = [
    ("name", ["", " x", "a" * 65, "naïve"], "a string of letters, digits"),
    ("id", ["", "UPPER", "a b", "-a"], "a string of lower-case letters"),
    ("properties.token_symbol", ["", "A B", "A" * 13], "a string of 1 to 12 letters and digits"),
    ("chain_type", ["", "Live", "test"], "'development' or 'local' or 'live'"),
    (ROUND + "voting", ["", "plurality"], "'borda' or 'median' or 'screened'"),
    (ROUND + "reward", ["", "plurality"], "'accuracy' or 'weight_difference' or 'contribution'"),
    (ROUND + "aggregation", ["", "plurality"], "'fedavg'"),
    (
        LEARNING + "dataset",
        ["", "mnist"],
        "'digits' or 'noisy-digits' or 'breast-cancer' or 'cifar10' or 'npz' or 'own'",
    ),
    (LEARNING + "architecture", ["", "resnet"], "'digits-cnn' or 'paper-cnn' or 'mlp'"),
    (LEARNING + "optimizer", ["", "adamw"], "'adam' or 'sgd'"),
    (
        LEARNING + "partition.kind",
        ["", "random"],
        "'iid' or 'decreasing' or 'grouped' or 'dirichlet' or 'parts'",
    ),
    (LEARNING + "input_dtype", ["", "float64"], "'uint8' or 'float32'"),
    (
        LEARNING + "learning_rate",
        ["0", "0.0", "-1", "1e-3", ".5", "1.", "0x1"],
        "a number above 0 as a decimal",
    ),
    (LEARNING + "partition.alpha", ["0", "00.5", " 1", "inf"], "a number above 0 as a decimal"),
    (ROUND + "emission", ["", "-1", "1.0", "01", str(2**128)], "a u128 as a decimal string"),
    (SET + "bond", ["", "-1", "1.0", "01", str(2**128)], "a u128 as a decimal string"),
    (SET + "slash", ["", "-1", "1.0", "01", str(2**128)], "a u128 as a decimal string"),
    ("genesis.aggregation.global_model", ["", "0x00", "0x" + "AB" * 32], "a string of 0x and 64 lower-case"),
]


@pytest.mark.parametrize(("path", "values", "hint"), TEXTS)
def test_texts_have_a_form(path: str, values: list[str], hint: str) -> None:
    for value in values:
        line = refusal(changed(home_of(path), path, value))
        assert line.startswith(f"{path} is {shown(value)}: it must be {hint}")


NODE = "/ip4/1.2.3.4/tcp/30333/p2p/12D3KooWabc"
RELATIONS: list[tuple[dict[str, Any], str]] = [
    # Lists and what stands in them.
    ({"bootnodes": {}}, "bootnodes is {}: it must be a list"),
    ({"bootnodes": [NODE + "0000", NODE[:20]]}, "bootnodes[1] is "),
    ({"bootnodes": [5]}, "bootnodes[0] is 5: it must be an address like"),
    (
        {"genesis.validators.validators": []},
        "genesis.validators.validators has 0 entries: it must have 1 to 256",
    ),
    ({"genesis.validators.validators": [ALICE] * 257}, "genesis.validators.validators has 257 entries"),
    (
        {"genesis.validators.validators": [7]},
        "genesis.validators.validators[0] is 7: it must be an SS58 address",
    ),
    ({"genesis.validators.validators": ["5Alice"]}, "genesis.validators.validators[0] is wrong: "),
    (
        {"genesis.validators.validators": [ALICE, EVE, ALICE]},
        f"genesis.validators.validators[2] is {ALICE} again: list it once",
    ),
    ({"genesis.coin.balances": [[ALICE]]}, "genesis.coin.balances[0] is "),
    ({"genesis.coin.balances": [[ALICE, 5]]}, "genesis.coin.balances[0] is 5: it must be a u128"),
    ({"genesis.coin.balances": [["x", "5"]]}, "genesis.coin.balances[0] is wrong: "),
    ({"genesis.coin.balances": [[ALICE, "1"], [ALICE, "2"]]}, "genesis.coin.balances[1] is "),
    (
        {"genesis.coin.balances": [[ALICE, str(2**128 - 1)], [EVE, "1"]]},
        f"genesis.coin.balances add up to {2**128}: they must fit in a u128 together",
    ),
    # Fields that must fit each other.
    ({SET + "max_validators": 3}, "genesis.validators.max_validators is 3 but 4 validators are listed: "),
    (
        {SET + "validators": [ALICE, EVE], "genesis.round.min_miners": 1, "genesis.round.winners": 1},
        "genesis.validators.validators[1] has a balance of 0 but bond is 1000000000000000: ",
    ),
    ({"properties.ss58_format": 0}, "properties.ss58_format is 0: this node supports 42 only"),
    ({"consensus.leader_timeout_ms": 2000}, "consensus.leader_timeout_ms is 2000 but heartbeat_ms is 2000: "),
    (
        {"consensus.max_timeout_ms": 11_000},
        "consensus.max_timeout_ms is 11000 but view_timeout_ms is 12000: ",
    ),
    (
        {"genesis.round.winners": 7},
        "genesis.round.winners is 7 but only 4 validators are listed: lower it or add validators",
    ),
    ({"genesis.round.min_miners": 5}, "genesis.round.min_miners is 5 but only 4 validators are listed: "),
    (
        {"genesis.round.aggregate_cap_ms": 10},
        "genesis.round.aggregate_cap_ms is 10 but aggregate_ms is 20000: ",
    ),
    (
        {"genesis.round.heartbeat_ms": 999},
        "genesis.round.heartbeat_ms is 999 but consensus.heartbeat_ms is 2000: ",
    ),
    (
        {"genesis.round.classes": 11},
        'learning.dataset is "digits" with 10 classes but genesis.round.classes is 11: make them equal',
    ),
]


@pytest.mark.parametrize(("changes", "start"), RELATIONS)
def test_values_fit_each_other(changes: dict[str, Any], start: str) -> None:
    spec = LOCAL
    for path, value in changes.items():
        spec = changed(spec, path, value)
    assert refusal(spec).startswith(start)


LEARNT: list[tuple[dict[str, Any], str]] = [
    ({"input_shape": []}, "learning.input_shape is []: it must be 1 to 4 lengths"),
    ({"input_shape": [1, 1, 1, 1, 1]}, "learning.input_shape is [1, 1, 1, 1, 1]: it must be 1 to 4 lengths"),
    ({"input_shape": [0]}, "learning.input_shape[0] is 0: it must be a whole number from 1 to 65536"),
    ({"input_shape": [4096, 4097]}, "learning.input_shape is [4096, 4097]: it must be 1 to 4 lengths"),
    (
        {"architecture": "digits-cnn"},
        'learning.architecture is "digits-cnn" but a record\'s shape is [20]: it needs images',
    ),
    ({"architecture": "paper-cnn", "input_shape": [7, 9, 1]}, 'learning.architecture is "paper-cnn" but '),
    (
        {"classes": 9},
        'learning.dataset is "npz" with 9 classes but genesis.round.classes is 10: make them equal',
    ),
    ({"dataset": "digits"}, "learning.classes is not a field of a chain spec: remove it"),
]


@pytest.mark.parametrize(("changes", "start"), LEARNT)
def test_inputs_and_architecture_fit(changes: dict[str, Any], start: str) -> None:
    spec = NPZ
    for name, value in changes.items():
        spec = changed(spec, LEARNING + name, value)
    assert refusal(spec).startswith(start)


def test_alpha_belongs_to_dirichlet_alone() -> None:
    line = refusal(changed(NPZ, "learning.partition.kind", "iid"))
    assert line.startswith("learning.partition.alpha is not a field of a chain spec: remove it")


# Files


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"\xff\xfe", "not a chain spec: it is not UTF-8 text"),
        (b"", "line 1, column 1: "),
        (b'{"name": "x",}', "line 1, column 1"),
        (b'{"name": 1, "name": 2}', "not a chain spec: the field 'name' is given twice"),
        (b'{"name": NaN}', "not a chain spec: NaN is not a number that JSON knows"),
        (b"[" * 100_000, "not a chain spec: "),
    ],
)
def test_a_file_that_is_not_json_is_one_line(tmp_path: Path, text: bytes, problem: str) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(text)
    with pytest.raises(ChainSpecError) as caught:
        chain_spec.load(file)
    assert str(caught.value).startswith(f"{file}: {problem}")
    assert "\n" not in str(caught.value)


def test_an_unknown_chain_is_told_which_there_are(tmp_path: Path) -> None:
    with pytest.raises(ChainSpecError, match=r"unknown chain 'nowhere': .* one of dev, local, pocl-cifar10"):
        chain_spec.load("nowhere")
    with pytest.raises(ChainSpecError, match=r"none\.json: there is no such file: .* one of dev, local"):
        chain_spec.load(tmp_path / "none.json")


@pytest.mark.parametrize("name", spec_files.built_in_names())
def test_built_in_specs_survive_being_written(name: str, tmp_path: Path) -> None:
    spec = chain_spec.load(name)
    spec.save(tmp_path / "copy.json")
    assert chain_spec.load(tmp_path / "copy.json") == spec
    assert (tmp_path / "copy.json").read_text() == spec_files.find(name).read_text()


def test_a_disk_that_refuses_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ChainSpecError, match=r"none/copy\.json: cannot be written: No such file"):
        chain_spec.load("dev").save(tmp_path / "none" / "copy.json")


def test_the_wheel_brings_the_built_in_specs_where_they_are_looked_for() -> None:
    root = Path(chain_spec.__file__).parents[1]
    packaging = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]
    installed = {
        Path(sysconfig.get_path("data")) / folder: globs for folder, globs in packaging["data-files"].items()
    }
    assert installed[spec_files.folders()[-1]] == ["chain-spec/*.json"]
    assert sorted(file.stem for file in root.glob("chain-spec/*.json")) == spec_files.built_in_names()
