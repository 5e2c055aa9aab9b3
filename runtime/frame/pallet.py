"""Pallets: what a runtime is built from.

A pallet is a class with a name, storage items, events, errors, calls and hooks. It is bound to an execution
environment (state, header, event sink) for the length of a block or a query; it holds no state of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, overload

from google.protobuf.message import Message as ProtoMessage

from pocl.v1.block_pb2 import Header
from runtime.frame.codecs import Codec
from runtime.frame.errors import DispatchError
from runtime.frame.storage import StorageItem
from runtime.state import Overlay

P = TypeVar("P", bound="Pallet")
F = TypeVar("F", bound=Callable[..., None])

Weigh = Callable[[Any], int]
"""Returns what a call weighs by its arguments, which nobody has checked yet."""

NORMAL = "normal"
OPERATIONAL = "operational"


@dataclass(frozen=True, slots=True)
class Origin:
    """Who dispatched a call: the signer, and the round the call names when it is operational."""

    signer: bytes
    round: int | None = None


@dataclass(frozen=True, slots=True)
class CallInfo:
    """A dispatchable function of a pallet. `kind` names an operational call in its uniqueness key."""

    name: str
    args: type[ProtoMessage]
    weigh: Weigh
    class_: str
    kind: str
    doc: str

    @property
    def weight(self) -> int:
        """What it weighs without arguments: always, unless its weight grows with them."""
        return self.weigh(self.args())


@dataclass(slots=True)
class Env:
    """What a bound pallet can see: the state, the header of the block, and where events go."""

    state: Overlay
    header: Header
    genesis_hash: bytes
    pallets: dict[str, Pallet]
    emit: Callable[[str, str, bytes], None]


def call(
    args: type[ProtoMessage], *, weight: int | Weigh, class_: str = NORMAL, kind: str = ""
) -> Callable[[F], F]:
    """Declare a method a dispatchable function: `def name(self, origin: Origin, args: <args>) -> None`.

    Its weight is a constant or a function of the pallet's generated `weights`, the latter of sizes of arguments.
    """
    if class_ not in (NORMAL, OPERATIONAL):
        raise TypeError(f"call class is {class_!r}: it may be {NORMAL!r} or {OPERATIONAL!r}")
    if class_ == OPERATIONAL and not kind:
        raise TypeError("an operational call needs a kind")

    weigh: Weigh = weight if callable(weight) else lambda args: weight

    def decorate(function: F) -> F:
        info = CallInfo(function.__name__, args, weigh, class_, kind, (function.__doc__ or "").strip())
        function._call_info = info  # type: ignore[attr-defined]
        return function

    return decorate


class Pallet:
    """Base of every pallet; see the module's text. The hooks do nothing unless overridden."""

    name: ClassVar[str]
    errors: ClassVar[tuple[type[DispatchError], ...]] = ()
    events: ClassVar[Mapping[type[ProtoMessage], str]] = {}
    """What the pallet may emit, each with its documentation: the messages nested in its event message."""
    constants: ClassVar[Mapping[str, tuple[Codec[Any], Any, str]]] = {}
    """Codec, value and documentation by name."""

    # Filled in from the class body.
    call_infos: ClassVar[dict[str, CallInfo]] = {}
    storage_items: ClassVar[dict[str, StorageItem]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.call_infos = {
            name: member._call_info for name, member in vars(cls).items() if hasattr(member, "_call_info")
        }
        cls.storage_items = {name: item for name, item in vars(cls).items() if isinstance(item, StorageItem)}
        for error in cls.errors:
            error.pallet = cls.name

    def __init__(self, env: Env) -> None:
        self.env = env

    @overload
    def pallet(self, which: type[P]) -> P: ...
    @overload
    def pallet(self, which: str) -> Any: ...
    def pallet(self, which: type[P] | str) -> Any:
        """Return another pallet bound to the same environment, by class or by name."""
        return self.env.pallets[which if isinstance(which, str) else which.name]

    def deposit(self, event: ProtoMessage) -> None:
        """Emit `event`, one of the declared ones. Raise TypeError for another: no client could read it."""
        if type(event) not in self.events:
            raise TypeError(f"pallet {self.name} does not declare the event {event.DESCRIPTOR.full_name}")
        self.env.emit(self.name, event.DESCRIPTOR.name, event.SerializeToString(deterministic=True))

    # Hooks, in the order in which a block runs them.

    def genesis(self, config: Mapping[str, Any]) -> None:
        """Write this pallet's part of the genesis state; raise GenesisError when `config` is off."""

    def on_runtime_upgrade(self, from_version: int) -> int:
        """Migrate storage when the runtime's version changed; return the weight used."""
        return 0

    def on_initialize(self) -> int:
        """Run before a block's extrinsics; return the weight used."""
        return 0

    def on_idle(self, remaining_weight: int) -> int:
        """Run after a block's extrinsics with the weight that is left; return the weight used."""
        return 0

    def on_finalize(self) -> None:
        """Run last in a block."""

    def try_state(self) -> None:
        """Raise AssertionError when this pallet's storage breaks one of its invariants."""
