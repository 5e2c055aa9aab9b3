"""Bounds on what one client, and all clients together, may ask of the node."""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from node.rpc.errors import exhausted


@dataclass(frozen=True)
class RpcLimits:
    """The bounds of the server. A *host* is a client's address without its port."""

    threads: int = 128
    """Each call in progress holds one, each stream for as long as it lives."""
    streams: int = 64
    streams_per_host: int = 32
    worker_streams: int = 40
    """Of the node's own worker, which outside clients cannot crowd out: its stream of rounds, and the blobs
    it fetches side by side."""
    waiting: int = 128
    """Calls that may wait for a thread; beyond, RESOURCE_EXHAUSTED at once."""
    calls_per_second: float = 1000.0
    """Of one host, on average."""
    burst: float = 2000.0
    loopback_factor: float = 4.0
    """So many times more for this machine itself: who runs there takes the node's processor time anyhow."""
    extrinsics_per_call: int = 2
    """So many of a batch count as a call: checking their signatures is what most calls cost less than."""
    ranges: int = 4
    """Range proofs that are made at once: each reads up to a thousand entries and their nodes."""
    ranges_per_host: int = 2
    max_receive_bytes: int = 4 * 2**20
    max_send_bytes: int = 64 * 2**20

    @property
    def calls_per_connection(self) -> int:
        """Calls in progress on one connection: its streams, and half of what is left to unary calls."""
        return self.streams_per_host + max(1, (self.threads - self.streams) // 2)


class RateLimit:
    """A token bucket a host: `burst` calls at once, `per_second` in the long run. Any thread may use it."""

    MAX_HOSTS = 1024

    def __init__(self, per_second: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._lock = threading.Lock()
        # host -> (tokens, when), least recently used first.
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, host: str, factor: float = 1.0, tokens: float = 1.0) -> bool:
        """Take tokens of a host, whose rate and burst are `factor` times the usual; False when it has too few."""
        with self._lock:
            now, burst = self._clock(), self._burst * factor
            left, since = self._buckets.pop(host, (burst, now))
            left = min(burst, left + (now - since) * self._per_second * factor)
            allowed = left >= tokens
            self._buckets[host] = (left - tokens if allowed else left, now)
            # A forgotten host starts with a full bucket: the bound on memory is worth that.
            while len(self._buckets) > self.MAX_HOSTS:
                self._buckets.popitem(last=False)
            return allowed


class PlaceLimit:
    """Counts what is going on, in all and of a host: `what`, such as "streams are open". Any thread may use it."""

    def __init__(self, total: int, per_host: int, what: str) -> None:
        self._total = total
        self._per_host = per_host
        self._what = what
        self._lock = threading.Lock()
        self._open: Counter[str] = Counter()

    @contextmanager
    def hold(self, host: str) -> Iterator[None]:
        """Hold a place. Raise RpcFault (RESOURCE_EXHAUSTED) when there is none."""
        with self._lock:
            if self._open.total() >= self._total:
                raise exhausted(f"{self._total} {self._what}, as many as this node allows: try again later")
            if self._open[host] >= self._per_host:
                raise exhausted(f"{self._per_host} {self._what} for your address: end one, or wait")
            self._open[host] += 1
        try:
            yield
        finally:
            with self._lock:
                self._open[host] -= 1
                if not self._open[host]:
                    del self._open[host]


class Turns:
    """Lets one thread go at a time; the hosts whose threads wait take turns, each host's in the order they came."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = False
        # Whose turn is next comes first.
        self._waiting: OrderedDict[str, deque[threading.Event]] = OrderedDict()

    @contextmanager
    def hold(self, host: str) -> Iterator[None]:
        """Wait for a turn of this host, and keep it to the end of the block."""
        turn = threading.Event()
        with self._lock:
            if self._taken:
                self._waiting.setdefault(host, deque()).append(turn)
            else:
                self._taken = True
                turn.set()
        turn.wait()
        try:
            yield
        finally:
            self._pass_on()

    def _pass_on(self) -> None:
        with self._lock:
            if not self._waiting:
                self._taken = False
                return
            host, queue = self._waiting.popitem(last=False)
            queue.popleft().set()
            if queue:
                self._waiting[host] = queue


def host_of(peer: str) -> str:
    """Return the address of a gRPC peer such as `ipv4:127.0.0.1:5000` or `ipv6:%5B::1%5D:5000`, without the port."""
    kind, _, rest = peer.partition(":")
    if kind not in ("ipv4", "ipv6"):
        return peer
    return rest.rpartition(":")[0].removeprefix("%5B").removesuffix("%5D").removeprefix("[").removesuffix("]")


def is_loopback(peer: str) -> bool:
    """Tell whether a gRPC peer is on this machine."""
    host = host_of(peer).removeprefix("::ffff:")
    return peer.startswith(("unix:", "ipv4:", "ipv6:")) and (
        peer.startswith("unix:") or host == "::1" or host.startswith("127.")
    )
