"""The runtime's metadata: complete, documented, and enough for a client that has nothing else."""

from __future__ import annotations

import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from pallets.assembly import RUNTIME
from pallets.system import System
from pocl.v1.round_pb2 import RoundEvent
from runtime.frame import Pallet
from tests.pallets.harness import LEDGER, TestChain

METADATA = RUNTIME.metadata()


def described() -> descriptor_pool.DescriptorPool:
    """Return the messages that the metadata carries, and no others."""
    pool = descriptor_pool.DescriptorPool()
    for file in FileDescriptorSet.FromString(METADATA.file_descriptor_set).file:
        pool.Add(file)
    return pool


@pytest.mark.parametrize("pallet", METADATA.pallets, ids=lambda pallet: pallet.name)
def test_everything_is_documented(pallet):
    parts = [*pallet.calls, *pallet.storage, *pallet.events, *pallet.errors, *pallet.constants]
    assert [part.name for part in parts if not part.doc.strip()] == []
    assert pallet.doc


@pytest.mark.parametrize("pallet", RUNTIME.pallets, ids=lambda pallet: pallet.name)
def test_every_event_of_the_wire_types_is_declared(pallet):
    declared = [event.DESCRIPTOR for event in pallet.events]
    for holder in {event.containing_type for event in declared}:
        assert {event.name for event in declared} == {event.name for event in holder.nested_types}


def test_every_named_message_is_described():
    pool = described()
    names = [event.message for pallet in METADATA.pallets for event in pallet.events]
    names += [call.args for pallet in METADATA.pallets for call in pallet.calls]
    names += [item.value for pallet in METADATA.pallets for item in pallet.storage if "." in item.value]
    assert len(names) > 40
    for name in names:
        pool.FindMessageTypeByName(name)


def test_an_event_that_is_not_declared_cannot_be_emitted():
    class Silent(Pallet):
        """Declares no events."""

        name = "silent"

    silent = Silent(TestChain(pallets=LEDGER).pallet(System).env)
    with pytest.raises(TypeError, match="does not declare"):
        silent.deposit(RoundEvent.RoundVoid(round=1))
