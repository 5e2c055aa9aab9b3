"""What workers and operators do of themselves while the nodes are harmed.

Where the nodes have no workers, a stand-in says in every round that its miner takes part, as a worker does that did not
deliver in the last one. Like a node it signs nothing for a validator that abstains. So only a validator whose node is
away or abstains misses rounds, and the chain's own rule puts it out of the set. Its operator asks back in, once the
node is up and some epochs have passed: whoever was doubled may be slashed once more for another epoch until then.
"""

from __future__ import annotations

import threading

from pocl.client import Client, ClientError
from pocl.extrinsics import sign_call
from pocl.v1.validators_pb2 import Validator as Record
from tests.faults.network import FaultNetwork, Validator

LOOK_S = 0.5
OUT_EPOCHS = 2
REJOIN_AGAIN_EPOCHS = 3
"""What was asked may be lost with the node that was asked."""


class Operators:
    """Those of all nodes, in one thread, until stopped."""

    def __init__(self, network: FaultNetwork, *, workers: bool = False) -> None:
        """`workers` says whether the nodes have some themselves."""
        self._network = network
        self._workers = workers
        self._ready: dict[str, int] = {}
        self._asked: dict[str, int] = {}
        self.rejoined = 0
        """How often a validator asked back into the set."""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_S):
            for node in self._network.up():
                client, epoch = node.client, self._network.sets.epoch
                try:
                    if client is None:
                        continue
                    if node.key.public in self._network.sets.members:
                        if not self._workers and not node.abstains(epoch):
                            self._say_ready(node, client, epoch)
                    elif epoch >= self._asked.get(node.name, -REJOIN_AGAIN_EPOCHS) + REJOIN_AGAIN_EPOCHS:
                        self._ask_back(node, client, epoch)
                except (ClientError, ValueError):
                    continue  # It is not in the phase for that, or is being killed this very moment.

    def _say_ready(self, node: Validator, client: Client, epoch: int) -> None:
        if self._ready.get(node.name) == epoch:
            return
        info = client.info()
        call = client.call("round", "ready")
        client.submit(
            sign_call(
                node.key,
                call,
                genesis_hash=info.genesis_hash,
                spec_version=info.spec_version,
                transaction_version=info.transaction_version,
                round=epoch,
            )
        )
        self._ready[node.name] = epoch

    def _ask_back(self, node: Validator, client: Client, epoch: int) -> None:
        record = client.storage("validators", "Bonded", node.key.public)
        if record.status == Record.OUT and epoch >= record.last_epoch + OUT_EPOCHS:
            client.submit(client.sign(node.key, client.call("validators", "rejoin")))
            self._asked[node.name] = epoch
            self.rejoined += 1
