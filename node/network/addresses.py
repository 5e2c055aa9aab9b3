"""Where peers may be reached: checked multiaddrs, and a book of them with the time of the next attempt.

An address is /ip4|ip6|dns|dns4|dns6/<host>/tcp/<port>/p2p/<Ed25519 peer id>. Of those that strangers tell,
names are refused (a resolver is not for strangers to use), and so are addresses that are not for one host;
loopback and private ones are taken only from a peer that is as near itself.
"""

from __future__ import annotations

import ipaddress
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field

_ADDRESS = re.compile(
    r"/(ip4|ip6|dns|dns4|dns6)/([A-Za-z0-9.:_-]{1,253})/tcp/([0-9]{1,5})/p2p/(12D3KooW[1-9A-HJ-NP-Za-km-z]{44})"
)

FIRST_RETRY_S = 0.3
MAX_RETRY_S = 5.0
MAX_STRANGER_RETRY_S = 60.0
STRANGER, VALIDATOR, BOOTNODE = 20, 1000, 2**62
"""Failed dials in a row after which a peer of each sort is given up."""

_MAX_ENTRIES = 512
_MAX_ADDRESSES = 4


@dataclass(frozen=True)
class Address:
    """One way to a peer."""

    text: str
    host: str
    port: int
    peer_id: str


def parse_address(text: str) -> Address | None:
    """Return the address of a multiaddr, None when it is not of the form above."""
    match = _ADDRESS.fullmatch(text)
    if match is None:
        return None
    family, host, port, peer_id = match.groups()
    if not 0 < int(port) < 65536:
        return None
    if family in ("ip4", "ip6"):
        try:
            version = ipaddress.ip_address(host).version
        except ValueError:
            return None
        if version != int(family[2]):
            return None
    return Address(text, host, int(port), peer_id)


def make_address(host: str, port: int, peer_id: str) -> Address | None:
    """Return the address of a peer at an IP address, None when that is none."""
    return parse_address(f"/{'ip6' if ':' in host else 'ip4'}/{host}/tcp/{port}/p2p/{peer_id}")


def may_tell(address: Address, teller_ip: str) -> bool:
    """Tell whether a peer at `teller_ip` may send us to this address."""
    try:
        told, teller = ipaddress.ip_address(address.host), ipaddress.ip_address(teller_ip)
    except ValueError:
        return False
    if told.is_unspecified or told.is_multicast or told.is_reserved:
        return False
    if told.is_loopback:
        return teller.is_loopback
    if told.is_private or told.is_link_local:
        return teller.is_private or teller.is_link_local
    return True


@dataclass
class Entry:
    """What the book knows of one peer."""

    peer_id: str
    patience: int = STRANGER
    addresses: list[Address] = field(default_factory=list)
    failures: int = 0
    due: float = 0.0
    dialling: bool = False

    @property
    def longest_retry_s(self) -> float:
        """The longest time between two attempts."""
        return MAX_STRANGER_RETRY_S if self.patience <= STRANGER else MAX_RETRY_S


class AddressBook:
    """The peers that this node may dial. `now` is a clock in seconds."""

    def __init__(self, own_peer_id: str, now: Callable[[], float]) -> None:
        self._own = own_peer_id
        self._now = now
        self._entries: dict[str, Entry] = {}

    def add(self, address: Address, *, patience: int = STRANGER, first: bool = False) -> None:
        """Learn an address; `first` puts it before those known. The own one and too many are left out."""
        if address.peer_id == self._own:
            return
        entry = self._entries.get(address.peer_id)
        if entry is None:
            if len(self._entries) >= _MAX_ENTRIES and not (patience > STRANGER and self._make_room()):
                return
            entry = self._entries[address.peer_id] = Entry(address.peer_id, due=self._now())
            if patience < BOOTNODE:
                entry.due += self._politeness(address.peer_id)
        entry.patience = max(entry.patience, patience)
        known = [item for item in entry.addresses if item.text != address.text]
        if len(known) == len(entry.addresses) or first:
            joined = [address, *known] if first else [*known, address]
            entry.addresses = joined[:_MAX_ADDRESSES]

    def keep(self, peer_id: str, patience: int) -> None:
        """Be patient with a known peer."""
        if peer_id in self._entries:
            self._entries[peer_id].patience = max(patience, self._entries[peer_id].patience)

    def due(self) -> list[Entry]:
        """Return the entries whose time has come and that are not being dialled."""
        now = self._now()
        return [entry for entry in self._entries.values() if entry.due <= now and not entry.dialling]

    def failed(self, entry: Entry) -> None:
        """A dial failed: the next address next time, later each time; strangers are given up in the end."""
        entry.failures += 1
        if entry.failures > entry.patience:
            self._entries.pop(entry.peer_id, None)
            return
        entry.addresses.append(entry.addresses.pop(0))
        delay = min(entry.longest_retry_s, FIRST_RETRY_S * 1.6 ** min(entry.failures - 1, 20))
        entry.due = self._now() + delay * random.uniform(0.9, 1.1)

    def lost(self, peer_id: str, *, blame: bool) -> None:
        """A connection ended; `blame` when the peer was at fault and had better not be dialled at once."""
        entry = self._entries.get(peer_id)
        if entry is None:
            return
        if blame:
            entry.failures = max(entry.failures, 6)
            entry.due = self._now() + entry.longest_retry_s
        else:
            entry.due = max(entry.due, self._now() + FIRST_RETRY_S + self._politeness(peer_id))

    def connected(self, peer_id: str) -> None:
        """A connection works: past failures do not count any more."""
        entry = self._entries.get(peer_id)
        if entry is not None:
            entry.failures = 0

    def _politeness(self, peer_id: str) -> float:
        # Of two peers that learn of each other at once, the one with the smaller id dials first.
        return 0.0 if self._own < peer_id else FIRST_RETRY_S

    def _make_room(self) -> bool:
        for peer_id, entry in self._entries.items():
            if entry.patience <= STRANGER and not entry.dialling:
                del self._entries[peer_id]
                return True
        return False
