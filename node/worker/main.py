"""The worker's process.

    python -m node.worker --rpc 127.0.0.1:9944 --token-file FILE --home DIR
                          [--data DIR] [--threads N] [--behaviour NAME[:PARAM=VALUE,...]] [--collusion DIR]
                          [--die-with PID]

It asks its node who it mines for and what the chain learns, loads its share of the data, compiles the
model, and then runs the off-chain halves of the pallets on every view of a round. Exit status: 0 after
SIGTERM, 2 when the configuration or the data cannot be used (one line says why, and the node is told), 1
for a defect.
"""

from __future__ import annotations

import _thread
import argparse
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from node.errors import PoclError
from node.lifetime import die_with_parent
from node.worker import HONEST, STATUS_UNUSABLE
from node.worker.connection import Connection, Miner, ask_who_i_am, read_token
from node.worker.context import NodeContext
from node.worker.learning.architectures import architecture_of
from node.worker.learning.datasets import load_dataset
from node.worker.view_feed import ViewFeed
from pallets import offchain

if TYPE_CHECKING:
    from node.worker.learning.learner import TaskLearner

log = logging.getLogger("pocl.worker")

STOP_S = 4.0
"""How long the worker may take to stop before it is ended where it stands; its files are always whole."""


def main(arguments: list[str] | None = None) -> int:
    """Run a worker until it is told to stop; return its exit status."""
    options = _options(arguments)
    if options.die_with is not None:
        die_with_parent(options.die_with)
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s worker: %(message)s"
    )
    stopping = threading.Event()
    _stop_on_signals(stopping, supervised=options.die_with is not None)
    try:
        connection = Connection(options.rpc, read_token(options.token_file), stopping)
    except PoclError as error:
        log.error("%s", error)
        return STATUS_UNUSABLE
    # Closing the channel ends calls that wait for a peer's blob; a signal handler must not do it itself.
    threading.Thread(target=_close_when_stopping, args=(connection,), daemon=True).start()
    return _work(options, connection)


def _work(options: argparse.Namespace, connection: Connection) -> int:
    context: NodeContext | None = None
    try:
        miner = ask_who_i_am(connection)
        context = NodeContext(
            connection, account=miner.account, genesis_hash=miner.genesis_hash, home=options.home
        )
        context.report(round=0, state="starting")
        cheat = _cheat(options, context)
        feed = ViewFeed(connection)
        learner = _make_learner(options, miner, feed)
        log.info("ready: miner %d of %d with %d records", miner.index, miner.miners, learner.share_size)
        context.report(round=0, state="idle")
        halves = cheat(learner) if cheat is not None else offchain.Miner(context, learner)
        feed.start()
        while (view := feed.take()) is not None:
            halves.step(view)
    except PoclError as error:
        log.error("%s", error)
        if context is not None:
            context.report(round=0, state="failed", error=str(error))
        return STATUS_UNUSABLE
    return 0


def _cheat(
    options: argparse.Namespace, context: NodeContext
) -> Callable[[TaskLearner], offchain.Half] | None:
    """Return what makes a miner that misbehaves, None for an honest one. Raise ConfigError."""
    if options.behaviour == HONEST:
        return None
    from node.worker import behaviours

    behaviour = behaviours.parse(options.behaviour)
    accomplices = behaviours.alone(context.account)
    if options.collusion is not None:
        accomplices = behaviours.FolderCollusion(options.collusion, context.account, context.genesis_hash)
    return lambda learner: behaviour.miner(behaviours.Seat(context, learner, accomplices))


def _make_learner(options: argparse.Namespace, miner: Miner, feed: ViewFeed) -> TaskLearner:
    # Before TensorFlow's import, which takes seconds: what is wrong with the data is said at once.
    data = load_dataset(miner.task, options.data)
    from node.worker.learning.keras_model import limit_threads
    from node.worker.learning.learner import TaskLearner
    from node.worker.learning.trainer import KerasTrainer

    limit_threads(options.threads)
    learner = TaskLearner(
        miner.task,
        data,
        KerasTrainer(architecture_of(miner.task), miner.task),
        index=miner.index,
        miners=miner.miners,
        test_records=miner.config.test_records,
        overtaken=feed.training_is_over,
    )
    learner.warm_up()
    return learner


def _stop_on_signals(stopping: threading.Event, *, supervised: bool) -> None:
    def stop(number: int, frame: FrameType | None) -> None:
        # The node and, when it dies, the kernel may both send a signal: one is enough.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        # Event.set takes a lock, which the interrupted code may hold: here it would wait for itself for ever.
        _thread.start_new_thread(stopping.set, ())
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    # Ctrl-C reaches every process of a terminal: a node's worker leaves it to the node, which ends it in
    # order.
    signal.signal(signal.SIGINT, signal.SIG_IGN if supervised else stop)


def _close_when_stopping(connection: Connection) -> None:
    connection.stopping.wait()
    connection.close()
    # Whatever still holds the main thread up: nobody may be left who would kill this process.
    time.sleep(STOP_S)
    os._exit(0)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m node.worker", description="A node's training worker.")
    parser.add_argument("--rpc", required=True, metavar="HOST:PORT", help="gRPC address of the node")
    parser.add_argument(
        "--token-file", required=True, type=Path, help="holds the token the node gave its worker"
    )
    parser.add_argument("--home", required=True, type=Path, help="folder of the worker's private files")
    parser.add_argument("--data", type=Path, help="folder of the data that the task needs")
    parser.add_argument("--threads", type=_positive, help="threads of TensorFlow (default: its own choice)")
    parser.add_argument(
        "--behaviour", default=HONEST, metavar="NAME[:PARAM=VALUE,...]", help="for experiments"
    )
    parser.add_argument("--collusion", type=Path, metavar="DIR", help="folder shared with accomplices")
    parser.add_argument("--die-with", type=int, metavar="PID", help="stop when this parent process ends")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 to 1024")
    return int(text)


def run() -> None:
    """Run as a process of its own."""
    try:
        status = main()
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 1
    except Exception:
        log.exception("a defect ended the worker")
        status = 1
    logging.shutdown()
    # TensorFlow's and gRPC's threads have nothing left to do that is worth waiting for.
    os._exit(status)
