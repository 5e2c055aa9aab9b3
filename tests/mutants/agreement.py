"""Faults in agreement: the rules at the head of node/consensus/core.py, votes, leaders and timers."""

from __future__ import annotations

from tests.mutants.mutant import Edit, mutant, mutant_of

_CORE = "node/consensus/test_core.py"
_VOTES = "node/consensus/test_votes.py"

_EPOCH_STATE = "node/consensus/epoch_state.py"
_INTAKE = "node/consensus/intake.py"

MUTANTS = (
    mutant(
        "quorum-of-2f",
        "runtime/quorum.py",
        "return 2 * n // 3 + 1",
        "return max(1, 2 * faulty(n))",
        "runtime/test_quorum.py",
        why="two quorums need not share an honest validator: two blocks of one height become final",
    ),
    mutant(
        "one-faulty-too-many",
        "runtime/quorum.py",
        "return (n - 1) // 3",
        "return n // 3",
        "runtime/test_quorum.py",
        why="with 3 validators one faulty one would be trusted to be outvoted",
    ),
    # ---- what one validator may send in a view
    mutant(
        "notarize-twice",
        _EPOCH_STATE,
        "return view == self.view and not (self.own(view, NOTARIZE) or self.own(view, NULLIFY))",
        "return view == self.view and not self.own(view, NULLIFY)",
        _CORE,
        why="a validator that votes again in a view can notarize two blocks",
    ),
    mutant(
        "second-proposal-replaces-first",
        "node/consensus/core.py",
        "elif view not in state.proposals and self._take_justification(proposal, peer)",
        "elif self._take_justification(proposal, peer)",
        _CORE,
        why="an equivocating leader moves votes from one block to another",
    ),
    mutant(
        "notarize-after-nullify",
        _EPOCH_STATE,
        "return view == self.view and not (self.own(view, NOTARIZE) or self.own(view, NULLIFY))",
        "return view == self.view and not self.own(view, NOTARIZE)",
        _CORE,
        why="a late proposal is voted for in a view that this validator has given up",
    ),
    mutant(
        "finalize-after-nullify",
        _EPOCH_STATE,
        "not (self.own(view, FINALIZE) or self.own(view, NULLIFY))",
        "not self.own(view, FINALIZE)",
        _CORE,
        why="a view can be nullified and final: later proposals need not build on a final block",
    ),
    mutant_of(
        "nullify-after-finalize",
        Edit(
            "node/consensus/core.py",
            "        if (timer.epoch, timer.view) != (state.info.epoch, state.view):\n            return\n",
            "        if timer.epoch != state.info.epoch:\n            return\n"
            "        if timer.view < state.view:\n            return self._nullify(timer.view)\n",
        ),
        Edit(
            _EPOCH_STATE,
            "return view == self.view and not (self.own(view, NULLIFY) or self.own(view, FINALIZE))",
            "return not self.own(view, NULLIFY)",
        ),
        tests=(_CORE,),
        why="a late timer nullifies a view that was finalized: the same as the other way round",
    ),
    mutant(
        "nullify-twice",
        _EPOCH_STATE,
        "not (self.own(view, NULLIFY) or self.own(view, FINALIZE))",
        "not self.own(view, FINALIZE)",
        _CORE,
        why="each timer signs, logs and sends another vote",
    ),
    # ---- what a proposal must be
    mutant(
        "parent-check-skipped",
        _INTAKE,
        "    if header.parent_hash != parent_hash:\n",
        "    if False:\n",
        _CORE,
        why="a block that does not build on what its proposal shows leaves final blocks out",
    ),
    mutant(
        "proposed-block-of-another-view",
        _INTAKE,
        "header.epoch != proposal.epoch or header.view != proposal.view or header.author != author",
        "header.epoch != proposal.epoch or header.author != author",
        _CORE,
        why="one block in two views has two certificates that do not fit its header",
    ),
    mutant(
        "block-by-another-author",
        _INTAKE,
        "header.epoch != proposal.epoch or header.view != proposal.view or header.author != author",
        "header.epoch != proposal.epoch or header.view != proposal.view",
        _CORE,
        why="a leader gives fees, and the blame, to somebody else",
    ),
    mutant(
        "closing-block-extended-by-voters",
        _INTAKE,
        "    if parent_closes:\n        return None if",
        "    if parent_closes and block_hash == parent_hash:\n        return None if",
        _CORE,
        why="a block of the old epoch after its closing block: certificates reach across validator sets",
    ),
    mutant(
        "closing-block-extended-by-leader",
        "node/consensus/agreement.py",
        "if parent is not None and parent.closing:",
        "if False:",
        _CORE,
        why="an honest leader proposes what all others must nullify, until the epoch's last block is final",
    ),
    mutant(
        "skipped-views-not-nullified",
        _INTAKE,
        "    if len(proposal.nullifications) != view - parent_view - 1:",
        "    if len(proposal.nullifications) > view - parent_view - 1:",
        _CORE,
        why="a leader builds past a notarized, perhaps final, block without showing that it may",
    ),
    mutant(
        "proposal-signature-unchecked",
        "node/consensus/core.py",
        "            self._scheme.verify(author, message, proposal.signature)\n            and ",
        "            ",
        _CORE,
        why="anybody proposes in the name of the leader, who is then reported for two proposals",
    ),
    mutant(
        "proposal-body-unchecked",
        "node/consensus/core.py",
        "            and extrinsics_root(block.extrinsics) == block.header.extrinsics_root\n",
        "",
        _CORE,
        why="whoever passes a proposal on can change its body, and the honest leader's block is refused",
    ),
    mutant(
        "invalid-block-notarized",
        "node/consensus/agreement.py",
        "        elif candidate.status is Status.VALID and self.voting:",
        "        elif self.voting:",
        _CORE,
        why="a vote before the block is executed stands behind roots that nobody computed",
    ),
    # ---- certificates in the core
    mutant(
        "certificate-of-another-epoch",
        "node/consensus/core.py",
        "if certificate.epoch != state.info.epoch or certificate.view < max(state.final_view, 1):",
        "if certificate.view < max(state.final_view, 1):",
        _CORE,
        why="an old epoch's certificate, replayed, counts for the same view of this one",
    ),
    mutant(
        "core-takes-forged-certificates",
        "node/consensus/core.py",
        "            self._outbox.do(Blame(peer, str(error)))\n            return False",
        "            self._outbox.do(Blame(peer, str(error)))",
        _CORE,
        why="one liar moves everybody's view, or makes a block final",
    ),
    mutant(
        "contradictions-go-unnoticed",
        "node/consensus/certificates.py",
        "            if apart or (not same and NULLIFY not in (kind, certificate.kind)):",
        "            if False:",
        _CORE,
        why="with more than f faulty validators a node must stop, and not choose one of two final blocks",
    ),
    # ---- votes of others
    mutant(
        "relayed-votes-unchecked",
        "node/consensus/votes.py",
        "        if (rival is not None or not direct) and not self._valid(vote):",
        "        if rival is not None and not self._valid(vote):",
        _VOTES,
        why="a liar fills other validators' places with votes they never gave",
    ),
    mutant(
        "votes-at-quorum-unchecked",
        "node/consensus/votes.py",
        "        if not ballot.checked:\n",
        "        if False:\n",
        _VOTES,
        why="a certificate of bad signatures is made, sent, and refused by everybody",
    ),
    mutant(
        "last-vote-counts",
        "node/consensus/votes.py",
        "                return  # the first one counts\n",
        "                pass\n",
        _VOTES,
        why="a double voter moves its vote to wherever a quorum is about to form",
    ),
    mutant(
        "offence-without-evidence",
        "node/consensus/votes.py",
        "        if rival is not None and self._confirmed(rival):",
        "        if rival is not None:",
        _VOTES,
        why="an honest validator is accused by a vote that somebody else made up",
    ),
    mutant(
        "winners-always-lead",
        "node/consensus/leaders.py",
        "    if view % 3 == 0:\n",
        "    if False:\n",
        "node/consensus/test_leaders.py",
        why="faulty winners hold up the chain for ever",
    ),
    mutant(
        "timers-do-not-grow",
        "node/consensus/timing.py",
        "        return min(base << doublings, ",
        "        return min(base, ",
        _CORE,
        why="on a network slower than the first timer no view ever succeeds",
    ),
)
