"""What a validator may sign for its worker: nothing that may contradict what it signed before (log.py)."""

from __future__ import annotations

from node.chain import Chain
from node.consensus.call_record import CallRecord, CallWithheld
from node.consensus.core import Core
from node.consensus.log import ConsensusLog
from pocl.v1.extrinsic_pb2 import Call
from runtime.offences import TWIN_CALLS


def abstains(journal: ConsensusLog | None, core: Core | None, chain: Chain) -> bool:
    """Tell whether a validator may have signed what it does not know of: it lost its log, or is new."""
    epoch = chain.epoch_change.epoch if core is None else core.epoch.epoch
    return journal is None or epoch < journal.abstain_until


def log_for_call(journal: ConsensusLog | None, core: Core | None, chain: Chain, round: int) -> ConsensusLog:
    """Return the log in which a call of a round is noted before it is signed.

    Raise CallWithheld while nobody can know what was signed before: the validator abstains, or its database is
    behind what its log says; and for a round that is over by that log, whatever the database says.
    """
    if journal is None or abstains(journal, core, chain):
        raise CallWithheld("this validator abstains: it has no log yet of what it signed before")
    newest, known = journal.newest_epoch, chain.epoch_change.epoch
    if core is None or known < newest:
        raise CallWithheld(f"the database, at epoch {known}, is behind the consensus log: wait for sync")
    if round < newest:
        raise CallWithheld(f"round {round} is over: this validator has voted in epoch {newest}")
    return journal


def note(journal: ConsensusLog, call: Call, round: int) -> None:
    """Write down a call before it is signed, where a second one of its round would be an offence.

    Raise CallWithheld when it would be that second one, LogError when the disk refuses.
    """
    if (call.pallet, call.function) in TWIN_CALLS:
        journal.note(CallRecord.of(call, round))
