"""Transfers under way all the time, each from its own account, to any node that is up."""

from __future__ import annotations

import random
import threading
from contextlib import closing

from pocl.client import Client, ClientError
from pocl.extrinsics import extrinsic_hash
from pocl.keys import Keypair
from pocl.v1.transactions_service_pb2 import TransactionStatus
from tests.faults.network import FaultNetwork
from tests.faults.watch import FinalTransfer

SENDERS = ("//Alice", "//Bob", "//Eve", "//Ferdie")
PATIENCE_S = 20.0
PAUSE_S = 0.3


class Transfers:
    """Sends until stopped; keeps what was reported final. What a dying node forgets is not sent again."""

    def __init__(self, network: FaultNetwork, seed: int) -> None:
        self._network = network
        self.sent = 0
        self.final: list[FinalTransfer] = []
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._send, args=(uri, random.Random(f"{seed} {uri}")), daemon=True)
            for uri in SENDERS
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(PATIENCE_S + 5)

    def _send(self, uri: str, rng: random.Random) -> None:
        key = Keypair.from_uri(uri)
        while not self._stopping.wait(PAUSE_S):
            nodes = self._network.up()
            client = rng.choice(nodes).client if nodes else None
            if client is None:
                continue
            try:
                self._transfer(client, key, rng)
            except (ClientError, ValueError):
                continue  # That node died, or the pool has this nonce from before: on to the next.

    def _transfer(self, client: Client, key: Keypair, rng: random.Random) -> None:
        call = client.call("coin", "transfer", dest=rng.randbytes(32), amount=rng.randrange(1, 1000))
        extrinsic = client.sign(key, call)
        with closing(client.submit_and_watch(extrinsic, timeout_s=PATIENCE_S)) as statuses:  # type: ignore[type-var]
            self.sent += 1
            for status in statuses:
                if status.kind in (TransactionStatus.FINALIZED, TransactionStatus.DROPPED):
                    if status.kind == TransactionStatus.FINALIZED:
                        hash = extrinsic_hash(extrinsic)
                        self.final.append(FinalTransfer(hash, status.block_number, status.block_hash))
                    return
                if self._stopping.is_set():
                    return
