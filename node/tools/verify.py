"""Walking a whole database: every problem is one line.

Blocks: the headers link, from the oldest one that must be here to the last one; number and hash name each other; a
body that is kept has the extrinsics and events of its header's roots, and its extrinsics are found by their hashes;
a justification is valid under its epoch's validators, and none is missing. Nothing is here of a block that is
pruned. States: node/tools/verify_state.py.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence

from google.protobuf.message import DecodeError

from node.storage import schema
from node.storage.database import Database
from node.storage.errors import StorageError
from node.tools.verify_state import verify_states
from pocl import keys
from pocl.extrinsics import extrinsic_hash
from pocl.v1.block_pb2 import Block, Header
from runtime.blocks import events_root, extrinsics_root, header_hash
from runtime.certificates import CertificateError, Verify, verify_justification

Progress = Callable[[str, int, int], object]
"""Told of a step: its name, how much of it is done, and of how much."""


def verify(
    database: Database, progress: Progress = lambda step, done, total: None, verify: Verify = keys.verify
) -> Iterator[str]:
    """Yield the problems of a database that nobody writes to; a disk that cannot be read ends it with one."""
    try:
        yield from _Blocks(database, verify).problems(progress)
        yield from verify_states(database, progress)
    except StorageError as error:
        yield str(error)
    except (DecodeError, ValueError, IndexError, struct.error) as error:
        yield f"{database.path}: an entry is not what its key says, and the rest was not looked at: {error}"


class _Blocks:
    def __init__(self, database: Database, verify: Verify) -> None:
        self._database = database
        self._verify = verify
        self._final, self._final_hash = database.final()
        begun = database.get(schema.META_CHECKPOINT)
        self._begun = schema.number_of(begun[: schema.U64]) if begun else 0
        self._oldest_header = schema.number_of(database.get(schema.META_OLDEST_HEADER) or schema.u64(1))
        self._oldest_body = database.oldest_body
        self._sets: dict[int, Sequence[bytes]] = {}

    def problems(self, progress: Progress) -> Iterator[str]:
        """Yield what is wrong with blocks."""
        parent: Header | None = None
        extrinsics = 0
        for number in range(self._final + 1):
            header = self._database.header(number)
            if header is None:
                yield from self._missing(number)
            else:
                yield from self._header(number, header, parent)
                yield from self._justification(number, header)
            count, faults = self._body(number, header)
            extrinsics += count
            yield from faults
            parent = header
            progress("blocks", number + 1, self._final + 1)
        yield from self._strays(extrinsics)

    def _missing(self, number: int) -> Iterator[str]:
        # A checkpoint's database begins with the headers of its epoch.
        if number == 0 or number >= max(self._oldest_header, self._begun):
            yield f"block {number}: its header is missing"

    def _header(self, number: int, header: Header, parent: Header | None) -> Iterator[str]:
        hash = header_hash(header)
        if header.number != number:
            yield f"block {number}: its header has number {header.number}"
        if self._database.hash(number) != hash:
            yield f"block {number}: its hash is not its header's"
        if self._database.number(hash) != number:
            yield f"block {number}: is not found by its hash 0x{hash.hex()}"
        if parent is not None and header.parent_hash != header_hash(parent):
            yield f"block {number}: is no child of block {number - 1}"
        if number == 0 and hash != self._database.genesis_hash:
            yield "block 0: is not the genesis block of this chain"
        if number == self._final and hash != self._final_hash:
            yield f"block {number}: is not the last final block that is noted"
        if number < self._oldest_header and number > 0 and not header.HasField("next_epoch"):
            yield f"block {number}: its header should be pruned"
        if header.HasField("next_epoch"):
            opened = header.next_epoch.epoch
            if self._sets and opened - 1 not in self._sets and number > self._begun:
                yield f"block {number}: closes epoch {opened - 1}, and the block that opened that is missing"
            self._sets[opened] = list(header.next_epoch.validators)

    def _justification(self, number: int, header: Header) -> Iterator[str]:
        if number < max(1, self._begun):
            return
        try:
            justification = self._database.justification(number)
        except StorageError:
            justification = None
        validators = self._sets.get(header.epoch)
        if justification is None:
            yield f"block {number}: why it is final is missing"
        elif validators is None:
            yield f"block {number}: the validators of epoch {header.epoch} are not known"
        else:
            try:
                verify_justification(
                    header, justification, validators, self._database.genesis_hash, verify=self._verify
                )
            except CertificateError as error:
                yield f"block {number}: {error}"

    def _body(self, number: int, header: Header | None) -> tuple[int, list[str]]:
        """Return how many extrinsics a block has, and what is wrong with them."""
        key, database = schema.u64(number), self._database
        body, events = database.get(schema.BODY + key), database.events(number)
        if number < self._oldest_body:
            if body is None and events is None:
                return 0, []
            return 0, [f"block {number}: its body should be pruned: the oldest kept is {self._oldest_body}"]
        if body is None or events is None or header is None:
            return 0, [f"block {number}: its body is missing"] if header is not None else []
        extrinsics = list(Block.FromString(body).extrinsics)
        faults = []
        if extrinsics_root(extrinsics) != header.extrinsics_root:
            faults.append(f"block {number}: its extrinsics are not those of its header")
        if events_root(events) != header.events_root:
            faults.append(f"block {number}: its events are not those of its header")
        for index, data in enumerate(extrinsics):
            location = database.extrinsic_location(extrinsic_hash(data))
            if location is None or (location != (number, index) and location[0] <= number):
                faults.append(f"block {number}: extrinsic {index} is not found by its hash")
        return len(extrinsics), faults

    def _strays(self, extrinsics: int) -> Iterator[str]:
        """Yield what names no block that is here."""
        for prefix in (schema.HEADER, schema.BODY, schema.EVENTS, schema.JUSTIFICATION, schema.HASH):
            with self._database.iterate(
                prefix + schema.u64(self._final + 1), schema.end_of(prefix)
            ) as entries:
                for key, _ in entries:
                    yield f"entry 0x{key.hex()}: is of a block above the last final one"
        for prefix, what in ((schema.HASH, "hash"), (schema.JUSTIFICATION, "justification")):
            with self._database.iterate(prefix, prefix + schema.u64(self._final + 1)) as entries:
                for key, _ in entries:
                    if self._database.header(schema.number_of(key[1:])) is None:
                        yield f"block {schema.number_of(key[1:])}: has a {what} and no header"
        with self._database.iterate(schema.NUMBER, schema.end_of(schema.NUMBER)) as entries:
            for key, data in entries:
                if self._database.hash(schema.number_of(data)) != key[1:]:
                    yield f"block hash 0x{key[1:].hex()}: is none of block {schema.number_of(data)}"
        with self._database.iterate(schema.EXTRINSIC, schema.end_of(schema.EXTRINSIC)) as entries:
            for key, data in entries:
                number, index = schema.read_location(data)
                block = self._database.block(number)
                if block is None or index >= len(block.extrinsics):
                    yield f"extrinsic 0x{key[1:].hex()}: block {number} does not have it"
