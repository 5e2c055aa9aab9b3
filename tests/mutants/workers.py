"""Faults in the off-chain halves: what a miner checks before it signs, and what it must never do twice."""

from __future__ import annotations

from tests.mutants.mutant import Edit, mutant, mutant_of

_ATTACKS = "test_attacks.py"
_OFFCHAIN = "pallets/test_offchain.py"

_AGGREGATION_FILE = "pallets/aggregation/offchain.py"
_PROPOSE_FILE = "pallets/model_propose/offchain.py"

MUTANTS = (
    mutant(
        "audit-says-ok-to-everything",
        _AGGREGATION_FILE,
        "        self._verdicts[winner] = OK if fits else MISMATCH",
        "        self._verdicts[winner] = OK",
        _ATTACKS,
        why="a miner wins with weights that did not make its predictions",
    ),
    mutant(
        "audit-passes-who-showed-nothing",
        _AGGREGATION_FILE,
        "        if not predicted and len(owners_of(view)) > 1:",
        "        if False:",
        _ATTACKS,
        why="who marks everybody unavailable has no prediction that could be wrong",
    ),
    mutant(
        "audit-ignores-the-promised-size",
        _AGGREGATION_FILE,
        "        if len(weights) != miner.proposal.weights_size:",
        "        if False:",
        _ATTACKS,
        why="auditors disagree on a model whose size is a lie: some cannot fetch it",
    ),
    mutant(
        "false-tags-unnoticed",
        _AGGREGATION_FILE,
        "                and verdict.tag != audit_tag(miner.miner, view.round, weights[verdict.winner])",
        "                and verdict.tag == b''",
        _ATTACKS,
        why="an auditor says OK to weights that it never had, and nobody tells",
    ),
    mutant(
        "weights-published-with-the-records",
        _PROPOSE_FILE,
        "context.put_blob(trained.weights, round, AFTER_REVEAL)",
        "context.put_blob(trained.weights, round, AFTER_TRAIN)",
        _OFFCHAIN,
        why="others predict with this miner's model before it has shown that it is the better one",
    ),
    mutant_of(
        "records-published-in-train",
        Edit(
            _PROPOSE_FILE,
            "context.put_blob(records, round, AFTER_TRAIN)",
            "context.put_blob(records, round, PUBLIC)",
        ),
        Edit(
            _PROPOSE_FILE, "import AFTER_REVEAL, AFTER_TRAIN\n", "import AFTER_REVEAL, AFTER_TRAIN, PUBLIC\n"
        ),
        tests=(_OFFCHAIN,),
        why="others train on this miner's test records",
    ),
    mutant(
        "blobs-taken-under-any-name",
        "pallets/offchain_round.py",
        "            if len(data) > max_bytes or blob_name(data) != name:",
        "            if len(data) > max_bytes:",
        _OFFCHAIN,
        why="whoever answers first decides what is audited and averaged",
    ),
    mutant(
        "trains-again-after-a-restart",
        _PROPOSE_FILE,
        "own_proposal(self.work.context, view.round) or self._make(view)",
        "self._make(view)",
        _OFFCHAIN,
        why="a restarted miner no longer has what it has committed to",
    ),
    mutant(
        "opens-what-it-did-not-commit-to",
        _PROPOSE_FILE,
        "    if own is None or own.proposal.weights_commitment != miner.proposal.weights_commitment:",
        "    if own is None:",
        _OFFCHAIN,
        why="a miner that lost its disk sends calls that no block may contain",
    ),
    mutant(
        "predictions-made-twice",
        "pallets/prediction/offchain.py",
        "            context.keep(view.round, _PREDICTIONS_FILE, predictions)\n",
        "",
        _OFFCHAIN,
        why="a miner that restarts between commitment and reveal has nothing to reveal",
    ),
)
