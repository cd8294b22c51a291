"""Order-preserving bytes: packed values compare as the things they stand for.

Every name, member and field passes through here on its way into an engine key, because engine keys are 1 to 511 bytes
and names are not. A long one is stored as its first bytes, then a 128-bit digest: always exactly one byte longer than
the longest that is stored as it is, so the two kinds can't be confused. Whoever stores a digest stores the full bytes
in the value, and decides equality on those.
"""

from __future__ import annotations

import struct
from hashlib import blake2b
from typing import Final

# 511 (LMDB) - 1 (kind) - 8 (database or object id) - 9 (an expiry or a score with its marker) - slack
PLAIN_BYTES: Final = 480
_DIGEST_BYTES: Final = 16
HEAD_BYTES: Final = PLAIN_BYTES + 1 - _DIGEST_BYTES

BIAS: Final = 1 << 63

_DOUBLE = struct.Struct(">d")
_U64 = struct.Struct(">Q")
_SIGN: Final = 1 << 63
_ALL: Final = (1 << 64) - 1


def is_long(name: bytes) -> bool:
    """Whether `name` is stored by digest, so that the value must hold the full bytes."""
    return len(name) > PLAIN_BYTES


def pack_name(name: bytes) -> bytes:
    """`name` itself, or the stand-in of a long one: its head and its digest.

    cost: O(1) for up to 480 bytes, else a hash of the whole.
    """
    if len(name) <= PLAIN_BYTES:
        return name
    return name[:HEAD_BYTES] + blake2b(name, digest_size=_DIGEST_BYTES).digest()


def pack_u64(number: int) -> bytes:
    """Eight big-endian bytes; 0 to 2**64 - 1."""
    return number.to_bytes(8, "big")


def unpack_u64(data: bytes) -> int:
    """The number that `pack_u64` packed."""
    return int.from_bytes(data, "big")


def pack_double(number: float) -> bytes:
    """Eight bytes that order as doubles do; -0.0 is stored as 0.0, NaN must not come here."""
    (bits,) = _U64.unpack(_DOUBLE.pack(number + 0.0))
    return _U64.pack(~bits & _ALL if bits & _SIGN else bits | _SIGN)


def unpack_double(data: bytes) -> float:
    """The number that `pack_double` packed."""
    (bits,) = _U64.unpack(data)
    return float(_DOUBLE.unpack(_U64.pack(bits & ~_SIGN & _ALL if bits & _SIGN else ~bits & _ALL))[0])


def after(prefix: bytes) -> bytes:
    """The smallest key behind every key that starts with `prefix` (which is not all 0xFF)."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes((stem[-1] + 1,))
