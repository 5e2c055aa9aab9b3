"""Storage items, declared on a pallet class and used on a bound pallet.

    class Coin(Pallet):
        TotalIssuance = StorageValue(U128, default=0, doc="...")
        Account = StorageMap(AccountId, Message(AccountInfo), doc="...")

On a pallet bound to a state `self.TotalIssuance` is an accessor: `get`, `put`, ... An item's key is
`<pallet>.<item>:` followed by the encoded key parts, which have fixed sizes.

The types are those of the codecs. An absent entry of an item without default is None all the same: where it may be
absent, say so (`found: AccountInfo | None = self.Account.get(who)`) or ask first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from runtime.frame.codecs import Codec

if TYPE_CHECKING:
    from runtime.frame.pallet import Pallet
    from runtime.state import Overlay

K = TypeVar("K")
K2 = TypeVar("K2")
V = TypeVar("V")


class StorageItem:
    """What the three kinds of declaration share, and what the metadata lists."""

    def __init__(self, keys: tuple[Codec[Any], ...], value: Codec[Any], default: Any, doc: str) -> None:
        for key in keys:
            if key.size is None:
                raise TypeError(f"a storage key part needs a fixed size, {key.name} has none")
        self.keys = keys
        self.value = value
        self.default = default
        self.doc = doc
        self.pallet = ""
        self.name = ""
        self.prefix = b""

    def __set_name__(self, owner: type[Pallet], name: str) -> None:
        self.pallet = owner.name
        self.name = name
        self.prefix = f"{owner.name}.{name}:".encode()


class ValueAccess(Generic[V]):
    """A single value in a bound state."""

    def __init__(self, item: StorageItem, state: Overlay) -> None:
        self.item = item
        self.state = state
        self.key = item.prefix
        self._default: V = item.default
        self._decode: Callable[[bytes], V] = item.value.decode
        self._encode = item.value.encode

    def get(self) -> V:
        """Return the value, or the declared default when it was never put."""
        data = self.state.get(self.key)
        return self._default if data is None else self._decode(data)

    def put(self, value: V) -> None:
        """Set the value."""
        self.state.put(self.key, self._encode(value))

    def exists(self) -> bool:
        """Return whether the value was put."""
        return self.state.get(self.key) is not None

    def kill(self) -> None:
        """Remove the value."""
        self.state.delete(self.key)


class MapAccess(Generic[K, V]):
    """A map in a bound state."""

    def __init__(self, item: StorageItem, state: Overlay) -> None:
        self.item = item
        self.state = state
        self.prefix = item.prefix
        self._key = item.keys[0].encode
        self._default: V = item.default
        self._decode: Callable[[bytes], V] = item.value.decode
        self._encode = item.value.encode

    def get(self, key: K) -> V:
        """Return the value under `key`, or the declared default."""
        data = self.state.get(self.prefix + self._key(key))
        return self._default if data is None else self._decode(data)

    def put(self, key: K, value: V) -> None:
        """Set the value under `key`."""
        self.state.put(self.prefix + self._key(key), self._encode(value))

    def append(self, key: K, value: V) -> None:
        """Add what `value` holds to the value under `key`, which is not decoded (codecs.Repeated)."""
        if not self.item.value.appendable:
            raise TypeError(
                f"{self.item.pallet}.{self.item.name} holds {self.item.value.name}: nothing can be appended"
            )
        full = self.prefix + self._key(key)
        self.state.put(full, (self.state.get(full) or b"") + self._encode(value))

    def remove(self, key: K) -> None:
        """Remove the entry under `key`, if any."""
        self.state.delete(self.prefix + self._key(key))

    def __contains__(self, key: K) -> bool:
        return self.state.get(self.prefix + self._key(key)) is not None

    def items(self) -> Iterator[tuple[K, V]]:
        """Yield (key, value) in the order of the encoded keys."""
        start = len(self.prefix)
        for key, value in self.state.iterate(self.prefix):
            yield self.item.keys[0].decode(key[start:]), self._decode(value)


class DoubleMapAccess(Generic[K, K2, V]):
    """A map under two keys in a bound state."""

    def __init__(self, item: StorageItem, state: Overlay) -> None:
        self.item = item
        self.state = state
        self.prefix = item.prefix
        self._first, self._second = item.keys[0].encode, item.keys[1].encode
        self._default: V = item.default
        self._decode: Callable[[bytes], V] = item.value.decode
        self._encode = item.value.encode

    def _key(self, first: K, second: K2) -> bytes:
        return self.prefix + self._first(first) + self._second(second)

    def get(self, first: K, second: K2) -> V:
        """Return the value under both keys, or the declared default."""
        data = self.state.get(self._key(first, second))
        return self._default if data is None else self._decode(data)

    def put(self, first: K, second: K2, value: V) -> None:
        """Set the value under both keys."""
        self.state.put(self._key(first, second), self._encode(value))

    def remove(self, first: K, second: K2) -> None:
        """Remove the entry under both keys, if any."""
        self.state.delete(self._key(first, second))

    def contains(self, first: K, second: K2) -> bool:
        """Return whether there is an entry under both keys."""
        return self.state.get(self._key(first, second)) is not None

    def items(self, first: K) -> Iterator[tuple[K2, V]]:
        """Yield (second key, value) under `first`, in the order of the encoded keys."""
        prefix = self.prefix + self._first(first)
        for key, value in self.state.iterate(prefix):
            yield self.item.keys[1].decode(key[len(prefix) :]), self._decode(value)

    def clear(self, first: K) -> None:
        """Remove every entry under `first`."""
        for key, _ in list(self.state.iterate(self.prefix + self._first(first))):
            self.state.delete(key)


class StorageValue(StorageItem, Generic[V]):
    """Declares a single value."""

    def __init__(self, value: Codec[V], *, default: V | None = None, doc: str = "") -> None:
        super().__init__((), value, default, doc)

    @overload
    def __get__(self, pallet: None, owner: Any = None) -> StorageValue[V]: ...
    @overload
    def __get__(self, pallet: Pallet, owner: Any = None) -> ValueAccess[V]: ...
    def __get__(self, pallet: Pallet | None, owner: Any = None) -> Any:
        if pallet is None:
            return self
        access: ValueAccess[V] = ValueAccess(self, pallet.env.state)
        pallet.__dict__[self.name] = access  # found first from now on: this descriptor defines no __set__
        return access


class StorageMap(StorageItem, Generic[K, V]):
    """Declares a map."""

    def __init__(self, key: Codec[K], value: Codec[V], *, default: V | None = None, doc: str = "") -> None:
        super().__init__((key,), value, default, doc)

    @overload
    def __get__(self, pallet: None, owner: Any = None) -> StorageMap[K, V]: ...
    @overload
    def __get__(self, pallet: Pallet, owner: Any = None) -> MapAccess[K, V]: ...
    def __get__(self, pallet: Pallet | None, owner: Any = None) -> Any:
        if pallet is None:
            return self
        access: MapAccess[K, V] = MapAccess(self, pallet.env.state)
        pallet.__dict__[self.name] = access
        return access


class StorageDoubleMap(StorageItem, Generic[K, K2, V]):
    """Declares a map under two keys; entries of one first key can be listed and cleared together."""

    def __init__(
        self, first: Codec[K], second: Codec[K2], value: Codec[V], *, default: V | None = None, doc: str = ""
    ) -> None:
        super().__init__((first, second), value, default, doc)

    @overload
    def __get__(self, pallet: None, owner: Any = None) -> StorageDoubleMap[K, K2, V]: ...
    @overload
    def __get__(self, pallet: Pallet, owner: Any = None) -> DoubleMapAccess[K, K2, V]: ...
    def __get__(self, pallet: Pallet | None, owner: Any = None) -> Any:
        if pallet is None:
            return self
        access: DoubleMapAccess[K, K2, V] = DoubleMapAccess(self, pallet.env.state)
        pallet.__dict__[self.name] = access
        return access
