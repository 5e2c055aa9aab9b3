"""A genesis state given key by key: how it stands in a chain spec.

`raw_genesis` is an object of hexadecimal keys and values, as in Substrate's raw chain specs. It is the whole state;
the sections `genesis` and `learning` beside it are for readers, and must say what it says (node/genesis.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from node.json_fields import Fields, shown

_HEX = re.compile(r"0x([0-9a-f]{2})*")
FIELD = "raw_genesis"


def raw_to_dict(entries: Mapping[bytes, bytes]) -> dict[str, str]:
    """Return the entries as their JSON object, in the order of the keys."""
    return {"0x" + key.hex(): "0x" + entries[key].hex() for key in sorted(entries)}


def read_raw(fields: Fields) -> Mapping[bytes, bytes] | None:
    """Return the entries of a chain spec, None when it has none. Raise ChainSpecError for what is no hexadecimal."""
    if FIELD not in fields.values:
        return None
    section = fields.section(FIELD)
    entries = {}
    for key, value in section.values.items():
        if not _HEX.fullmatch(key) or key == "0x":
            raise section.error(shown(key), "is no key: it must be 0x and lower-case hexadecimal digits")
        if not isinstance(value, str) or not _HEX.fullmatch(value):
            raise section.error(
                key[:80], f"is {shown(value)}: it must be 0x and lower-case hexadecimal digits"
            )
        entries[bytes.fromhex(key[2:])] = bytes.fromhex(value[2:])
    return entries
