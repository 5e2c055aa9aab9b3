"""Faults in what peers may cost: penalties and bans, places, turns and rates, bytes held and sent."""

from __future__ import annotations

from tests.mutants.mutant import mutant

_PARTS = "node/network/test_parts.py"
_BOUNDS = "node/network/test_bounds.py"
_PEERS = "node/network/test_peers.py"
_PLACES = "node/network/test_places.py"
_STREAMS = "node/network/test_streams.py"

_REPUTATION = "node/network/reputation.py"
_SERVICE = "node/network/service.py"
_SESSION = "node/network/session.py"
_ANSWERS = "node/network/answers.py"
_MEMORY = "node/network/memory.py"
_HOST = "node/network/host.py"

MUTANTS = (
    # ---- penalties and bans
    mutant(
        "penalties-do-not-add-up",
        _REPUTATION,
        "        total = self.points(peer_id) + points",
        "        total = points",
        _PARTS,
        why="a peer may do the same wrong for ever",
    ),
    mutant(
        "points-never-fall",
        _REPUTATION,
        "        return max(0.0, total - (self._now() - at) * DECAY_PER_S)",
        "        return total",
        _PARTS,
        why="an honest peer is banned in the end for a lost answer now and then",
    ),
    mutant(
        "expired-ban-kept",
        _REPUTATION,
        "        if until is not None and until <= self._now():",
        "        if False:",
        _PARTS,
        why="a validator that was upgraded after a bug is kept out until every other node restarts",
    ),
    mutant(
        "ban-forgotten",
        _REPUTATION,
        "        self._banned[peer_id] = now + BAN_S",
        "        self._banned[peer_id] = now",
        _PARTS,
        why="a banned peer is back at once",
    ),
    mutant(
        "bans-fill-the-memory",
        _REPUTATION,
        "    if len(entries) > _MAX_PEERS:",
        "    if False:",
        _PARTS,
        why="who makes up a new identity for each connection fills the memory",
    ),
    mutant(
        "newest-ban-dropped",
        _REPUTATION,
        "        del entries[next(iter(entries))]",
        "        entries.popitem()",
        _PARTS,
        why="once the list is full nobody is banned any more",
    ),
    mutant(
        "banned-peer-let-in",
        _SERVICE,
        " or unwanted or self.banned(link.peer_id):",
        " or unwanted:",
        _PEERS,
        why="a ban costs one reconnection",
    ),
    mutant(
        "banned-peer-stays",
        _SERVICE,
        '                    session.end("banned", fault=True)',
        "                    pass",
        _PEERS,
        why="a ban begins when the peer goes by itself",
    ),
    mutant(
        "violation-costs-nothing",
        _SESSION,
        "            self._owner.charge(self, reason)\n",
        "",
        _STREAMS,
        why="a peer may send nonsense, connect again, and send it again",
    ),
    mutant(
        "banned-peer-dialled",
        "node/network/dialler.py",
        "        if self._around.connected(entry.peer_id) or self._around.banned(entry.peer_id):",
        "        if self._around.connected(entry.peer_id):",
        _PLACES,
        why="a node dials whom it will not let in, every few seconds",
    ),
    # ---- places
    mutant(
        "validator-places-for-strangers",
        _SERVICE,
        "        return self._settings.max_peers - self._settings.validator_slots",
        "        return self._settings.max_peers",
        _PLACES,
        why="whoever opens enough connections keeps the validators apart, and finality stops",
    ),
    mutant(
        "validator-finds-no-place",
        _SERVICE,
        "        if is_validator and others:",
        "        if False:",
        _PLACES,
        why="a full node turns validators away",
    ),
    mutant(
        "stranger-takes-a-strangers-place",
        _SERVICE,
        "        if is_validator and others:",
        "        if others:",
        _PLACES,
        why="a flood of new identities drives out everybody who follows the chain",
    ),
    mutant(
        "any-account-is-a-validator",
        _SERVICE,
        "        return account is not None and self._handlers.is_validator(account)",
        "        return account is not None",
        _PLACES,
        why="a key costs nothing: strangers get the places and the time of validators",
    ),
    # ---- turns and rates
    mutant(
        "strangers-take-no-turns",
        _SERVICE,
        "        return nullcontext() if self.is_validator(session) else self._turns.turn()",
        "        return nullcontext()",
        _PLACES,
        why="strangers that send as fast as they can leave no time for agreement",
    ),
    mutant(
        "turns-cost-nothing",
        "node/network/fairness.py",
        "                self._owed_s += time.perf_counter() - started",
        "                self._owed_s = 0.0",
        _BOUNDS,
        why="the turns of strangers follow each other without a pause for agreement",
    ),
    mutant(
        "rates-save-up",
        "node/network/fairness.py",
        "return min(self._burst, tokens + (now - since) * self._per_second), now",
        "return tokens + (now - since) * self._per_second, now",
        _BOUNDS,
        why="who was quiet for a day may ask for everything at once",
    ),
    mutant(
        "rates-remember-everybody",
        "node/network/fairness.py",
        "        while len(self._buckets) > self._capacity:",
        "        while False:",
        _BOUNDS,
        why="one bucket for each address that ever connected",
    ),
    mutant(
        "requests-without-a-rate",
        _ANSWERS,
        "                await trio.sleep(self._rates[name].wait_s(session.link.peer_id))\n",
        "",
        _PLACES,
        why="one peer that asks for pages in a loop keeps the disk busy",
    ),
    mutant(
        "strangers-take-the-validators-pages",
        _ANSWERS,
        "self._pages[self._askers.is_validator(session)] if name == SYNC",
        "self._pages[True] if name == SYNC",
        _PLACES,
        why="strangers that read slowly keep a validator from catching up",
    ),
    mutant(
        "answer-beyond-what-peers-take",
        _ANSWERS,
        "            if len(data) > MAX_ANSWER:",
        "            if False:",
        _PLACES,
        why="an honest node is charged, and banned, for a page that is too large",
    ),
    # ---- bytes
    mutant(
        "validators-dropped-before-strangers",
        _MEMORY,
        "key=lambda one: (not is_validator(one), one.held + one.waiting_bytes)",
        "key=lambda one: one.held + one.waiting_bytes",
        _BOUNDS,
        why="strangers that hold a little each make a node drop its validators",
    ),
    mutant(
        "shared-frames-count-for-each",
        _MEMORY,
        "    return sum(session.held for session in sessions) + sum(waiting.values())",
        "    return sum(session.held + session.waiting_bytes for session in sessions)",
        _BOUNDS,
        why="a large block on its way to all peers makes a node drop them",
    ),
    mutant(
        "held-bytes-unbounded",
        _MEMORY,
        "    while kept and _held(kept) > MAX_HELD:",
        "    while False:",
        _BOUNDS,
        why="64 peers that send half a frame each fill the memory",
    ),
    mutant(
        "strangers-queue-as-validators",
        _SERVICE,
        "        if not is_validator:\n            session.restrict()\n",
        "",
        _PLACES,
        why="strangers that read nothing make a node keep 64 MiB for each",
    ),
    mutant(
        "unread-bytes-unbounded",
        _MEMORY,
        "if session.link.buffered > MAX_BUFFERED]",
        "if False]",
        _BOUNDS,
        why="a peer that ignores its window fills the memory",
    ),
    mutant(
        "doors-stay-open",
        _SERVICE,
        "        if len(arriving) >= _UNADMITTED:",
        "        if False:",
        _BOUNDS,
        why="connections that never shake hands take all places of those that would",
    ),
    mutant(
        "empty-messages-decoded",
        "node/network/decoding.py",
        "        if fields > MAX_FIELDS:",
        "        if False:",
        _BOUNDS,
        why="8 MiB on the wire become 400 MiB and seconds of work",
    ),
    mutant(
        "consensus-queue-drops-votes",
        "node/network/outbox.py",
        "            if not self._drop_oldest:\n                return False\n",
        "",
        _PARTS,
        why="a peer that misses a vote in the middle waits for it for ever",
    ),
    mutant(
        "strangers-send-us-to-our-own-ports",
        "node/network/addresses.py",
        "        return teller.is_loopback",
        "        return True",
        _PARTS,
        why="a stranger makes nodes connect to services of their own machine",
    ),
)
