"""What pallets are written with: storage items, calls, events, errors, hooks, metadata."""

from runtime.frame.codecs import U32, U64, U128, AccountId, Bool, Bytes, Codec, Hash, Message, Repeated
from runtime.frame.errors import DispatchError, GenesisError, InvalidBlock, InvalidTransaction, RuntimeFault
from runtime.frame.pallet import NORMAL, OPERATIONAL, CallInfo, Env, Origin, Pallet, call
from runtime.frame.storage import MapAccess, StorageDoubleMap, StorageItem, StorageMap, StorageValue

__all__ = [
    "NORMAL",
    "OPERATIONAL",
    "U32",
    "U64",
    "U128",
    "AccountId",
    "Bool",
    "Bytes",
    "CallInfo",
    "Codec",
    "DispatchError",
    "Env",
    "GenesisError",
    "Hash",
    "InvalidBlock",
    "InvalidTransaction",
    "MapAccess",
    "Message",
    "Origin",
    "Pallet",
    "Repeated",
    "RuntimeFault",
    "StorageDoubleMap",
    "StorageItem",
    "StorageMap",
    "StorageValue",
    "call",
]
