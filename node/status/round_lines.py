"""What the log says of a round: one line where a phase or the round ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from pocl.v1.block_pb2 import EventRecord
from pocl.v1.round_pb2 import TRAIN, Phase, RoundEvent


def round_lines(events: Iterable[EventRecord], label: Callable[[bytes], str]) -> Iterator[str]:
    """Yield the lines for a block's events; `label` names a miner."""
    for record in events:
        if record.pallet != "round":
            continue
        if record.name == "RoundStarted":
            started = RoundEvent.RoundStarted.FromString(record.data)
            yield f"round {started.round} begins: TRAIN; miners: {len(started.miners)}"
        elif record.name == "PhaseChanged":
            changed = RoundEvent.PhaseChanged.FromString(record.data)
            if changed.phase == TRAIN:
                continue  # RoundStarted has said it
            why = "everybody has delivered" if changed.early else "the deadline is over"
            yield f"round {changed.round}: {Phase.Name(changed.phase)}, {why}"
        elif record.name == "OwnerUnavailable":
            removed = RoundEvent.OwnerUnavailable.FromString(record.data)
            yield f"round {removed.round}: the records of {label(removed.owner)} could not be had"
        elif record.name == "RoundSettled":
            settled = RoundEvent.RoundSettled.FromString(record.data)
            winners = ", ".join(label(winner) for winner in settled.winners)
            yield f"round {settled.round} is settled: won by {winners}"
        elif record.name == "RoundVoid":
            void = RoundEvent.RoundVoid.FromString(record.data)
            yield f"round {void.round} is void: {void.reason}"
