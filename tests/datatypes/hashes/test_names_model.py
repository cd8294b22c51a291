"""Whatever happens to hashes, the names that a record keeps are the fields that the engine holds, and its order is one
of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from spoold.core.errors import CommandError
from spoold.keyspace import cache
from spoold.keyspace.keyspace import Keyspace
from spoold.keyspace.packing import after
from spoold.keyspace.record import HashRecord
from support.room import Room

KEYS = st.sampled_from([b"h1", b"h1", b"h1", b"h2", b"h2", b"h3", b"x" * 600])
# Around 128 bytes names are kept no more, beyond 480 fields are packed.
FIELDS = st.sampled_from([b"a", b"a", b"a", b"ab", b"b", b"", b"1", b"f" * 128, b"f" * 129, b"f" * 600, b"g" * 600])
MANY_FIELDS = st.sampled_from([5, 64, 127, 128, 129]).map(lambda count: [b"%d" % number for number in range(count)])
VALUES = st.sampled_from([b"v", b"1", b""])
PLACES = st.sampled_from([b"0", b"1"])

REQUESTS = st.one_of(
    st.tuples(st.just(b"HSET"), KEYS, FIELDS, VALUES),
    st.tuples(st.just(b"HSET"), KEYS, FIELDS, VALUES, FIELDS, VALUES),
    st.tuples(st.just(b"HSET"), KEYS, st.just(b"a"), VALUES),
    st.tuples(st.just(b"HSETNX"), KEYS, FIELDS, VALUES),
    st.tuples(st.just(b"HINCRBY"), KEYS, FIELDS, st.just(b"1")),
    st.tuples(st.just(b"HDEL"), KEYS, FIELDS, FIELDS),
    st.tuples(st.just(b"HDEL"), KEYS, FIELDS),
    st.tuples(KEYS, MANY_FIELDS).map(lambda drawn: (b"HDEL", drawn[0], *drawn[1])),
    st.tuples(KEYS, MANY_FIELDS).map(lambda drawn: (b"HMSET", drawn[0], *[w for f in drawn[1] for w in (f, b"v")])),
    st.tuples(st.just(b"HGETALL"), KEYS),
    st.tuples(st.just(b"HKEYS"), KEYS),
    st.tuples(st.just(b"HSCAN"), KEYS, st.just(b"0"), st.just(b"COUNT"), st.sampled_from([b"2", b"100"])),
    st.tuples(st.just(b"HRANDFIELD"), KEYS, st.sampled_from([b"3", b"-3", b"100"]), st.just(b"WITHVALUES")),
    st.tuples(st.sampled_from([b"RENAME", b"RENAMENX"]), KEYS, KEYS),
    st.tuples(st.just(b"COPY"), KEYS, KEYS, st.just(b"DB"), PLACES, st.just(b"REPLACE")),
    st.tuples(st.just(b"MOVE"), KEYS, PLACES),
    st.tuples(st.sampled_from([b"DEL", b"UNLINK", b"PERSIST"]), KEYS),
    st.tuples(st.just(b"RESTORE"), KEYS, KEYS),
    st.tuples(st.just(b"PEXPIRE"), KEYS, st.sampled_from([b"-1", b"5", b"100000"])),
    st.tuples(st.just(b"SET"), KEYS, VALUES),
    st.tuples(st.just(b"SELECT"), PLACES),
    st.tuples(st.just(b"SWAPDB"), st.just(b"0"), st.just(b"1")),
    st.tuples(st.sampled_from([b"FLUSHDB", b"FLUSHALL"])),
)
TURNS = st.lists(
    st.tuples(st.lists(REQUESTS, min_size=1, max_size=8), st.sampled_from("kkkkrtm")), min_size=12, max_size=30
)


def run(room: Room, request: tuple[bytes, ...]) -> object:
    entry = room.table.by_name[request[0]]
    if request[0] == b"RESTORE":  # under the second name, what stands under the first
        payload = room.table.by_name[b"DUMP"].handler(room.session.ctx, request[1])
        request = (b"RESTORE", request[2], b"0", payload or b"none", b"REPLACE")
    try:
        return entry.handler(room.session.ctx, *request[1:])
    except CommandError as error:
        return error.message


def records(ks: Keyspace) -> Iterator[HashRecord]:
    """All that memory holds of hashes, whether it is read from again or not."""
    for kept in (ks.dirty, ks.cache.young, ks.cache._old):
        yield from [record for record in kept.values() if isinstance(record, HashRecord)]


def check(room: Room) -> None:
    for index in (0, 1):
        ks = room.dbs[index]
        for record in list(records(ks)):
            if record.names is not None:
                found = ks.batch.scan_keys(record.prefix, after(record.prefix), 1000)
                assert record.names == [key[len(record.prefix) :] for key in found]
                assert record.fields == len(found)
            if record.order:
                assert sorted(record.order) == list(range(record.fields))


@settings(deadline=None, max_examples=60)
@given(TURNS)
def test_names_are_the_fields_that_the_engine_holds(turns: list[tuple[list[tuple[bytes, ...]], str]]) -> None:
    with TemporaryDirectory() as home, patch.object(cache, "GENERATION_RECORDS", 2), Room(Path(home)) as room:
        for requests, end in turns:
            room.turn.begin()
            for request in requests:
                run(room, request)
            if end == "r":
                room.commit.abort_turn()
                room.dbs.rollback()
            elif end == "m":  # in the middle of a turn, whose records are still to be written
                check(room)
            room.turn.end()
            if end == "t":
                room.clock.advance_ms(10)
            check(room)
