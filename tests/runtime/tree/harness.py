"""A tree with all its versions in memory, beside the naive tree that is computed anew from all its keys."""

from collections.abc import Mapping

from runtime.proof import EMPTY_ROOT, PATH_BITS, key_path, leaf_hash, node_hash, value_hash
from runtime.tree import TreeUpdate, root_key, update
from runtime.tree.branch import BRANCH, RADIX, Branch
from runtime.tree.nodes import LEAF, decode_leaf


def colliding_keys(count: int = 24, candidates: int = 30_000) -> list[bytes]:
    """Return keys whose paths share long prefixes, in pairs of neighbours and in one crowd, and some others."""
    keys = sorted((b"key %d" % number for number in range(candidates)), key=key_path)
    paths = [int.from_bytes(key_path(key), "big") for key in keys]
    closeness = sorted(range(candidates - 1), key=lambda index: paths[index] ^ paths[index + 1])
    pairs = [key for index in closeness[: count // 4] for key in keys[index : index + 2]]
    crowd = keys[: count // 3]
    return list(dict.fromkeys(pairs + crowd + [b"", b"\0", b"other", b"another"]))


def model_root(entries: Mapping[bytes, bytes]) -> bytes:
    """Return the root of the whole tree, straight from its definition."""

    def subtree(leaves: list[tuple[int, bytes]], bit: int) -> bytes:
        if not leaves:
            return EMPTY_ROOT
        if len(leaves) == 1:
            return leaves[0][1]
        sides: tuple[list[tuple[int, bytes]], list[tuple[int, bytes]]] = ([], [])
        for path, hash in leaves:
            sides[path >> bit & 1].append((path, hash))
        return node_hash(subtree(sides[0], bit - 1), subtree(sides[1], bit - 1))

    paths = {key: key_path(key) for key in entries}
    leaves = [
        (int.from_bytes(paths[key], "big"), leaf_hash(paths[key], value_hash(value)))
        for key, value in entries.items()
    ]
    return subtree(leaves, PATH_BITS - 1)


class Nodes(dict[bytes, bytes]):
    """Stored nodes; counts what is read."""

    reads = 0

    def get_node(self, key: bytes) -> bytes | None:
        self.reads += 1
        return self.get(key)


class Tree:
    """Every version of a tree, and what each held."""

    def __init__(self) -> None:
        self.nodes = Nodes()
        self.versions: list[dict[bytes, bytes]] = []
        self.updates: list[TreeUpdate] = []

    @property
    def latest(self) -> int | None:
        return len(self.versions) - 1 if self.versions else None

    def commit(self, changes: Mapping[bytes, bytes | None]) -> TreeUpdate:
        entries = dict(self.versions[-1]) if self.versions else {}
        for key, value in changes.items():
            if value is None:
                entries.pop(key, None)
            else:
                entries[key] = value
        made = update(self.nodes, self.latest, changes, len(self.versions))
        assert not made.nodes.keys() & self.nodes.keys(), "a stored node was written again"
        reads = self.nodes.reads
        for step in (1, 2):
            # What the writer knows of the values before saves reads and changes nothing.
            before = (
                {key: self.versions[-1].get(key) for key in list(changes)[::step]} if self.versions else {}
            )
            told = update(self.nodes, self.latest, changes, len(self.versions), before)
            assert (told.root, told.nodes, sorted(told.stale)) == (made.root, made.nodes, sorted(made.stale))
        self.nodes.reads = reads
        self.nodes.update(made.nodes)
        self.versions.append(entries)
        self.updates.append(made)
        return made

    def reachable(self, version: int) -> set[bytes]:
        """Return the keys of all nodes of a version's tree, found by walking it."""
        found: set[bytes] = set()
        pending = [root_key(version)]
        while pending:
            key = pending.pop()
            found.add(key)
            if self.nodes[key][0] == BRANCH:
                branch = Branch.decode(self.nodes[key])
                branch.hash()
                assert not branch.single[1], "a branch did not collapse"
                pending += _children(key, branch)
        return found

    def leaves(self, version: int) -> dict[bytes, bytes]:
        """Return path -> value hash of all leaves of a version."""
        stored = (self.nodes[key] for key in self.reachable(version))
        return dict(decode_leaf(data)[:2] for data in stored if data[0] == LEAF)


def _children(key: bytes, branch: Branch) -> list[bytes]:
    depth, place = key[8], key[9:]
    children = []
    for nibble in range(RADIX):
        if branch.child(nibble):
            packed = place[:-1] + bytes([place[-1] | nibble]) if depth % 2 else place + bytes([nibble << 4])
            children.append(branch.versions[nibble].to_bytes(8, "big") + bytes([depth + 1]) + packed)
    return children
