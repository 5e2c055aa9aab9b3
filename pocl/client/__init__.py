"""A client of a PoCL node: typed, synchronous, with timeouts, one exception.

    from pocl.client import Client
    from pocl.keys import Keypair

    with Client.connect("127.0.0.1:9944") as client:
        alice, bob = Keypair.from_uri("//Alice"), Keypair.from_uri("//Bob")
        for status in client.transfer(alice, bob.address, 10**12):
            print(status.kind, status.block_number)

Calls, storage keys and values, events and constants are built and read from the metadata that the node
serves, so this client also speaks to chains with other pallets. It depends on grpcio, protobuf and PyNaCl
alone.
"""

from pocl.client.client import Client, Proof, RangeProof
from pocl.client.errors import ClientError
from pocl.client.metadata import Event, Schema
from pocl.client.plain import plain

__all__ = ["Client", "ClientError", "Event", "Proof", "RangeProof", "Schema", "plain"]
