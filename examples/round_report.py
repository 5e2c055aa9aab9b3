"""Report a round: what each miner committed to, scores, ballots, audit, certificate and rewards.

    python examples/round_report.py [ROUND] [--rpc 127.0.0.1:9944]

Without ROUND: the last round that has ended, or the current one when none has.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from pocl.client import Client, ClientError
from pocl.extrinsics import u128_int
from pocl.keys import ss58_encode
from pocl.v1.aggregation_pb2 import Verdict
from pocl.v1.chain_service_pb2 import ChainInfo
from pocl.v1.round_pb2 import Outcome, Phase
from pocl.v1.rounds_service_pb2 import RoundView


def main() -> int:
    """Run the example; return the exit status."""
    parser = argparse.ArgumentParser(description="Report a round.")
    parser.add_argument("round", nargs="?", type=int, help="its number (default: the last ended one)")
    parser.add_argument("--rpc", default="127.0.0.1:9944", metavar="HOST:PORT")
    arguments = parser.parse_args()
    try:
        with Client.connect(arguments.rpc) as client:
            number = arguments.round
            if number is None:
                ended = [summary.round for summary in client.rounds()]
                number = ended[-1] if ended else None
            report(client.round(number), client.info())
    except ClientError as error:
        print(f"round_report: {error}", file=sys.stderr)
        return 1
    return 0


def report(view: RoundView, info: ChainInfo) -> None:
    """Print a round."""
    rules = view.config
    print(f"Round {view.round} as of block {view.at_block}")
    if view.HasField("state"):
        state = view.state
        print(
            f"  phase {Phase.Name(state.phase)}, {state.phase_clock_ms} ms; opened in block "
            f"{state.started_block}"
        )
    print(
        f"  {rules.winners} winners, {rules.test_records} test records a miner, {rules.voting} voting, "
        f"{rules.reward} rewards"
    )
    # Everywhere below, the first letters stand for the address.
    table("Miners", [["short", "address"], *([name(m.miner), ss58_encode(m.miner)] for m in view.miners)])
    commitments(view)
    scores(view)
    ballots(view)
    audit(view)
    certificate(view, info)


def commitments(view: RoundView) -> None:
    """Print what each miner committed to, and which commitments it opened."""
    rows = [["miner", "weights committed", "samples", "predictions committed @block", "weights revealed"]]
    for miner in view.miners:
        rows.append(
            [
                name(miner.miner),
                short(miner.proposal.weights_commitment),
                str(miner.proposal.sample_count) if miner.HasField("proposal") else "-",
                f"{short(miner.commit.commitment)} @{miner.commit.block}"
                if miner.HasField("commit")
                else "-",
                short(miner.reveal.weights_hash),
            ]
        )
    table("Commitments", rows)


def scores(view: RoundView) -> None:
    """Print how many of each owner's records each miner predicted right."""
    if not view.HasField("tally"):
        print("\nScores: not before AUDIT")
        return
    owners = sorted({score.owner for miner in view.tally.miners for score in miner.scores})
    rows = [["miner \\ owner", *(name(owner) for owner in owners), "points", "right"]]
    for miner in view.tally.miners:
        given = {score.owner: str(score.correct) for score in miner.scores}
        row = [name(miner.miner), *(given.get(owner, "-") for owner in owners)]
        rows.append([*row, str(miner.points), f"{miner.correct}/{miner.records}"])
    table(f"Scores (right of {view.config.test_records}; points are doubled Borda points)", rows)
    print("  provisional winners: " + names(view.tally.provisional))
    if view.tally.screened_out:
        print("  ballots screened out: " + names(view.tally.screened_out))


def ballots(view: RoundView) -> None:
    """Print each owner's ranking, best first."""
    rows = [["owner", "ranking, best first (= shares a place)"]]
    for miner in view.miners:
        if miner.HasField("ballot"):
            places = [" = ".join(name(who) for who in group.miners) for group in miner.ballot.ranking]
            rows.append([name(miner.miner), " > ".join(places) or "nobody to rank"])
    table("Ballots", rows)


def audit(view: RoundView) -> None:
    """Print what each auditor found about each provisional winner."""
    rows = [["auditor", "verdicts"]]
    for miner in view.miners:
        if miner.HasField("audit"):
            found = [f"{name(v.winner)} {Verdict.Name(v.verdict)}" for v in miner.audit.verdicts]
            rows.append([name(miner.miner), ", ".join(found)])
    table("Audit", rows)
    if view.HasField("confirmed"):
        print("  confirmed winners: " + names(view.confirmed.winners))


def certificate(view: RoundView, info: ChainInfo) -> None:
    """Print who attested which new global model, and the rewards."""
    rows = [["attester", "global model", "bytes"]]
    for miner in view.miners:
        if miner.HasField("attestation"):
            attestation = miner.attestation
            rows.append([name(miner.miner), short(attestation.global_model), str(attestation.size)])
    table("Attestations", rows)
    if not view.HasField("summary"):
        print("\nThe round has not ended.")
        return
    summary = view.summary
    outcome = Outcome.Name(summary.outcome).lower()
    print(f"\nCertificate: {outcome} {summary.void_reason}".rstrip())
    print(
        f"  blocks {summary.started_block} to {summary.ended_block}, "
        f"{summary.ended_ms - summary.started_ms} ms"
    )
    print(f"  global model 0x{summary.previous_model.hex()}")
    print(f"            -> 0x{summary.global_model.hex()}")
    print(f"  attested by {names(summary.attesters)}")
    table(
        "Rewards", [["miner", "reward"], *([name(r.miner), coins(r.amount, info)] for r in summary.rewards)]
    )


def table(title: str, rows: Sequence[Sequence[str]]) -> None:
    """Print rows under a title, the first of them as head."""
    print(f"\n{title}" + ("" if len(rows) > 1 else ": none"))
    if len(rows) > 1:
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        for row in rows:
            print(
                "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            )


def name(account: bytes) -> str:
    """Return an account's address, cut to what tells accounts apart."""
    return ss58_encode(account)[:8]


def names(accounts: Sequence[bytes]) -> str:
    """Return accounts' short names in a row."""
    return ", ".join(name(account) for account in accounts) or "nobody"


def short(hash: bytes) -> str:
    """Return a hash, cut; - for none."""
    return f"0x{hash.hex()[:12]}.." if hash else "-"


def coins(amount: bytes, info: ChainInfo) -> str:
    """Return an amount in whole coins."""
    value = u128_int(amount)
    whole, fraction = divmod(value, 10**info.token_decimals)
    return f"{whole}.{fraction:0{info.token_decimals}d}".rstrip("0").rstrip(".") + f" {info.token_symbol}"


if __name__ == "__main__":
    sys.exit(main())
