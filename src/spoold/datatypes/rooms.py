"""The list of modules whose declarations make up the command table; nothing registers itself."""

from __future__ import annotations

from types import ModuleType
from typing import Final

from spoold.datatypes.geo import points as geo_points
from spoold.datatypes.geo import search as geo_search
from spoold.datatypes.hashes import commands as hashes
from spoold.datatypes.hashes import counters as hashes_counters
from spoold.datatypes.hashes import scan as hashes_scan
from spoold.datatypes.hyperloglog import commands as hyperloglog
from spoold.datatypes.hyperloglog import debug as hyperloglog_debug
from spoold.datatypes.keys import commands as keys
from spoold.datatypes.keys import databases, expire, iterate, objects, sort, transfer
from spoold.datatypes.lists import blocking
from spoold.datatypes.lists import commands as lists
from spoold.datatypes.sets import algebra
from spoold.datatypes.sets import commands as sets
from spoold.datatypes.sets import scan as sets_scan
from spoold.datatypes.streams import claims as streams_claims
from spoold.datatypes.streams import commands as streams
from spoold.datatypes.streams import group_commands as streams_groups
from spoold.datatypes.streams import info as streams_info
from spoold.datatypes.streams import reading as streams_reading
from spoold.datatypes.strings import bitfield, bitmaps, counters, lcs
from spoold.datatypes.strings import commands as strings
from spoold.datatypes.zsets import algebra as zsets_algebra
from spoold.datatypes.zsets import blocking as zsets_blocking
from spoold.datatypes.zsets import commands as zsets
from spoold.datatypes.zsets import ranges as zsets_ranges
from spoold.datatypes.zsets import scan as zsets_scan

ROOMS: Final[tuple[ModuleType, ...]] = (
    strings,
    counters,
    lcs,
    bitmaps,
    bitfield,
    hashes,
    hashes_counters,
    hashes_scan,
    hyperloglog,
    hyperloglog_debug,
    lists,
    blocking,
    sets,
    algebra,
    sets_scan,
    zsets,
    zsets_blocking,
    zsets_ranges,
    zsets_algebra,
    zsets_scan,
    geo_points,
    geo_search,
    streams,
    streams_reading,
    streams_groups,
    streams_claims,
    streams_info,
    keys,
    databases,
    expire,
    iterate,
    objects,
    sort,
    transfer,
)
