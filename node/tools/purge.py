"""Removing a chain's data, so that the node syncs it anew.

Database and blobs go. Keys (keystore/, network/) and the worker's private files stay, and so does the consensus log:
with it the validator votes again once sync has brought the database back to where the log was cut; without it the
validator would abstain for epochs, for it may have voted (node/consensus/log.py).
"""

from __future__ import annotations

import shutil
from pathlib import Path

from node import layout
from node.chain_spec import ChainSpec
from node.errors import ConfigError, NodeStartError
from node.storage.database import Database
from node.storage.errors import StorageError
from node.tools.revert import FORGET


def purged_paths(base_path: Path, *, forget: bool) -> list[Path]:
    """Return what a purge of this base path removes; `forget`: the consensus log too."""
    paths = [
        layout.database_folder(base_path),
        layout.partial_database_folder(base_path),
        layout.blobs_folder(base_path),
        layout.genesis_note_file(base_path),
    ]
    if forget:
        paths.append(layout.consensus_log_file(base_path))
    return [path for path in paths if path.exists()]


def check_purge(spec: ChainSpec, base_path: Path, genesis_hash: bytes, *, forget: bool) -> None:
    """Raise ConfigError or NodeStartError where the data must not be removed: in use, or of another chain."""
    alone = spec.chain_type == "development" and len(spec.genesis.validators) == 1
    log_file = layout.consensus_log_file(base_path)
    if forget:
        if spec.chain_type == "live":
            raise ConfigError(
                f"{FORGET} is for test chains, which begin anew: chain {spec.id} is live, and a validator without its "
                "log abstains for some epochs"
            )
    elif alone and log_file.exists():
        raise ConfigError(
            f"{log_file}: this is the only validator: nobody could give it back the blocks that it signed. To begin "
            f"this development chain anew, its votes forgotten: {FORGET}"
        )
    folder = layout.database_folder(base_path)
    if not folder.is_dir():
        return
    try:
        Database.open(folder, genesis_hash).close()
    except (NodeStartError, StorageError) as error:
        # What is damaged may go: that is what the command is for.
        if "is damaged" not in str(error) and "has layout" not in str(error):
            raise


def purge(paths: list[Path]) -> None:
    """Remove these files and folders. Raise OSError when the disk refuses."""
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
