"""Checks of what lies on the disk: the base path, the database, the log of votes, the keys."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import cast

from node.cli.secrets import keystore_of, read_password
from node.consensus.log import ABSTAINS, OLDER_ALONE, inspect, without_log
from node.doctor.findings import Finding, ok, problem, warning
from node.doctor.subject import Subject
from node.errors import PoclError
from node.keystore import load_or_create_node_key
from node.layout import consensus_log_file, database_folder, node_key_file
from node.status.facts import folder_bytes, measure_disk
from node.status.sentence import DISK_FULL, DISK_LOW, size
from node.storage.database import Database
from pallets.assembly import RUNTIME
from pallets.validators import Validators
from pocl.keys import Keypair, ss58_decode, ss58_encode

SYNC_HINT = "remove the folder and let the node sync, or restore a copy"


def check_disk(subject: Subject) -> Iterator[Finding]:
    """The base path can be written, and there is room."""
    place = subject.base_path
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        yield problem("disk", f"{place} is no folder", "give the node another --base-path")
        return
    if not os.access(place, os.W_OK | os.X_OK):
        yield problem("disk", f"{place} cannot be written", "run the node as its owner, or change the owner")
        return
    disk = measure_disk(place)
    if disk is None:
        yield warning("disk", f"{place}: the free space cannot be read")
        return
    database = folder_bytes(database_folder(subject.base_path))
    text = f"{size(disk.free)} free at {subject.base_path}, database {size(database)}"
    if disk.free < DISK_FULL:
        yield problem("disk", text, "make room: a node that cannot write stops")
    elif disk.free < DISK_LOW:
        yield warning("disk", text, "make room")
    else:
        yield ok("disk", text)


def check_database(subject: Subject) -> Iterator[Finding]:
    """It opens, is this chain's and this version's, and its last final block is whole."""
    subject.validators = subject.spec.genesis.validators
    subject.place = (1, 0)
    folder = database_folder(subject.base_path)
    running = subject.running
    if running is not None:
        subject.validators = tuple(validator.account for validator in running.status.validators)
        subject.place = None
        yield ok("database", f"in use by the running node, at final block {running.status.final_number}")
        return
    try:
        files = [entry.suffix for entry in folder.iterdir()] if folder.is_dir() else []
        owner = folder.stat().st_uid if files else os.geteuid()
    except OSError as error:
        yield problem("database", f"{folder}: {error.strerror}", "run the node as the folder's owner")
        return
    if not ({".ldb", ".sst", ".log"} & set(files) or (folder / "CURRENT").exists()):
        yield ok("database", f"none yet at {folder}: the node makes one and syncs")
        return
    if owner != os.geteuid():
        # LevelDB writes when it opens: files of another user's would keep the node out.
        subject.place = None
        yield warning("database", f"{folder} belongs to user {owner}: not opened", "run this as that user")
        return
    yield _open_database(subject, folder)


def _open_database(subject: Subject, folder: Path) -> Finding:
    subject.place = None
    try:
        database = Database.open(folder, subject.genesis_hash)
    except PoclError as error:
        if "another node uses this database" not in str(error):
            return problem("database", str(error))
        where = f"{subject.options.rpc_host}:{subject.options.rpc_port}"
        return problem(
            "database",
            f"{folder} is used by a process, and no node of this base path answers on {where}",
            "give the running node's --rpc-port, or stop the process",
        )
    try:
        return _read_database(subject, database)
    except (PoclError, ValueError) as error:
        return problem("database", f"{folder} is damaged: {error}", SYNC_HINT)
    finally:
        database.close()


def _read_database(subject: Subject, database: Database) -> Finding:
    if database.empty:
        subject.place = (1, 0)
        return ok("database", f"{database.path} is empty: the node starts from genesis")
    number, _ = database.final()
    header, justification = database.header(number), database.justification(number)
    if header is None or (justification is None and number > 0):
        return problem("database", f"final block {number} is not whole", SYNC_HINT)
    validators = cast(Validators, RUNTIME.bind(database.state(), header)[Validators.name])
    subject.validators = tuple(validators.members())
    if header.HasField("next_epoch"):
        subject.place = (header.next_epoch.epoch, 0)
    else:
        subject.place = (header.epoch, justification.certificate.view if justification is not None else 0)
    if number == 0:
        return ok("database", f"{database.path} opens, at genesis")
    subject.final_ms = header.timestamp_ms
    when = f"{datetime.fromtimestamp(header.timestamp_ms / 1000):%Y-%m-%d %H:%M:%S}"
    return ok("database", f"{database.path} opens: final block {number} of {when}, epoch {header.epoch}")


def check_keys(subject: Subject) -> Iterator[Finding]:
    """The network key and the validator's key can be read by their owner alone, and the account is a validator."""
    file = node_key_file(subject.base_path)
    try:
        if file.exists():
            load_or_create_node_key(file)
            yield ok("network key", f"{file} is readable by its owner alone")
        else:
            yield ok("network key", f"none yet at {file}: the node makes one")
    except (PoclError, OSError) as error:
        yield problem("network key", str(error))
    if not subject.is_validator:
        yield ok("key", "none given: a full node")
        return
    try:
        subject.account, how = _account(subject)
    except PoclError as error:
        yield problem("key", str(error))
        return
    who = ss58_encode(subject.account)
    if subject.account not in subject.validators and subject.account not in subject.spec.genesis.validators:
        yield problem(
            "key",
            f"{who} is not in the validator set of {subject.spec.id}",
            "use a validator's key, or run a full node",
        )
    elif subject.account not in subject.validators:
        yield warning("key", f"{who} is not in the validator set any more ({how})")
    else:
        yield ok("key", f"{who} is one of {len(subject.validators)} validators ({how})")


def _account(subject: Subject) -> tuple[bytes, str]:
    """Return the validator's account and how far its key was looked at. Raise PoclError."""
    options = subject.options
    if options.dev_key is not None and options.key is not None:
        raise PoclError(f"--key {options.key} and {options.dev_key} are two keys: give one of them")
    if options.dev_key is not None:
        if subject.spec.chain_type == "live":
            raise PoclError(
                f"chain {subject.spec.id} is live: development keys belong to everybody, use --key"
            )
        return Keypair.from_uri(options.dev_key).public, f"development key {options.dev_key}"
    if options.key is None:
        raise PoclError("--validator needs a key: give --key NAME, or --alice and the like on a local chain")
    keystore = keystore_of(subject.base_path)
    known = dict(keystore.list())
    if options.key not in known:
        names = ", ".join(known) or "none yet"
        raise PoclError(
            f"{keystore.path}: there is no key {options.key!r} (keys: {names}): pocl key insert makes one"
        )
    if options.password_file is None:
        return ss58_decode(known[options.key]), "not decrypted: --password-file would"
    key = keystore.load(options.key, read_password(options.password_file))
    return key.public, "decrypted"


def check_votes(subject: Subject) -> Iterator[Finding]:
    """A validator's log of what it signed is whole and its own, and whether it votes with it and the database."""
    if subject.account is None:
        return
    file = consensus_log_file(subject.base_path)
    validators = len(subject.validators)
    # The others go on without one that is not in the set.
    lost = without_log(validators) if subject.account in subject.validators else ABSTAINS
    if not file.exists():
        if subject.place is None or subject.place > (1, 0):
            yield warning(
                "votes",
                f"there is no {file}: what this validator voted before is not known, and {lost}",
                f"{'wait' if lost == ABSTAINS else 'begin a new chain with the state of this one'}; never restore a "
                "log from a backup, which lacks the newest votes",
            )
        else:
            yield ok(
                "votes",
                f"no log yet at {file}: a new validator of a new chain votes at once; where blocks are final "
                f"already, {lost}",
            )
        return
    try:
        head = inspect(file, subject.genesis_hash, subject.account)
    except PoclError as error:
        yield problem("votes", str(error))
        return
    if subject.running is None and subject.place is not None and subject.place < head.dropped:
        text = (
            f"{file} is newer (epoch {head.dropped[0]}, view {head.dropped[1]}) than the database "
            f"(epoch {subject.place[0]}, view {subject.place[1]})"
        )
        if validators > 1:
            yield warning(
                "votes", text, "start the node: sync brings the database back, and then it votes again"
            )
        else:
            yield problem("votes", text, OLDER_ALONE)
    elif subject.place is not None and head.abstain_until > subject.place[0]:
        yield warning("votes", f"{file}: this validator abstains until epoch {head.abstain_until}")
    else:
        yield ok("votes", f"{file} is whole")
