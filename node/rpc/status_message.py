"""The facts of a node and what they mean, as NodeService.GetStatus gives them."""

from __future__ import annotations

from node.status.facts import Facts
from node.status.sentence import judge
from pocl.v1 import node_service_pb2 as pb


def status_message(facts: Facts) -> pb.NodeStatus:
    """Return the message for a node's facts."""
    verdict = judge(facts)
    message = pb.NodeStatus(
        sentence=verdict.sentence,
        state=verdict.state,
        hints=verdict.hints,
        name=facts.name,
        role="full" if facts.account is None else "validator",
        chain=facts.chain,
        final_number=facts.final_number,
        final_hash=facts.final_hash,
        best_number=facts.best_number,
        agreement=_agreement(facts),
        round=pb.RoundStatus(
            round=facts.round,
            phase=facts.phase,
            miners_awaited=facts.awaited,
            deadline_ms=facts.deadline_ms,
        ),
        validators=[_validator(facts, account) for account in facts.validators],
        peers=facts.peers,
        syncing=facts.syncing,
        behind=facts.behind,
        worker=facts.worker,
        worker_error=facts.worker_error,
        up_ms=round(facts.up_s * 1000),
    )
    if facts.final_age_s is not None:
        message.final_age_ms = round(facts.final_age_s * 1000)
    if facts.clock_offset_ms is not None:
        message.clock_offset_ms = facts.clock_offset_ms
    if facts.disk is not None:
        message.disk_free, message.database_bytes = facts.disk.free, facts.disk.database
    return message


def _agreement(facts: Facts) -> pb.AgreementStatus:
    known = facts.agreement
    if known is None:
        return pb.AgreementStatus(epoch=facts.epoch, quorum=facts.quorum, abstains=facts.without_log)
    abstains = facts.is_validator and not known.voting
    return pb.AgreementStatus(
        epoch=known.epoch,
        view=known.view,
        leader=known.leader,
        quorum=known.quorum,
        proposed=known.proposed,
        final_view=known.final_view,
        finalizing_view=known.finalizing_view,
        abstains=abstains,
        abstains_until=known.abstain_until if abstains else 0,
    )


def _validator(facts: Facts, account: bytes) -> pb.ValidatorStatus:
    status = pb.ValidatorStatus(
        account=account,
        name=facts.names.get(account, ""),
        connected=account in facts.connected,
        final_number=facts.final_number if account == facts.account else facts.heights.get(account, 0),
    )
    if facts.agreement is not None:
        status.notarized = account in facts.agreement.notarized
        status.nullified = account in facts.agreement.nullified
        status.finalized = account in facts.agreement.finalized
    if account in facts.clocks:
        status.clock_offset_ms = facts.clocks[account]
    return status
