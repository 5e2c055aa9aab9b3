"""All checks in order: what an earlier one learns a later one uses."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from node.chain_spec import load
from node.cli.secrets import default_base_path
from node.doctor.disk_checks import check_database, check_disk, check_keys, check_votes
from node.doctor.findings import Finding, ok, problem
from node.doctor.machine_checks import check_clock, check_peers, check_ports, check_worker
from node.doctor.subject import Options, Subject, look_for_node
from node.errors import PoclError
from node.genesis import build_genesis

log = logging.getLogger(__name__)

Check = Callable[[Subject], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    check_disk,
    check_database,
    check_keys,
    check_votes,
    check_ports,
    check_clock,
    check_peers,
    check_worker,
)


def examine(options: Options) -> Iterator[Finding]:
    """Yield the findings one by one; without a chain spec nothing else can be looked at."""
    try:
        spec = load(options.chain)
        genesis = build_genesis(spec)
    except PoclError as error:
        yield problem("chain spec", str(error))
        return
    count = len(spec.genesis.validators)
    yield ok("chain spec", f"{spec.id}, validators at genesis: {count}, genesis 0x{genesis.hash.hex()}")
    base_path = options.base_path or default_base_path(spec.id)
    subject = Subject(options, spec, genesis.hash, base_path)
    look_for_node(subject)
    for check in CHECKS:
        try:
            yield from check(subject)
        except PoclError as error:
            yield problem(check.__name__.removeprefix("check_"), str(error))
        except Exception as error:
            # One broken check must not hide what the others find.
            log.debug("in a check", exc_info=error)
            name = check.__name__.removeprefix("check_")
            yield problem(
                name, f"the check itself failed: {type(error).__name__}: {error}", "please report it"
            )
