"""Faults in catching up: the state of a checkpoint and its parts, the database it becomes, and pages of blocks."""

from __future__ import annotations

from tests.mutants.mutant import Edit, mutant, mutant_of

_CHECKPOINT = "node/test_checkpoint.py"
_RANGE = "runtime/tree/test_range.py"
_SYNC = "node/test_sync_many.py"
_DAMAGE = "node/storage/test_damage.py"
_STATE = "node/storage/test_state.py"

_CHECKPOINT_FILE = "node/checkpoint.py"
_RANGE_FILE = "runtime/range_proof.py"
_IMPORTING = "node/storage/importing.py"

MUTANTS = (
    # ---- what is believed of the block
    mutant(
        "checkpoint-height-unchecked",
        _CHECKPOINT_FILE,
        "        if last.number != self._checkpoint.number:",
        "        if False:",
        _CHECKPOINT,
        why="the operator checked one height with others, and the node starts from another",
    ),
    mutant(
        "checkpoint-hash-unchecked",
        _CHECKPOINT_FILE,
        "        if not answer.headers or header_hash(answer.headers[-1]) != wanted:",
        "        if not answer.headers:",
        _CHECKPOINT,
        why="a peer chooses the chain that a new node follows",
    ),
    mutant(
        "checkpoint-headers-unlinked",
        _CHECKPOINT_FILE,
        "            if child.parent_hash != header_hash(parent) or child.number != parent.number + 1:",
        "            if False:",
        _CHECKPOINT,
        why="a peer chooses the validators whose signatures make the checkpoint final",
    ),
    mutant_of(
        "checkpoint-headers-across-epochs",
        Edit(
            _CHECKPOINT_FILE,
            '            if header.epoch != last.epoch or header.HasField("next_epoch"):',
            "            if False:",
        ),
        Edit(
            _CHECKPOINT_FILE,
            "        if (first.next_epoch.epoch if opens else first.epoch) != last.epoch:",
            "        if False:",
        ),
        tests=(_CHECKPOINT,),
        why="headers of two epochs make the wrong set the right one: honest peers are banned and nothing fits",
    ),
    mutant(
        "checkpoint-certificate-unchecked",
        _CHECKPOINT_FILE,
        "            except CertificateError as error:\n                return str(error)",
        "            except CertificateError:\n                return None",
        _CHECKPOINT,
        why="a node starts from a block that was never final, or cannot show others that it was",
    ),
    # ---- what is believed of its state
    mutant(
        "state-part-unchecked",
        _CHECKPOINT_FILE,
        "    if part.start != start or not verify_range(root, part):",
        "    if part.start != start:",
        _CHECKPOINT,
        why="a peer spoils the whole download, and nobody knows who it was",
    ),
    mutant(
        "state-part-of-another-place",
        _CHECKPOINT_FILE,
        "    if part.start != start or not verify_range(root, part):",
        "    if not verify_range(root, part):",
        _CHECKPOINT,
        why="a peer that gives a true part of another place ends the node",
    ),
    mutant(
        "state-in-crumbs",
        _CHECKPOINT_FILE,
        "    if not part.last and sum(len(entry.key) + len(entry.value) for entry in part.entries) < PART_BYTES:",
        "    if False:",
        _CHECKPOINT,
        why="a peer gives the state entry by entry, and the node is never done",
    ),
    mutant(
        "state-without-its-last-part",
        _IMPORTING,
        "        if self.next_path is not None or read_root(self, self._number) != last.state_root:",
        "        if False:",
        _CHECKPOINT,
        why="half a state is taken for a whole one, and the node forks at the next block",
    ),
    mutant(
        "download-goes-on-with-another-block",
        _IMPORTING,
        "        if db.get(schema.META_CHECKPOINT, wanted) != wanted:",
        "        if False:",
        _CHECKPOINT,
        why="a state is joined of two blocks' halves",
    ),
    mutant(
        "download-begins-again",
        _IMPORTING,
        '                batch.put(schema.META_NEXT_PATH, b"" if part.last else path_after(part.entries[-1].key))',
        '            self._db.put(schema.META_NEXT_PATH, b"" if part.last else path_after(part.entries[-1].key))',
        _CHECKPOINT,
        why="after a crash between the two the part is added twice, which the tree does not bear",
    ),
    mutant(
        "state-part-not-synced",
        _IMPORTING,
        "            with self._db.write_batch(sync=True) as batch:\n                for key, value in",
        "            with self._db.write_batch() as batch:\n                for key, value in",
        _CHECKPOINT,
        why="after a power cut the part that was counted is not there",
    ),
    mutant(
        "checkpoint-replaces-a-chain",
        _IMPORTING,
        "            if height > 0:",
        "            if False:",
        _CHECKPOINT,
        why="an operator that leaves the option in its command loses its blocks at a restart",
    ),
    mutant(
        "checkpoint-of-another-chain-unnoticed",
        _CHECKPOINT_FILE,
        "    if here is not None and here != checkpoint.hash:",
        "    if False:",
        _CHECKPOINT,
        why="a node whose chain contradicts its operator's checkpoint says nothing",
    ),
    # ---- range proofs
    mutant(
        "range-entries-in-any-order",
        _RANGE_FILE,
        "    if any(path <= before for before, path in zip([low - 1, *paths], paths, strict=False)):",
        "    if False:",
        _RANGE,
        why="entries that lie before the start, or twice in the part, are proven",
    ),
    mutant(
        "range-outside-of-another-place",
        _RANGE_FILE,
        ' or not base <= int.from_bytes(path, "big") < end:',
        ":",
        _RANGE,
        why="an entry of the range is shown as one outside, and left out",
    ),
    mutant(
        "range-hides-a-leaf-by-its-hash",
        _RANGE_FILE,
        "        if one[0] == EMPTY_ROOT and (other[1] or other[0] == EMPTY_ROOT):",
        "        if one[0] == EMPTY_ROOT:",
        _RANGE,
        why="an entry inside the range is called a subtree outside, and left out",
    ),
    # ---- the database it becomes
    mutant(
        "damage-read-for-values",
        "node/storage/entries.py",
        "    with db.raw_iterator(verify_checksums=True) as raw:",
        "    with db.raw_iterator() as raw:",
        _DAMAGE,
        why="a node reads a value that the disk has changed, and forks",
    ),
    mutant(
        "range-beyond-its-end",
        "node/storage/entries.py",
        "not (self._include_stop and key == self._stop)",
        "not self._include_stop",
        _DAMAGE,
        _STATE,
        why="the value of the next key is read for one that is not there",
    ),
    # ---- what is given to others
    mutant(
        "state-part-as-large-as-asked",
        "node/state_pages.py",
        "    most = min(request.max_bytes or PART_BYTES, PART_BYTES)",
        "    most = request.max_bytes or PART_BYTES",
        _CHECKPOINT,
        why="one request makes a node hold its whole state in memory",
    ),
    mutant(
        "headers-without-end",
        "node/state_pages.py",
        "max(number - MAX_HEADERS, -1)",
        "-1",
        _CHECKPOINT,
        why="one request reads a whole epoch's headers",
    ),
    mutant(
        "sync-page-as-long-as-asked",
        "node/sync_pages.py",
        "    most_blocks = min(request.max_blocks or PAGE_BLOCKS, PAGE_BLOCKS)",
        "    most_blocks = request.max_blocks or PAGE_BLOCKS",
        _SYNC,
        why="one request makes a node read thousands of blocks",
    ),
    mutant(
        "sync-page-as-large-as-asked",
        "node/sync_pages.py",
        "    most_bytes = min(request.max_bytes or PAGE_BYTES, PAGE_BYTES)",
        "    most_bytes = request.max_bytes or PAGE_BYTES",
        _SYNC,
        why="a node sends pages larger than it says it does",
    ),
    mutant(
        "sync-page-without-a-block",
        "node/sync_pages.py",
        "        if answer.blocks and (size > most_bytes or",
        "        if (size > most_bytes or",
        "node/test_sync_pages.py",
        why="beyond a block larger than a page no new node ever comes, and honest peers are banned for it",
    ),
    mutant(
        "sync-page-ends-at-certificates-only",
        "node/sync_pages.py",
        "    if answer.blocks and not whole:",
        "    if False:",
        "node/test_sync_pages.py",
        _SYNC,
        why="beyond large blocks without certificates of their own no new node ever comes",
    ),
    mutant(
        "sync-holds-pages-without-end",
        "node/sync_core.py",
        "            if at > mine + 1 and held > MAX_HELD_BYTES:",
        "            if False:",
        _SYNC,
        why="one slow peer makes a node hold all that the others give meanwhile",
    ),
    mutant(
        "sync-page-of-other-blocks",
        "node/sync_pages.py",
        "        if block.header.number != number:",
        "        if False:",
        _SYNC,
        why="a peer that gives the same blocks again and again keeps a node busy for nothing",
    ),
)
