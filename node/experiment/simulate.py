"""One cell with one seed, simulated: the real runtime and the pallets' real off-chain halves in one process.

There is no network, no consensus and no clock: one block follows the other in virtual time (network.py), and
what training and prediction cost there is a rule of the plan (learners.py). Everything else is what real nodes
and workers do: signed extrinsics through the executive, learners with their shares of the data, behaviours.

All miners of a process share one data set, one model object and what each of them has computed (`Memo`); a
miner by itself is record numbers and the bytes of its weights.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from node.chain_spec import ChainSpec
from node.dev_accounts import dev_uri
from node.devnet.observer import Observation
from node.experiment.behaviour import TimedGang, behaving
from node.experiment.learners import Memo, MemoLearner, TimedLearner
from node.experiment.memory_chain import MemoryChain
from node.experiment.network import MemoryNetwork, MemoryNode, Pace
from node.experiment.plan import Cell, VirtualTime
from node.experiment.results import Members, cell_result
from node.genesis import build_genesis
from node.learning_task import LearningTask, Partition, parse_task, task_bytes
from node.worker.learning.architectures import architecture_of
from node.worker.learning.datasets import Dataset, load_dataset
from node.worker.learning.training import Trainer
from pallets.assembly import RUNTIME
from pallets.coin import Coin
from pallets.round.view import round_view
from pocl.keys import Keypair
from pocl.v1.worker_service_pb2 import WorkerReport

_NO_PARTITION = Partition("iid", 0)
_SLACK_BLOCKS = 1000


@dataclass(frozen=True)
class Simulated:
    """What to simulate, in a form that can be sent to another process."""

    cell: Cell
    seed: int
    trainer: str
    time: VirtualTime
    data_path: Path | None


def simulate(job: Simulated, progress: Callable[[], None]) -> dict[str, Any]:
    """Return {"result", "timing"} of a cell; `progress` is called after each round.

    The result is the same at every run. Raise PoclError when spec or data cannot be used.
    """
    wall, cpu = perf_counter(), process_time()
    with _one_thread(job.trainer):
        result = Simulation(job).run(progress)
    timing = {"cpu_s": round(process_time() - cpu, 3), "wall_s": round(perf_counter() - wall, 3)}
    return {"result": result, "timing": timing}


class Simulation:
    """The network of one cell and what is seen of it."""

    def __init__(self, job: Simulated) -> None:
        self.cell = job.cell
        self.spec = job.cell.chain(job.seed)
        self.seed = job.seed
        self.members = Members.of(self.cell)
        keys = [Keypair.from_uri(dev_uri(index)) for index in range(self.cell.miners)]
        consensus = self.spec.consensus
        self.network = MemoryNetwork(
            MemoryChain(RUNTIME, build_genesis(self.spec), keys),
            Pace(consensus.block_interval_ms, consensus.heartbeat_ms, job.time.call_ms),
        )
        self.issued = self.network.chain.pallet(Coin).TotalIssuance.get()
        self.memo = Memo()
        self.seen = Observation()
        self._join(job, {key.public: key for key in keys})

    def _join(self, job: Simulated, keys: dict[bytes, Keypair]) -> None:
        task = parse_task(task_bytes(self.spec.learning))
        data = _dataset(replace(task, partition=_NO_PARTITION), job.data_path)
        trainer = _trainer(job.trainer, replace(task, partition=_NO_PARTITION, seed=0))
        gangs = self._gangs()
        for index, account in enumerate(self.members.accounts):
            group = self.cell.group_of(index)
            node = MemoryNode(self.network, keys[account])
            learner = MemoLearner(
                self.memo,
                task,
                data,
                trainer,
                index=index,
                miners=self.cell.miners,
                test_records=self.spec.genesis.round.test_records,
            )
            timed = TimedLearner(learner, node, job.time, group.speed)
            collusion = gangs[group.behaviour.name].member(node)
            self.network.join(node, behaving(group.behaviour, node, timed, collusion))

    def _gangs(self) -> dict[str, TimedGang]:
        """Return who helps each other, by the name of their behaviour."""
        members: dict[str, list[bytes]] = {}
        for index, account in enumerate(self.members.accounts):
            members.setdefault(self.cell.group_of(index).behaviour.name, []).append(account)
        return {name: TimedGang(accounts) for name, accounts in members.items()}

    def run(self, progress: Callable[[], None]) -> dict[str, Any]:
        """Run all rounds and return the cell's result."""
        for number in range(1, self.cell.rounds + 1):
            self._round(number)
            progress()
        chain = self.network.chain
        chain.runtime.try_state(chain.state)
        self._take_reports()
        refused: dict[str, int] = {}
        for _, label in self.network.refused:
            refused[label] = refused.get(label, 0) + 1
        result = cell_result(
            self.cell, self.seed, self.members, self.seen,
            genesis_hash=chain.genesis_hash, issued=(self.issued, chain.pallet(Coin).TotalIssuance.get()),
        )  # fmt: skip
        return result | {"refused_calls": dict(sorted(refused.items()))}

    def _round(self, number: int) -> None:
        """Make blocks until a round has ended, and note it."""
        for _ in range(most_blocks(self.spec)):
            block = self.network.block()
            for event in block.events:
                self.seen.note(event, (), block.header.timestamp_ms)
            view = self.network.view
            if view.round == number and view.HasField("summary"):
                chain = self.network.chain
                self.seen.ended[number] = round_view(chain.pallets(), block.header.number, block.hash, number)
                self.memo.turn()
                return
        raise AssertionError(f"round {number} did not end: {self.network.view.state}")

    def _take_reports(self) -> None:
        for node in self.network.nodes.values():
            for number, measures in node.reports.items():
                reports = self.seen.reports.setdefault(number, {})
                reports[self.members.name(node.account)] = WorkerReport(**measures)


def most_blocks(spec: ChainSpec) -> int:
    """Return more blocks than a round whose phases all end late can have."""
    rules = spec.genesis.round
    longest = (
        rules.train_ms + rules.predict_ms + rules.reveal_ms + rules.vote_ms + rules.audit_ms
        + rules.aggregate_cap_ms
    )  # fmt: skip
    # Blocks without work come at heartbeats; those with work hold at least one of a miner's calls.
    return 2 * longest // rules.heartbeat_ms + 10 * len(spec.genesis.validators) + _SLACK_BLOCKS


@lru_cache(maxsize=2)
def _dataset(task: LearningTask, data_path: Path | None) -> Dataset:
    return load_dataset(task, data_path)


@lru_cache(maxsize=2)
def _trainer(kind: str, task: LearningTask) -> Trainer:
    """Return the process's model of a task; no seed has a part in it."""
    if kind == "numpy":
        from node.worker.learning.numpy_trainer import NumpyTrainer

        return NumpyTrainer(architecture_of(task), task)
    from node.worker.learning.keras_model import limit_threads
    from node.worker.learning.trainer import KerasTrainer

    _once(limit_threads)
    return KerasTrainer(architecture_of(task), task)


@lru_cache(maxsize=1)
def _once(limit_threads: Callable[[int | None], None]) -> None:
    limit_threads(1)


def _one_thread(trainer: str) -> AbstractContextManager[Any]:
    """Keep NumPy to one thread: cells share the cores, and sums are the same for any number of cores."""
    if trainer != "numpy":
        return nullcontext()
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    limits: AbstractContextManager[Any] = threadpool_limits(1)
    return limits
