"""Faults at a node's doors: what it serves to whom, and what it believes of whom; and in what it keeps."""

from __future__ import annotations

from tests.mutants.mutant import mutant

_SERVICE = "node/test_may_serve.py"
_WORKER = "node/rpc/test_worker_service.py"
_PARTS = "node/network/test_parts.py"
_REQUESTS = "node/network/test_requests.py"
_BLOBS = "node/test_blobs.py"
_PRUNING = "node/test_pruning_keeps_up.py"
_TRANSACTIONS = "node/rpc/test_transactions_service.py"

MUTANTS = (
    # ---- who gets which blob when
    mutant(
        "records-served-in-train",
        "node/visibility.py",
        "    BlobVisibility.AFTER_TRAIN: Phase.TRAIN,",
        "    BlobVisibility.AFTER_TRAIN: PHASE_NONE,",
        _SERVICE,
        why="miners train on the records they will be tested with",
    ),
    mutant(
        "weights-served-before-reveal",
        "node/visibility.py",
        "    BlobVisibility.AFTER_REVEAL: Phase.REVEAL,",
        "    BlobVisibility.AFTER_REVEAL: Phase.TRAIN,",
        _SERVICE,
        why="a miner takes another one's model and predicts with it",
    ),
    mutant(
        "blobs-served-while-their-phase-runs",
        "node/visibility.py",
        "    return over or current.phase > after",
        "    return over or current.phase >= after",
        _SERVICE,
        why="weights leave in REVEAL, before all predictions are shown",
    ),
    mutant(
        "blobs-of-later-rounds-served",
        "node/visibility.py",
        "    if after is None or round > current.round:",
        "    if after is None:",
        _SERVICE,
        why="a node that lags gives away the records of a round whose TRAIN it has not seen",
    ),
    mutant(
        "private-blobs-served-to-peers",
        "node/network/blob_exchange.py",
        "    if meta is None or not may_serve(meta):",
        "    if meta is None:",
        _REQUESTS,
        why="peers are given whatever they name",
    ),
    mutant(
        "chunks-unchecked",
        "node/network/blob_exchange.py",
        "        if self.size and not check_chunks(self.hashes, self.size, self.offset, answer.data):",
        "        if False:",
        _REQUESTS,
        why="a peer's bytes are passed on under another one's name",
    ),
    mutant(
        "chunk-hashes-unchecked",
        "node/blobs.py",
        "    if blob_name_of(size, hashes) != name:",
        "    if False:",
        _BLOBS,
        why="a peer chooses which chunks are the right ones",
    ),
    mutant(
        "fetched-blob-unchecked",
        "node/rpc/worker_service.py",
        "        if blob_name(data) != name:",
        "        if False:",
        _WORKER,
        why="the worker audits something else than what the winner named",
    ),
    mutant(
        "damaged-blob-given-out",
        "node/blobs.py",
        "        if data is not None and tuple(chunk_hashes(data)) == hashes:",
        "        if data is not None:",
        _BLOBS,
        why="a disk that forgets makes this node look like a liar",
    ),
    # ---- the worker's door
    mutant(
        "token-unchecked",
        "node/rpc/auth.py",
        "    return given is not None and hmac.compare_digest(given.encode(), (_SCHEME + token).encode())",
        "    return given is not None",
        _WORKER,
        why="any process of this machine signs with the validator's key",
    ),
    mutant(
        "token-works-from-anywhere",
        "node/rpc/auth.py",
        "    if not token or not is_loopback(context.peer()):",
        "    if not token:",
        _WORKER,
        why="whoever has read the token once signs from the other end of the world",
    ),
    mutant(
        "node-signs-any-call",
        "node/rpc/worker_service.py",
        "        if (call.pallet, call.function) not in self._operational:",
        "        if False:",
        _WORKER,
        why="a worker that was taken over empties the validator's account",
    ),
    mutant(
        "salts-repeat",
        "node/rpc/worker_service.py",
        'message = b"pocl/salt/1" + genesis_hash + round.to_bytes(8, "big") + kind.encode()',
        'message = b"pocl/salt/1" + genesis_hash + kind.encode()',
        _WORKER,
        why="a salt revealed in one round lets everybody guess the labels of the next",
    ),
    # ---- peers
    mutant(
        "account-proof-unchecked",
        "node/network/handshake.py",
        '            raise HandshakeError("its proof of the validator account is false")',
        "            pass",
        _PARTS,
        why="anybody has a validator's connection: its votes are then taken unchecked until quorum",
    ),
    mutant(
        "account-proof-for-anybody",
        "node/network/handshake.py",
        "    return _DOMAIN + genesis_hash + peer_id_bytes(sender) + peer_id_bytes(receiver)",
        "    return _DOMAIN + genesis_hash + peer_id_bytes(sender)",
        _PARTS,
        why="a proof shown to one peer is of use towards another",
    ),
    mutant(
        "peers-of-other-chains",
        "node/network/handshake.py",
        "    if handshake.genesis_hash != genesis_hash:",
        "    if False:",
        _PARTS,
        why="nodes of two chains hold each other's slots and ban each other for nonsense",
    ),
    mutant(
        "frames-unbounded",
        "node/network/frames.py",
        "        if length > bound:",
        "        if False:",
        _PARTS,
        why="one peer makes this node keep four gigabytes",
    ),
    # ---- the pool and its clients
    mutant(
        "final-blocks-told-one-by-one",
        "node/pool/pool.py",
        "        self.on_block(extrinsics_of(blocks), blocks[-1].header.number)",
        "        for block in blocks:\n            self.on_block(block.block.extrinsics, block.header.number)",
        _TRANSACTIONS,
        why="a wallet is told that its transfer was dropped, which is final, and pays again",
    ),
    # ---- what is kept
    mutant(
        "pruning-however-full-the-blocks",
        "node/storage/pruning.py",
        "    return _LEAST + 2 * left",
        "    return _LEAST",
        _PRUNING,
        why="under load, and while it catches up, a pruned node's database grows for ever",
    ),
    mutant(
        "bodies-pruned-after-states",
        "node/storage/pruning.py",
        "        bodies, body = _prune_bodies(db, batch, oldest.body, max_entries)",
        "        bodies, body = _prune_bodies(db, batch, oldest.body, max_entries - removed)",
        _PRUNING,
        why="as long as states wait to be removed no body is",
    ),
    mutant(
        "headers-pruned-before-bodies",
        "node/storage/pruning.py",
        "        headers = _prune_headers(db, batch, min(oldest.state, body), max_entries)",
        "        headers = _prune_headers(db, batch, min(oldest.state, oldest.body), max_entries)",
        "node/tools/test_verify.py",
        why="a block is offered whole whose header is gone",
    ),
    mutant(
        "validation-remembers-all-accounts",
        "runtime/validation.py",
        "        if len(self._shared.state.before) >= MAX_SHARED:",
        "        if False:",
        "runtime/test_validation.py",
        why="while no block becomes final, a node's memory grows with each new account that signs anything",
    ),
    # ---- what a client may cost
    mutant(
        "batches-count-as-one-call",
        "node/rpc/transactions_service.py",
        "        self._charge(context, len(request.extrinsics))\n",
        "",
        _TRANSACTIONS,
        why="one address keeps the node checking signatures, a thousand for each call it is allowed",
    ),
    mutant(
        "batches-crowd-the-trio-thread",
        "node/rpc/transactions_service.py",
        "            with self._turns.hold(host):\n                results",
        "            if True:\n                results",
        _TRANSACTIONS,
        why="many batches at a time hold up consensus again and again",
    ),
    mutant(
        "latest-client-served-first",
        "node/rpc/limits.py",
        "            host, queue = self._waiting.popitem(last=False)",
        "            host, queue = self._waiting.popitem(last=True)",
        _TRANSACTIONS,
        why="who sends without end is served, and the others wait",
    ),
    mutant(
        "ranges-of-any-length",
        "node/rpc/state_service.py",
        "state.get, most, MAX_ENTRIES)",
        "state.get, most)",
        "node/rpc/test_state_service.py",
        why="one call keeps a thread busy with ten thousand small entries",
    ),
    mutant(
        "ranges-without-bound",
        "node/rpc/state_service.py",
        "        with self._ranges.hold(host_of(context.peer())):",
        "        if True:",
        "node/rpc/test_state_service.py",
        why="one address takes the node's processor with dear calls side by side",
    ),
    # ---- which chain a database is of
    mutant(
        "accounts-of-a-spec-do-not-count",
        "node/known_genesis.py",
        "    yield from spec.genesis.balances\n",
        "",
        "node/test_known_genesis.py",
        why="a node opens its database under a spec with other balances: another chain's",
    ),
    mutant(
        "a-note-is-believed-unread",
        "node/known_genesis.py",
        "    return hash if noted == _digest(spec, runtime, hash) + hash else None",
        "    return hash",
        "node/test_known_genesis.py",
        why="with another spec below one base path the node calls its own chain the other one's",
    ),
    mutant(
        "the-worker-dials-where-clients-do",
        "node/rpc/server.py",
        "        worker_address = _join(_LOOPBACK, _bind(server, _LOOPBACK, 0))\n",
        "        pass\n",
        _WORKER,
        why="with --rpc-listen on one address the worker is refused: the validator takes part in no round",
    ),
)
