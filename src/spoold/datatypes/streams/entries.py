"""An entry as it is stored.

entry    node 4, fields
fields   how many strings 1, the length 1 of each, the strings: field, value, field, value …
         where there are more than 255 or a longer one: 0, how many 4, the length 4 of each, the strings
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

_NODE_BYTES: Final = 4
_U32 = struct.Struct(">I")


def pack_entry(node: int, fields: Sequence[bytes]) -> bytes:
    """The stored form of an entry."""
    try:
        return _U32.pack(node) + bytes((len(fields), *map(len, fields))) + b"".join(fields)
    except ValueError:
        count = len(fields)
        return struct.pack(f">IBI{count}I", node, 0, count, *map(len, fields)) + b"".join(fields)


def unpack_node(stored: bytes) -> int:
    """The node in the stored form of an entry."""
    return int(_U32.unpack_from(stored)[0])


def unpack_fields(stored: bytes) -> list[bytes]:
    """The strings in the stored form of an entry."""
    count = stored[_NODE_BYTES]
    at = _NODE_BYTES + 1 + count
    lengths: Sequence[int] = stored[_NODE_BYTES + 1 : at]
    if not count:
        (count,) = _U32.unpack_from(stored, at)
        lengths = struct.unpack_from(f">{count}I", stored, at + 4)
        at += 4 + 4 * count
    fields = []
    for length in lengths:
        fields.append(stored[at : at + length])
        at += length
    return fields
