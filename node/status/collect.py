"""Gathers the facts of a running node, and tells operators in the log what happens: at info each phase and end of
a round, and why nothing becomes final when nothing does; at debug each final block.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import cast

import trio

from node.chain import Chain
from node.config import NodeConfig
from node.consensus.driver import ConsensusDriver, now_ms
from node.dev_accounts import DEV_NAMES, dev_name, dev_uri
from node.network import Network, Peer
from node.rpc.reports import WorkerReports
from node.status.facts import Facts, measure_disk
from node.status.round_lines import round_lines
from node.status.sentence import MOVING, PATIENCE_S, judge, patience_s
from node.sync import Synchronizer
from pallets.round import Round
from pallets.round.awaited import awaited
from pallets.round.config import deadline_ms
from pocl.keys import Keypair
from pocl.v1.round_pb2 import PHASE_NONE, Phase, RoundState
from runtime.blocks import ExecutedBlock
from runtime.quorum import faulty, quorum

log = logging.getLogger("pocl.node")

_MAX_NAMES = 1024


class StatusBoard:
    """What a node knows of itself and of the others. Everything here is called on the trio thread."""

    def __init__(
        self,
        config: NodeConfig,
        chain: Chain,
        network: Network,
        sync: Synchronizer,
        driver: ConsensusDriver | None,
        reports: WorkerReports,
    ) -> None:
        self._config = config
        self._chain = chain
        self._network = network
        self._sync = sync
        self._driver = driver
        self._reports = reports
        self._started = trio.current_time()
        # Where the clock of a block made before this start says how old it is.
        age_s = max(0.0, (now_ms() - chain.final.timestamp_ms) / 1000)
        self._final_at = self._started - age_s if chain.final_number else None
        self._names = _dev_names(config)
        if config.account is not None:
            self._names.setdefault(config.account, config.name)

    def on_peer(self, peer: Peer) -> None:
        """Note how a validator's node calls itself. Anybody may call itself anything: names that are known in
        advance stay, and where keys are worth something the address stands beside the name."""
        if peer.validator is None or not peer.name or len(self._names) >= _MAX_NAMES:
            return
        name = peer.name
        if self._config.chain.chain_type == "live":
            name = f"{name} ({Facts.short(peer.validator)})"
        self._names.setdefault(peer.validator, name)

    def on_final(self, blocks: Sequence[ExecutedBlock]) -> None:
        """Note final blocks, and log what operators care for."""
        self._final_at = trio.current_time()
        # While thousands of blocks are fetched, their rounds are history.
        level = logging.DEBUG if self._sync.syncing else logging.INFO
        for executed in blocks:
            header = executed.header
            if log.isEnabledFor(logging.DEBUG):
                log.debug(
                    "block %d is final: epoch %d, view %d, by %s, %d extrinsics, 0x%s",
                    header.number,
                    header.epoch,
                    header.view,
                    self._label(header.author),
                    len(executed.block.extrinsics),
                    executed.hash.hex(),
                )
            for line in round_lines(executed.events, self._label):
                log.log(level, "%s (block %d)", line, header.number)

    async def run(self) -> None:
        """Say why, every ten seconds, while nothing becomes final."""
        while True:
            await trio.sleep(PATIENCE_S)
            facts = self.facts()
            if facts.final_age_s is not None and facts.final_age_s < patience_s(facts):
                continue
            disk = await trio.to_thread.run_sync(measure_disk, self._config.base_path)
            verdict = judge(facts.with_disk(disk))
            if facts.waits_for_worker:
                # Nobody asked for blocks yet.
                log.info("%s", verdict.sentence)
            elif verdict.state != MOVING:
                age = facts.up_s if facts.final_age_s is None else facts.final_age_s
                log.info("nothing became final for %.0f s: %s", age, verdict.sentence)

    def facts(self) -> Facts:
        """Return what is known now, but for the disk."""
        chain, config, driver = self._chain, self._config, self._driver
        now, wall_ms = trio.current_time(), now_ms()
        change = chain.epoch_change
        members = set(change.validators)
        peers = self._network.peers()
        others = {peer.validator: peer for peer in peers if peer.validator in members}
        connected = {account for account in others if account is not None}
        pallets = chain.pallets(chain.final_state())
        rounds = cast(Round, pallets[Round.name])
        state: RoundState = rounds.State.get()
        up_s = now - self._started
        snapshot = None if driver is None else driver.snapshot()
        worker = self._reports.state
        return Facts(
            now_ms=wall_ms,
            up_s=up_s,
            account=config.account,
            validators=tuple(change.validators),
            quorum=quorum(len(change.validators)),
            heartbeat_s=config.chain.consensus.heartbeat_ms / 1000,
            name=config.name,
            chain=config.chain.id,
            names=dict(self._names),
            connected=frozenset(connected | ({config.account} & members if config.account else set())),
            peers=len(peers),
            heights={account: peer.final_number for account, peer in others.items() if account},
            behind=self._behind(peers, members),
            syncing=self._sync.syncing,
            final_number=chain.final_number,
            final_hash=chain.final_hash,
            final_age_s=None if self._final_at is None else now - self._final_at,
            best_number=chain.best_header.number,
            epoch=change.epoch,
            agreement=snapshot,
            without_log=driver is not None and driver.without_log,
            waits_for_worker=(
                driver is not None
                and snapshot is None
                and config.worker
                and up_s < config.wait_for_worker_s
                and worker in ("off", "starting", "failed")
            ),
            round=state.round,
            phase=Phase.Name(state.phase),
            awaited=tuple(awaited(pallets)),
            deadline_ms=_deadline(rounds, state),
            clocks={
                account: offset
                for account, peer in others.items()
                if account and (offset := peer.clock_offset_ms(wall_ms)) is not None
            },
            worker=worker,
            worker_error=self._reports.last_error,
        )

    def _label(self, account: bytes) -> str:
        return self._names.get(account) or Facts.short(account)

    def _behind(self, peers: Sequence[Peer], members: set[bytes]) -> int:
        """Return by how many blocks the others are ahead.

        Anybody may claim any height. Of the validators' claims the f highest count for nothing, as far as
        there are more.
        """
        claims = sorted((peer.final_number for peer in peers if peer.validator in members), reverse=True)
        if claims:
            height = claims[min(faulty(len(members)), len(claims) - 1)]
        else:
            height = max((peer.final_number for peer in peers), default=0)
        return max(0, height - self._chain.final_number)


def _dev_names(config: NodeConfig) -> dict[bytes, str]:
    """Return the names of the development accounts, where such may be validators."""
    if config.chain.chain_type == "live":
        return {}
    count = max(len(DEV_NAMES), len(config.chain.genesis.validators))
    return {Keypair.from_uri(dev_uri(index)).public: dev_name(index) for index in range(count)}


def _deadline(rounds: Round, state: RoundState) -> int:
    """Return the time at which the phase clock comes to the phase's deadline if blocks go on."""
    if state.phase == PHASE_NONE:
        return 0
    left_ms = deadline_ms(rounds.config(), state.phase) - state.phase_clock_ms
    return state.last_timestamp_ms + max(0, left_ms)
