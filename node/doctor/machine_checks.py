"""Checks of the machine and of what is around it: ports, clock, peers, the worker's packages, the data."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from typing import Any

from node.doctor.findings import Finding, ok, problem, warning
from node.doctor.subject import Subject
from node.learning_task import task_bytes
from node.network.addresses import Address, parse_address
from node.status.sentence import CLOCK_MS, duration

CONNECT_S = 3.0
PROBE_S = 180.0
"""TensorFlow takes long to import on a machine that is busy."""

_STEP_S = 0.05
_WATCH_S = 0.5


def check_ports(subject: Subject) -> Iterator[Finding]:
    """The ports are free, or the running node's own."""
    options = subject.options
    for check, host, port, option in (
        ("p2p port", options.p2p_host, options.p2p_port, "--port"),
        ("gRPC port", options.rpc_host, options.rpc_port, "--rpc-port"),
    ):
        yield _port(subject, check, host, port, option)
    if not options.no_prometheus:
        host = "0.0.0.0" if options.prometheus_external else "127.0.0.1"
        yield _port(subject, "metrics port", host, options.prometheus_port, "--prometheus-port")


def _port(subject: Subject, check: str, host: str, port: int, option: str) -> Finding:
    if port == 0:
        return ok(check, "the system chooses one")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return _taken(subject, check, port, option)
            return problem(
                check, f"{host}:{port} cannot be listened on: {error.strerror}", f"change {option}"
            )
    return ok(check, f"{host}:{port} is free")


def _taken(subject: Subject, check: str, port: int, option: str) -> Finding:
    running = subject.running
    if running is not None:
        addresses = filter(None, map(parse_address, running.info.addresses))
        own = {address.port for address in addresses}
        if option == "--rpc-port" or port in own or _exposes(port, running.info.name):
            return ok(check, f"{port} is taken by the running node {running.info.name}")
    if subject.stranger is not None and option == "--rpc-port":
        other = subject.stranger.info
        return problem(
            check, f"{port} is taken by another node: {other.name} of {other.chain}", f"change {option}"
        )
    return problem(check, f"{port} is taken by another process", f"change {option}, or stop that process")


def _exposes(port: int, name: str) -> bool:
    """Tell whether a node of that name serves metrics on a port of this machine."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=CONNECT_S) as answer:
            text: bytes = answer.read(2**20)
    except (OSError, HTTPException):
        return False
    return any(
        line.startswith(b"pocl_build_info{") and f'name="{name}"'.encode() in line
        for line in text.splitlines()
    )


def check_clock(subject: Subject) -> Iterator[Finding]:
    """The clock runs evenly, is synchronised, and agrees with the chain and with other validators."""
    before = time.time() - time.monotonic()
    time.sleep(_WATCH_S)
    step_s = time.time() - time.monotonic() - before
    if abs(step_s) > _STEP_S:
        yield warning("clock", f"it was set by {step_s:+.2f} s just now", "let NTP slew it, not step it")
        return
    running = subject.running
    if running is not None and running.status.HasField("clock_offset_ms"):
        offset = running.status.clock_offset_ms
        text = f"{offset / 1000:+.3f} s from the other validators' median"
        if abs(offset) >= CLOCK_MS:
            yield problem("clock", text, "set the clock (NTP)")
        else:
            yield ok("clock", text)
        return
    if subject.final_ms is not None:
        behind_s = subject.final_ms / 1000 - time.time()
        if behind_s * 1000 >= CLOCK_MS:
            yield problem(
                "clock", f"it is {duration(behind_s)} behind the last final block", "set the clock (NTP)"
            )
            return
    if _unsynchronised():
        yield warning("clock", "the kernel says that it is not synchronised", "run an NTP daemon")
    else:
        yield ok("clock", "runs evenly; no running node to compare it with others")


def _unsynchronised() -> bool:
    """Return whether adjtimex says so (5 = TIME_ERROR); False where it cannot be asked."""
    if not sys.platform.startswith("linux"):
        return False
    buffer = ctypes.create_string_buffer(1024)  # struct timex with modes = 0: read only
    try:
        return bool(ctypes.CDLL(None, use_errno=True).adjtimex(buffer) == 5)
    except (OSError, AttributeError):
        return False


def check_peers(subject: Subject) -> Iterator[Finding]:
    """The running node has the validators it needs; bootnodes can be reached."""
    running = subject.running
    if running is not None:
        status = running.status
        connected = sum(validator.connected for validator in status.validators)
        text = (
            f"{status.peers} connected; {connected} of {len(status.validators)} validators, itself included"
        )
        if status.role == "validator" and connected < status.agreement.quorum:
            yield problem(
                "peers", f"{text}; {status.agreement.quorum} are needed", "pocl status names who is missing"
            )
        elif status.peers == 0 and len(status.validators) > 1:
            yield problem("peers", text, "give --bootnodes")
        else:
            yield ok("peers", text)
    given = subject.options.bootnodes or subject.spec.bootnodes
    if not given:
        alone = len(subject.validators) == 1 and subject.is_validator
        if running is None and not alone:
            yield warning(
                "bootnodes", "none given: the node waits until others dial it", "give --bootnodes MULTIADDR"
            )
        return
    addresses = [(text, parse_address(text)) for text in given]
    with ThreadPoolExecutor(max_workers=16) as pool:
        results = list(pool.map(lambda item: _reach(*item), addresses))
    unreachable = [result for result in results if result is not None]
    if not unreachable:
        yield ok("bootnodes", f"{len(given)} of {len(given)} take connections")
    elif len(unreachable) < len(given):
        reached = len(given) - len(unreachable)
        yield warning("bootnodes", f"{reached} of {len(given)} take connections; {'; '.join(unreachable)}")
    else:
        yield problem(
            "bootnodes", f"none takes connections: {'; '.join(unreachable)}", "check addresses and firewalls"
        )


def _reach(text: str, address: Address | None) -> str | None:
    """Return why a bootnode cannot be reached, None when it takes TCP connections."""
    if address is None:
        return f"{text[:120]} is no address like /ip4/1.2.3.4/tcp/30333/p2p/12D3Koo..."
    try:
        socket.create_connection((address.host, address.port), timeout=CONNECT_S).close()
    except TimeoutError:
        return f"{address.host}:{address.port}: no answer within {CONNECT_S:.0f} s"
    except OSError as error:
        return f"{address.host}:{address.port}: {error.strerror or error}"
    return None


def check_worker(subject: Subject) -> Iterator[Finding]:
    """In a process of its own, as the worker has: its packages can be imported, the data set loads."""
    if not subject.options.worker or not subject.is_validator:
        return
    result, error = _probe("packages", [], b"")
    if result is None:
        yield problem("worker", error, "install the extra `worker` (pip install '.[node,worker]')")
        return
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    text = f"{versions}; {result['gpus']} GPUs, {os.cpu_count()} processors"
    if result["gpus"] == 0 and Path("/dev/nvidia0").exists():
        yield warning(
            "worker", f"{text}: TensorFlow does not see this machine's GPU", "install the extra `gpu`"
        )
    else:
        yield ok("worker", text)
    folder = [] if subject.options.data is None else ["--data", str(subject.options.data)]
    result, error = _probe("data", folder, task_bytes(subject.spec.learning))
    if result is None:
        yield problem("data", error)
    else:
        yield ok(
            "data", f"{result['dataset']}: {result['train']} records to train on, {result['test']} to test on"
        )


def _probe(what: str, options: list[str], stdin: bytes) -> tuple[dict[str, Any] | None, str]:
    """Run node/worker/probe.py; return what it found, or why it found nothing."""
    command = [sys.executable, "-m", "node.worker.probe", what, *options]
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=PROBE_S)
    except subprocess.TimeoutExpired:
        return None, f"its packages did not load within {PROBE_S:.0f} s"
    lines = done.stdout.decode(errors="replace").strip().splitlines()
    if done.returncode == 0 and lines:
        found: dict[str, Any] = json.loads(lines[-1])
        return found, ""
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return None, said[-1] if said else f"the probe ended with status {done.returncode}"
