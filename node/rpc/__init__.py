"""gRPC: what clients, the node's own worker and the command line ask of a node
(proto/pocl/v1/*_service.proto).

- The server is synchronous: a call runs in a thread of a bounded pool. The node itself lives in one trio
  thread; what belongs to that thread (pool, blocks not yet final) is read through `RpcContext.in_trio`, final
  data directly.
- A stream holds a thread for as long as it lives, so streams are counted apart, and some threads are left to
  unary calls whatever happens.
- Every error becomes a status with one line (node/rpc/errors.py). Nothing a client sends ends the node.
- WorkerService is unsafe: it signs with the node's key. It answers loopback peers that know the worker's
  token.
"""

import node.quiet_grpc  # noqa: F401  (first: grpc is loaded below)
from node.rpc.context import ConsensusStatus, RpcContext
from node.rpc.reports import WorkerReports
from node.rpc.server import RpcServer, start_server

__all__ = ["ConsensusStatus", "RpcContext", "RpcServer", "WorkerReports", "start_server"]
