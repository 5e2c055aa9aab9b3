"""Taking back the last final blocks, and what that means for a validator.

Final blocks are final: this is for a full node whose database should go back, to sync or execute blocks again. A
validator has signed votes for them, which its consensus log remembers, and it must never sign others in their place.
So:
- a base path with a consensus log is refused, unless it is said that its votes are kept (KEEP). The log then stays as
  it is: at its next start the validator takes its own records for said, and votes for nothing before sync has
  brought the very same blocks back to where the log was cut (node/consensus/log.py). It cannot vote twice. But it
  counts among the faulty until then, and if many validators do so at a time, nobody is left to sync from;
- votes can be thrown away (FORGET) on a development chain whose only validator this is: nobody else's agreement
  rests on them. Whoever saw those blocks as final sees them replaced. The new log lets it vote at once. Anywhere else
  that would be the way to vote twice, and there is no option for it.
"""

from __future__ import annotations

from pathlib import Path

from node.chain import Chain
from node.chain_spec import ChainSpec
from node.consensus.log import ConsensusLog, log_account
from node.errors import ConfigError
from node.storage.errors import StatePruned

KEEP, FORGET = "--unsafe-keep-votes", "--unsafe-forget-votes"


def check_votes(spec: ChainSpec, chain: Chain, log_file: Path, *, keep: bool, forget: bool) -> None:
    """Raise ConfigError where blocks must not be taken back (rules in the module's text)."""
    if forget:
        require_alone(spec, len(chain.epoch_change.validators))
    elif log_file.exists() and not keep:
        raise ConfigError(
            f"{log_file}: this validator has signed votes for these blocks, and they are final: sync brings the same "
            f"ones back, so it is safe but keeps it from voting until then: {KEEP}; on a development chain of one "
            f"validator {FORGET} throws the votes away"
        )


def require_alone(spec: ChainSpec, validators: int) -> None:
    """Raise ConfigError unless this is a development chain of one validator."""
    if spec.chain_type != "development" or validators != 1:
        raise ConfigError(
            f"{FORGET} is for development chains of one validator: chain {spec.id} is {spec.chain_type} with "
            f"{validators}, and a validator that forgets its votes could vote twice"
        )


def revert(chain: Chain, count: int) -> int:
    """Take back the last `count` blocks; return the number of the last one that stays.

    The chain must not be used afterwards, but closed. Raise ConfigError when there are fewer, or the state that would
    be the last one is not kept; then nothing was taken back.
    """
    final = chain.final_number
    target = final - count
    if target < 0:
        raise ConfigError(f"{count} blocks cannot be taken back: the last final block is {final}")
    try:
        chain.database.state(target)
    except StatePruned as error:
        raise ConfigError(f"{count} blocks cannot be taken back: {error}") from None
    while chain.database.final()[0] > target:
        chain.database.revert_last()
    return target


def forget_votes(log_file: Path, genesis_hash: bytes) -> bool:
    """Replace a consensus log by a fresh one that lets its validator vote at once; return whether there was one."""
    if not log_file.exists():
        return False
    account = log_account(log_file)
    before = ConsensusLog.open(log_file, genesis_hash, account)
    before.close()
    log_file.unlink()
    log = ConsensusLog.create(log_file, genesis_hash, account, 0)
    for call in before.calls:
        # Models and ballots that were signed are evidence on the reverted chain as well.
        log.note(call)
    log.close()
    return True
