"""Faults in the validator set: bonds, offences and their evidence, who enters and leaves, and who follows that."""

from __future__ import annotations

from tests.mutants.mutant import mutant

_SET = "pallets/validators/test_set.py"
_ROTATION = "pallets/validators/test_rotation.py"
_OFFENCES = "runtime/test_offences.py"
_CHANGING = "runtime/test_light_changing_sets.py"
_LIGHT = "runtime/test_light.py"
_CERTIFICATES = "runtime/test_certificates.py"
_REPORTER = "node/test_offence_reporter.py"

_PALLET_FILE = "pallets/validators/pallet.py"
_ROTATION_FILE = "pallets/validators/rotation.py"
_OFFENCES_FILE = "runtime/offences.py"
_REPORTER_FILE = "node/offence_reporter.py"

MUTANTS = (
    # ---- bonds
    mutant(
        "bond-not-reserved",
        _PALLET_FILE,
        "            self.pallet(Coin).reserve(who, amount - bond)\n",
        "",
        _SET,
        why="a validator has nothing to lose",
    ),
    mutant(
        "bond-below-the-least",
        _PALLET_FILE,
        "        if amount < least:",
        "        if False:",
        _SET,
        why="anybody fills the set with validators that have nothing to lose",
    ),
    mutant(
        "genesis-bonds-not-taken",
        _PALLET_FILE,
        "                self.pallet(Coin).reserve(account, _amount(rules.bond))",
        "                self.pallet(Coin)",
        _SET,
        why="the first validators have nothing to lose, and their bonds are minted when they leave",
    ),
    mutant(
        "unbonding-paid-at-once",
        _PALLET_FILE,
        "if record.status == Validator.UNBONDING and self.Epoch.get() > held_until:",
        "if record.status == Validator.UNBONDING:",
        _SET,
        why="a validator signs two blocks and is gone with its bond before anybody can report it",
    ),
    mutant(
        "unbonding-one-epoch-short",
        _PALLET_FILE,
        "self.Epoch.get() > held_until:",
        "self.Epoch.get() >= held_until:",
        _SET,
        why="in the last epoch in which evidence is taken there is nothing left to slash",
    ),
    mutant(
        "bond-paid-every-epoch",
        _PALLET_FILE,
        "            self.Bonded.remove(who)\n",
        "",
        _SET,
        why="whoever left gets its bond again and again out of what else it has reserved",
    ),
    mutant(
        "rejoining-with-what-is-left",
        _PALLET_FILE,
        "self._wait(origin.signer, record, _amount(self.Config.get().bond))",
        "self._wait(origin.signer, record, _amount(record.bond))",
        _SET,
        why="who was slashed comes back with less at stake each time",
    ),
    # ---- what an offence costs
    mutant(
        "slash-stays-in-the-issuance",
        "pallets/coin/pallet.py",
        "        self.TotalIssuance.put(self.TotalIssuance.get() - reserved - free)",
        "        self.TotalIssuance.put(self.TotalIssuance.get())",
        _SET,
        why="what was burnt is still counted: the books of the chain do not add up any more",
    ),
    mutant(
        "slash-given-to-the-reporter",
        _PALLET_FILE,
        "        record.bond = u128(bond - from_bond)",
        "        self.pallet(Coin).mint_reward(offence.epoch, reporter, from_bond + from_free)\n"
        "        record.bond = u128(bond - from_bond)",
        _SET,
        why="a validator that reports itself loses nothing",
    ),
    mutant(
        "slash-spares-the-free-balance",
        _PALLET_FILE,
        "free=slash - from_bond)",
        "free=0)",
        _SET,
        why="a second offence after the bond is gone costs nothing",
    ),
    mutant(
        "slashed-bond-still-on-record",
        _PALLET_FILE,
        "        record.bond = u128(bond - from_bond)\n",
        "",
        _SET,
        why="more is freed than was reserved when the culprit leaves",
    ),
    mutant(
        "same-evidence-twice",
        _PALLET_FILE,
        "        if self.Reported.get(offence.epoch, who):",
        "        if False:",
        _SET,
        why="one mistake is slashed until everything is gone",
    ),
    mutant(
        "one-offence-in-a-lifetime",
        _PALLET_FILE,
        "        if self.Reported.get(offence.epoch, who):",
        "        if any(self.Reported.get(epoch, who) for epoch in range(offence.epoch + 1)):",
        _SET,
        why="after its first slash a validator may equivocate in every epoch",
    ),
    mutant(
        "culprit-keeps-its-seat",
        _PALLET_FILE,
        "after = {Validator.ACTIVE: Validator.EXPELLED, ",
        "after = {",
        _SET,
        why="a validator that was caught goes on voting",
    ),
    mutant(
        "culprit-enters-with-half-a-bond",
        _PALLET_FILE,
        ", Validator.WAITING: Validator.OUT}",
        "}",
        _SET,
        why="who is slashed while it waits enters the set with less at stake than the others",
    ),
    # ---- evidence
    mutant(
        "evidence-signatures-unchecked",
        _OFFENCES_FILE,
        "        if not verify(offender, _signed(message, genesis_hash), _signature(message)):",
        "        if False:",
        _OFFENCES,
        _SET,
        why="anybody puts out whom it likes, and votes of another chain are evidence on this one",
    ),
    mutant(
        "evidence-first-signature-only",
        _OFFENCES_FILE,
        "    for message in (one, other):",
        "    for message in (one,):",
        _OFFENCES,
        why="one real vote and one made up are enough to slash an honest validator",
    ),
    mutant(
        "evidence-of-twins-unsigned",
        _OFFENCES_FILE,
        "        if not verify(extrinsic.signer, digest, extrinsic.signature):",
        "        if False:",
        _OFFENCES,
        why="a ballot of a test network, or of nobody, is evidence on the real chain",
    ),
    mutant(
        "votes-of-two-epochs-contradict",
        _OFFENCES_FILE,
        "    if (one.epoch, one.view) != (other.epoch, other.view):\n"
        '        raise EvidenceError("the two votes',
        '    if one.view != other.view:\n        raise EvidenceError("the two votes',
        _OFFENCES,
        why="views start anew in each epoch: every honest validator is slashed after two",
    ),
    mutant(
        "proposals-of-two-epochs-contradict",
        _OFFENCES_FILE,
        "    if (one.epoch, one.view) != (other.epoch, other.view):\n"
        '        raise EvidenceError("the two proposals',
        '    if one.view != other.view:\n        raise EvidenceError("the two proposals',
        _OFFENCES,
        why="every leader is slashed in its second epoch",
    ),
    mutant(
        "honest-votes-contradict",
        _OFFENCES_FILE,
        "    if kinds == {NULLIFY, FINALIZE}:",
        "    if len(kinds) == 2:",
        _OFFENCES,
        why="who notarizes and then gives the view up, as the rules say, is slashed",
    ),
    mutant(
        "resent-vote-is-an-offence",
        _OFFENCES_FILE,
        "    if len(kinds) == 1 and one.block_hash != other.block_hash:",
        "    if len(kinds) == 1:",
        _OFFENCES,
        why="a vote shown twice slashes its honest signer",
    ),
    mutant(
        "resent-call-is-a-twin",
        _OFFENCES_FILE,
        "    if payload.round != rival.round or payload.call.args == rival.call.args:",
        "    if payload.round != rival.round:",
        _OFFENCES,
        why="a miner that sends its ballot again, with another mortality, is slashed",
    ),
    mutant(
        "ballots-of-two-rounds-are-twins",
        _OFFENCES_FILE,
        "    if payload.round != rival.round or payload.call.args == rival.call.args:",
        "    if payload.call.args == rival.call.args:",
        _OFFENCES,
        why="every miner is slashed in its second round",
    ),
    mutant(
        "evidence-judged-by-todays-set",
        _PALLET_FILE,
        "found: ValidatorSet | None = self.Sets.get(epoch)",
        "found: ValidatorSet | None = self.Set.get()",
        _SET,
        why="who equivocates and leaves cannot be slashed any more, though its bond is held for that",
    ),
    mutant(
        "evidence-without-end",
        _PALLET_FILE,
        "            self.Sets.remove(epoch)\n",
        "",
        _SET,
        why="sets pile up for ever, and old keys that their owners gave away are slashed",
    ),
    mutant(
        "offence-reported-for-ever",
        _REPORTER_FILE,
        "if validators.reported(*key) or (",
        "if (",
        _REPORTER,
        why="a node pays the fee of a report that fails, every few blocks",
    ),
    mutant(
        "node-reports-itself",
        _REPORTER_FILE,
        "        if account == self._key.public:",
        "        if False:",
        _REPORTER,
        why="the operator of two nodes with one key hears of it when the bond is gone",
    ),
    # ---- who is in the set
    mutant(
        "leaver-goes-in-the-middle-of-a-round",
        _PALLET_FILE,
        "status = Validator.LEAVING if record.status in IN_SET else Validator.UNBONDING",
        "status = Validator.UNBONDING",
        _SET,
        why="the set that signs and the set on record differ: certificates of the epoch cannot be checked",
    ),
    mutant(
        "set-id-not-raised",
        _PALLET_FILE,
        "        number = self.env.header.epoch + 1",
        "        number = max(1, self.env.header.epoch)",
        _SET,
        why="two sets have one number, so a certificate of one counts for the other",
    ),
    mutant(
        "silent-count-not-reset",
        _PALLET_FILE,
        "missed = 0 if who in live else records[who].missed + 1",
        "missed = records[who].missed + (who not in live)",
        _SET,
        why="a validator that is away for a round now and then is put out in the end",
    ),
    mutant(
        "silent-count-follows-who-was-put-out",
        _PALLET_FILE,
        "record.last_epoch, record.missed = ended, 0",
        "record.last_epoch = ended",
        _SET,
        why="whoever asks back in is put out again at its first silent round",
    ),
    mutant(
        "authors-of-all-time-are-live",
        _PALLET_FILE,
        "        self.Authors.kill()\n",
        "",
        _SET,
        why="who wrote one block once is never found silent: the set fills with the dead",
    ),
    mutant(
        "who-left-is-still-counted",
        _ROTATION_FILE,
        "            alive.discard(who)\n",
        "",
        _ROTATION,
        why="newcomers enter because of those who left, and the next set cannot agree",
    ),
    mutant(
        "leavers-break-the-quorum",
        _ROTATION_FILE,
        "lost = who in alive and len(alive) - 1 < quorum(rest) if rest else True",
        "lost = not rest",
        _ROTATION,
        why="the live ones leave, the silent ones stay, and the chain stops for ever",
    ),
    mutant(
        "more-than-f-put-out",
        _ROTATION_FILE,
        "    return silent[: faulty(len(members))]",
        "    return silent",
        _ROTATION,
        why="a cut between data centres puts out those on the other side, and both go on alone",
    ),
    mutant(
        "offline-one-round-early",
        _ROTATION_FILE,
        "records[who].missed >= rounds",
        "records[who].missed >= rounds - 1",
        _ROTATION,
        why="an update of a node costs it its seat",
    ),
    mutant(
        "newcomers-count-as-live",
        _ROTATION_FILE,
        "newcomers = len(rotation.entered) + 1 if size < _BEARS_FAULTS else 0",
        "newcomers = len(rotation.entered) + 1",
        _ROTATION,
        why="as many new keys as there are places, with no node behind them, stop the chain",
    ),
    mutant(
        "set-without-a-bound",
        _ROTATION_FILE,
        "        if size > rules.maximum or len(alive)",
        "        if len(alive)",
        _ROTATION,
        why="certificates and rounds grow with everybody who pays a bond",
    ),
    mutant(
        "set-below-its-minimum",
        _ROTATION_FILE,
        "        if not lost and rest >= rules.minimum:",
        "        if not lost:",
        _ROTATION,
        why="a round with fewer miners than winners is void, and so is every later one",
    ),
    mutant(
        "leaders-outside-the-set",
        _PALLET_FILE,
        "in_office = [leader for leader in leaders if leader in members] or members",
        "in_office = list(leaders) or members",
        _SET,
        why="views are led by who may not propose any more: each one times out",
    ),
    # ---- who follows the set from outside
    mutant(
        "light-set-change-ignored",
        "runtime/light.py",
        "self._sets[change.epoch] = before if before == validators else validators",
        "self._sets[change.epoch] = before or validators",
        _CHANGING,
        why="a light client believes those who left, and not those who came",
    ),
    mutant(
        "light-set-of-any-epoch-announced",
        "runtime/light.py",
        "    if change.epoch != header.epoch + 1:",
        "    if False:",
        _LIGHT,
        why="a closing block replaces the set of an epoch that is long over",
    ),
    mutant(
        "light-set-unsorted",
        "runtime/light.py",
        "    if not validators or validators != sorted(set(validators)):",
        "    if not validators:",
        _LIGHT,
        why="a set that lists one key many times gives it a quorum",
    ),
    mutant(
        "light-set-before-its-proof",
        "runtime/light.py",
        "        verify_justification(header, justification, validators, self.genesis_hash, verify=self._verify)\n"
        "        self._require_no_other(header)\n"
        '        if header.HasField("next_epoch"):\n'
        "            self._close_epoch(header)\n",
        '        if header.HasField("next_epoch"):\n'
        "            self._close_epoch(header)\n"
        "        verify_justification(header, justification, validators, self.genesis_hash, verify=self._verify)\n"
        "        self._require_no_other(header)\n",
        _LIGHT,
        why="a forged closing block is refused, and the set that it names believed",
    ),
    mutant(
        "proposal-without-epoch",
        "runtime/certificates.py",
        '            b"pocl/proposal/1",\n            genesis_hash,\n            epoch.to_bytes(8, "big"),',
        '            b"pocl/proposal/1",\n            genesis_hash,\n            bytes(8),',
        _CERTIFICATES,
        _OFFENCES,
        why="a proposal of one epoch is replayed, and slashed, in another",
    ),
)
