"""Faults in the aggregation rules and in what the chain agrees on of them."""

from __future__ import annotations

from tests.mutants.mutant import mutant

_RULES = "pallets/aggregation/test_rules.py"
_SERVER = "pallets/aggregation/test_server_rules.py"
_ROUNDS = "pallets/aggregation/test_rounds_by_rule.py"
_CONTRIBUTION = "pallets/aggregation/test_contribution.py"
_CHAIN = "pallets/aggregation/test_aggregation.py"
_CONFIG = "pallets/round/test_config.py"
_LIGHT = "runtime/test_light.py"

MUTANTS = (
    mutant(
        "krums-ties-by-place",
        "pallets/aggregation/rules/krum.py",
        '        key=lambda place: (scores[place], hash256("pocl/krum-tie/1", inputs.seed, inputs.accounts[place])),',
        "        key=lambda place: scores[place],",
        _RULES,
        why="whoever has the lowest account wins every tie",
    ),
    mutant(
        "krum-counts-all-neighbours",
        "pallets/aggregation/rules/krum.py",
        "    return max(1, count - faulty - 2)",
        "    return max(1, count - 1)",
        _RULES,
        why="a faulty model far away decides which honest one is taken",
    ),
    mutant(
        "sample-counts-uncapped",
        "pallets/aggregation/rules/averages.py",
        "    return small([min(count, cap) for count in sample_counts])",
        "    return small(list(sample_counts))",
        _RULES,
        why="a miner that claims 2^64 samples is the global model",
    ),
    mutant(
        "squared-length-overflows",
        "pallets/aggregation/fixed_point.py",
        "    return (_sum(high * high) << 2 * _LOW_BITS) + (_sum(high * low) << _LOW_BITS + 1) + _sum(low * low)",
        "    return int((magnitude * magnitude).sum())",
        _RULES,
        why="the distance of a huge model comes out small or negative, and krum takes it",
    ),
    mutant(
        "search-stuck-on-a-model",
        "pallets/aggregation/rules/geometric_median.py",
        "    least = max(1, low_median(distances) // _SMOOTHING)",
        "    least = 1",
        _RULES,
        why="a median that is one of the models is taken as it is, whatever the others say",
    ),
    mutant(
        "statistics-stepped",
        "pallets/aggregation/rules/server.py",
        'STATISTICS = (".moving_mean", ".moving_variance")',
        "STATISTICS = ()",
        _SERVER,
        why="momentum takes variances below 0, and the learner refuses the global model for ever",
    ),
    mutant(
        "state-not-agreed-on",
        "pallets/aggregation/pallet.py",
        "            result = (said.global_model, said.size, said.server_state, said.server_state_size)",
        '            result = (said.global_model, said.size, b"", 0)',
        _ROUNDS,
        why="one liar names a state that nobody has, and a quorum stands behind it",
    ),
    mutant(
        "lost-state-waited-for",
        "pallets/aggregation/offchain.py",
        "            if not phase_spent(view, view.config.aggregate_cap_ms, 1, 2):\n                raise",
        "            raise",
        _ROUNDS,
        why="once a state is lost, every round is void for ever",
    ),
    mutant(
        "state-given-up-at-once",
        "pallets/aggregation/offchain.py",
        "            if not phase_spent(view, view.config.aggregate_cap_ms, 1, 2):\n                raise",
        "            pass",
        _ROUNDS,
        why="who did not get the state at the first try attests another model than the others",
    ),
    mutant(
        "krum-of-too-few",
        "pallets/round/aggregation_rules.py",
        "        if winners < 2 * faulty + 3:",
        "        if winners < 2 * faulty + 2:",
        _CONFIG,
        why="a chain begins on which krum does not stand what its spec promises",
    ),
    mutant(
        "contribution-on-own-records",
        "pallets/aggregation/offchain.py",
        "        owners = [owner for owner in view.tally.counted_owners if owner != winner]",
        "        owners = list(view.tally.counted_owners)",
        _CONTRIBUTION,
        why="a winner picks test records on which its own model is right, and is paid for them",
    ),
    mutant(
        "contribution-unbounded",
        "pallets/aggregation/attesting.py",
        '    most = FIXED_POINT if config.reward == "contribution" else 0',
        "    most = 2**64",
        _CHAIN,
        why="a measure that no model can have is taken into the median",
    ),
    mutant(
        "attested-state-unproven",
        "runtime/light.py",
        "        if attestation.server_state != summary.server_state:",
        "        if False:",
        _LIGHT,
        why="a light client takes attestations of another state for this round's",
    ),
)
