"""Up to which sizes Redis keeps a collection in one piece: what OBJECT ENCODING's answers, and sketches, follow."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class PackedLimits:
    """Redis 7.0's limits, as CONFIG sets them; spoold keeps every collection alike, whatever its size.

    set_integers: members of a set of integers. hash_fields, zset_members: elements. hash_bytes, zset_bytes: of each.
    sketch_bytes: of a sparse HyperLogLog; of these sketches spoold stores what Redis would.
    """

    sketch_bytes: int = 3000
    set_integers: int = 512
    hash_fields: int = 128
    hash_bytes: int = 64
    zset_members: int = 128
    zset_bytes: int = 64
