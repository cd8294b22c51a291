"""What FUNCTION DUMP gives and FUNCTION RESTORE takes: libraries in Redis's RDB format, its version, its CRC-64.

for each library: 0xF5, its code as a string; then as DUMP's payloads end (core/rdb.py)
"""

from __future__ import annotations

from typing import Final

from spoold.core.errors import CommandError
from spoold.core.rdb import encode_string, seal, unseal

_LIBRARY: Final = 0xF5
_OLDER_LIBRARY: Final = 0xF6  # of release candidates of Redis 7.0


def encode(codes: list[bytes]) -> bytes:
    """The payload of libraries. cost: O(bytes)."""
    return seal(b"".join(bytes((_LIBRARY,)) + encode_string(code) for code in codes))


def decode(payload: bytes) -> list[bytes]:
    """The codes in a payload. raises: BadPayload (checksum), BadFormat, CommandError (something else is in it)."""
    reader = unseal(payload)
    codes = []
    while reader.left:
        kind = reader.byte()
        if kind == _OLDER_LIBRARY:
            raise CommandError("Pre-GA function format not supported")
        if kind != _LIBRARY:
            raise CommandError("given type is not a function")
        codes.append(reader.string())
    return codes
