"""Metadata, derived from the pallets' declarations."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from pocl.v1 import metadata_pb2 as pb
from runtime.frame.codecs import Message
from runtime.frame.pallet import Pallet
from runtime.frame.storage import StorageItem


def build(pallets: Sequence[type[Pallet]], spec_version: int, transaction_version: int) -> pb.Metadata:
    """Return the metadata of a runtime made of `pallets`."""
    descriptors: list[Any] = []
    described = [_pallet(pallet, descriptors) for pallet in pallets]
    return pb.Metadata(
        spec_version=spec_version,
        transaction_version=transaction_version,
        pallets=described,
        file_descriptor_set=_file_set(descriptors).SerializeToString(deterministic=True),
    )


def _pallet(pallet: type[Pallet], descriptors: list[Any]) -> pb.PalletMetadata:
    calls = []
    for info in pallet.call_infos.values():
        descriptors.append(info.args.DESCRIPTOR)
        calls.append(
            pb.CallMetadata(
                name=info.name,
                doc=inspect.cleandoc(info.doc),
                args=info.args.DESCRIPTOR.full_name,
                weight=info.weight,
                **{"class": info.class_},
            )
        )
    events = []
    for event, doc in pallet.events.items():
        descriptors.append(event.DESCRIPTOR)
        events.append(
            pb.EventMetadata(name=event.DESCRIPTOR.name, doc=doc, message=event.DESCRIPTOR.full_name)
        )
    return pb.PalletMetadata(
        name=pallet.name,
        doc=inspect.getdoc(pallet) or "",
        calls=calls,
        storage=[_storage(item, descriptors) for item in pallet.storage_items.values()],
        events=events,
        errors=[
            pb.ErrorMetadata(name=error.__name__, doc=inspect.getdoc(error) or "") for error in pallet.errors
        ],
        constants=[
            pb.ConstantMetadata(name=name, doc=doc, type=codec.name, value=codec.encode(value))
            for name, (codec, value, doc) in pallet.constants.items()
        ],
    )


def _storage(item: StorageItem, descriptors: list[Any]) -> pb.StorageMetadata:
    if isinstance(item.value, Message):
        descriptors.append(item.value.cls.DESCRIPTOR)
    return pb.StorageMetadata(
        name=item.name,
        doc=item.doc,
        prefix=item.prefix,
        keys=[key.name for key in item.keys],
        value=item.value.name,
        default=b"" if item.default is None else item.value.encode(item.default),
        has_default=item.default is not None,
    )


def _file_set(descriptors: Iterable[Any]) -> FileDescriptorSet:
    """Return the files of `descriptors` and all they import, each after what it needs."""
    files = FileDescriptorSet()
    seen: set[str] = set()

    def add(file: Any) -> None:
        if file.name in seen:
            return
        seen.add(file.name)
        for dependency in file.dependencies:
            add(dependency)
        file.CopyToProto(files.file.add())

    for descriptor in descriptors:
        add(descriptor.file)
    return files
