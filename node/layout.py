"""Where a node keeps what below its base path."""

from __future__ import annotations

from pathlib import Path


def database_folder(base_path: Path) -> Path:
    """LevelDB: the chain's blocks and state."""
    return base_path / "db"


def partial_database_folder(base_path: Path) -> Path:
    """The database while it is made from a checkpoint (node/storage/importing.py)."""
    return base_path / "db.partial"


def genesis_note_file(base_path: Path) -> Path:
    """Which block 0 the chain spec gives (node/known_genesis.py)."""
    return base_path / "genesis"


def consensus_log_file(base_path: Path) -> Path:
    """What this validator signed and must not contradict (node/consensus/log.py)."""
    return base_path / "consensus" / "log"


def blobs_folder(base_path: Path) -> Path:
    """Weights and test records (node/blobs.py)."""
    return base_path / "blobs"


def worker_folder(base_path: Path) -> Path:
    """The training process's private files."""
    return base_path / "worker"


def worker_token_file(base_path: Path) -> Path:
    """What the worker shows to use the node's unsafe methods: new at every start, mode 0600."""
    return base_path / "worker" / "token"


def node_key_file(base_path: Path) -> Path:
    """The seed of the node's network identity."""
    return base_path / "network" / "node_key"
