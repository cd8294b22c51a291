"""Wrong numbers of arguments, wrong types and wrong numbers, for every command: the errors are Redis's own."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.conformance.differences import STEERED
from tests.conformance.duel import Duel
from tests.conformance.forms import FORMS
from tests.conformance.generators import numeric_variants, wrong_type_variants
from tests.conformance.wire import Node

# What spoold serves of Redis 7.0; to add a data type, add its commands.
COMMANDS: dict[str, str] = {
    "connection and server": """
        PING ECHO HELLO AUTH SELECT QUIT RESET CLIENT CLIENT|ID CLIENT|GETNAME CLIENT|SETNAME CLIENT|LIST CLIENT|INFO
        CLIENT|KILL CLIENT|NO-EVICT CLIENT|REPLY CLIENT|PAUSE CLIENT|UNPAUSE CLIENT|UNBLOCK COMMAND COMMAND|COUNT
        COMMAND|LIST COMMAND|INFO COMMAND|DOCS COMMAND|GETKEYS INFO CONFIG CONFIG|GET CONFIG|SET CONFIG|RESETSTAT TIME
        DBSIZE FLUSHDB FLUSHALL SWAPDB SAVE BGSAVE LASTSAVE MONITOR SLOWLOG SLOWLOG|GET SLOWLOG|LEN SLOWLOG|RESET
        MEMORY MEMORY|USAGE OBJECT OBJECT|ENCODING OBJECT|FREQ OBJECT|IDLETIME OBJECT|REFCOUNT DEBUG
    """,
    "keys": """
        DEL UNLINK EXISTS TYPE KEYS SCAN RANDOMKEY RENAME RENAMENX COPY MOVE TOUCH EXPIRE PEXPIRE EXPIREAT PEXPIREAT
        TTL PTTL EXPIRETIME PEXPIRETIME PERSIST SORT SORT_RO
    """,
    "strings": """
        SET GET GETEX GETDEL GETSET MSET MSETNX MGET INCR DECR INCRBY DECRBY INCRBYFLOAT APPEND STRLEN SETRANGE
        GETRANGE SUBSTR SETEX PSETEX SETNX LCS SETBIT GETBIT BITCOUNT BITPOS BITOP BITFIELD BITFIELD_RO
    """,
    "lists": """
        LPUSH RPUSH LPUSHX RPUSHX LPOP RPOP LLEN LINDEX LRANGE LSET LINSERT LREM LTRIM LPOS LMOVE RPOPLPUSH LMPOP
        BLPOP BRPOP BLMOVE BRPOPLPUSH BLMPOP
    """,
    "sets": """
        SADD SREM SPOP SRANDMEMBER SISMEMBER SMISMEMBER SMEMBERS SMOVE SCARD SSCAN SINTER SUNION SDIFF SINTERSTORE
        SUNIONSTORE SDIFFSTORE SINTERCARD
    """,
    "hashes": """
        HSET HMSET HSETNX HGET HMGET HGETALL HKEYS HVALS HDEL HEXISTS HLEN HSTRLEN HINCRBY HINCRBYFLOAT HRANDFIELD HSCAN
    """,
    # Not ZRANK and ZREVRANK, which take an option of Redis 7.2.
    "sorted sets": """
        ZADD ZINCRBY ZREM ZCARD ZSCORE ZMSCORE ZCOUNT ZLEXCOUNT ZRANGE ZRANGESTORE ZREVRANGE ZRANGEBYSCORE
        ZREVRANGEBYSCORE ZRANGEBYLEX ZREVRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE ZREMRANGEBYLEX ZPOPMIN ZPOPMAX
        BZPOPMIN BZPOPMAX ZMPOP BZMPOP ZINTER ZUNION ZDIFF ZINTERSTORE ZUNIONSTORE ZDIFFSTORE ZINTERCARD ZRANDMEMBER
        ZSCAN
    """,
    "hyperloglog": "PFADD PFCOUNT PFMERGE PFDEBUG PFSELFTEST",
    "streams": """
        XADD XLEN XRANGE XREVRANGE XDEL XTRIM XSETID XREAD XREADGROUP XACK XPENDING XCLAIM XAUTOCLAIM XGROUP
        XGROUP|CREATE XGROUP|SETID XGROUP|DESTROY XGROUP|CREATECONSUMER XGROUP|DELCONSUMER XINFO XINFO|STREAM
        XINFO|GROUPS XINFO|CONSUMERS
    """,
    "geo": """
        GEOADD GEODIST GEOHASH GEOPOS GEOSEARCH GEOSEARCHSTORE GEORADIUS GEORADIUS_RO GEORADIUSBYMEMBER
        GEORADIUSBYMEMBER_RO
    """,
    "transactions": "MULTI EXEC DISCARD WATCH UNWATCH",
}
ALL_COMMANDS = [name for names in COMMANDS.values() for name in names.split()]

pytestmark = pytest.mark.needs_redis


def info(reply: Node) -> dict[str, object]:
    """Read one entry of COMMAND INFO: what clients and proxies route by."""
    assert isinstance(reply.value, tuple), reply
    name, arity, flags, first, last, step, *_ = reply.value
    flag_names = sorted(str(flag.value) for flag in flags.value) if isinstance(flags.value, tuple) else []
    keys = tuple(int(number.value) for number in (first, last, step))  # type: ignore[arg-type]
    return {"name": name.value, "arity": int(arity.value), "keys": keys, "flags": flag_names}  # type: ignore[arg-type]


def arities(duel: Duel) -> dict[str, int]:
    """Ask Redis how many arguments each command takes, its name included; negative is a minimum."""
    found = {}
    for name in ALL_COMMANDS:
        reply = duel.theirs.observer.call(b"COMMAND", b"INFO", name.lower().encode()).value
        assert isinstance(reply, tuple), name
        found[name] = int(str(info(reply[0])["arity"]))
    return found


@pytest.mark.parametrize("queued", [False, True], ids=["plain", "in a transaction"])
def test_a_wrong_number_of_arguments_is_refused_alike(duel: Duel, queued: bool) -> None:
    with duel.example():
        for name, arity in arities(duel).items():
            words = [word.encode() for word in name.split("|")]
            wrong = [*range(len(words), abs(arity)), *((arity + 1, arity + 3) if arity > 0 else ())]
            for count in wrong:
                if queued:
                    duel.call("a", [b"MULTI"])
                duel.call("a", words + [b"x"] * (count - len(words)))
                if queued:
                    duel.call("a", [b"EXEC"])


@pytest.mark.parametrize("family", [family for family in FORMS if family != "transactions"])
def test_every_wrong_type_is_answered_alike(duel: Duel, family: str) -> None:
    fixture: list[list[bytes]] = [
        [b"FLUSHALL"],
        [b"SELECT", b"0"],
        [b"SET", b"s1", b"10"],
        [b"RPUSH", b"l1", b"10"],
        [b"SADD", b"t1", b"10"],
        [b"HSET", b"h1", b"a", b"10"],
        [b"ZADD", b"z1", b"1", b"a"],
        [b"XADD", b"q1", b"1-1", b"a", b"10"],
        [b"XGROUP", b"CREATE", b"q1", b"g1", b"0"],
    ]
    with duel.example():
        for request in wrong_type_variants(family):
            duel.pipeline("a", [*fixture, request])


@pytest.mark.parametrize("family", [family for family in FORMS if family != "transactions"])
def test_every_wrong_number_is_answered_alike(duel: Duel, family: str) -> None:
    with duel.example():
        for number, request in enumerate(numeric_variants(family)):
            if number % 50 == 0:
                duel.pipeline("a", [[b"SET", b"s1", b"foobar"], [b"SET", b"n1", b"10"], [b"SELECT", b"0"]])
                duel.pipeline("a", [[b"RPUSH", b"l1", b"a", b"b", b"c"], [b"SADD", b"t1", b"a", b"b", b"c"]])
                duel.pipeline("a", [[b"ZADD", b"z1", b"1", b"a", b"2", b"b"], [b"ZADD", b"x1", b"0", b"a", b"0", b"b"]])
                duel.pipeline("a", [[b"XADD", b"q1", b"1-*", b"a", b"b"], [b"XGROUP", b"CREATE", b"q1", b"g1", b"0"]])
            if request[0] in STEERED:
                duel.call("a", request)
            else:
                duel.pipeline("a", [request])


def test_command_info_agrees_on_what_clients_route_by(duel: Duel) -> None:
    different = []
    for name in ALL_COMMANDS:
        rows: list[dict[str, object]] = []
        for side in duel.sides:
            reply = side.observer.call(b"COMMAND", b"INFO", name.lower().encode()).value
            assert isinstance(reply, tuple), name
            rows.append(info(reply[0]) if reply and reply[0].value is not None else {})
        ours, theirs = rows
        different += [
            f"{name} {field}: {ours.get(field)} instead of {theirs[field]}"
            for field in ("name", "arity", "keys")
            if ours.get(field) != theirs[field]
        ]
        routed = {"b'write'", "b'readonly'", "b'blocking'"}
        if (mine := routed & _flags(ours)) != (yours := routed & _flags(theirs)):
            different.append(f"{name} flags: {sorted(mine)} instead of {sorted(yours)}")
    assert not different, "\n".join(different)


def _flags(row: dict[str, object]) -> set[str]:
    flags = row.get("flags", [])
    assert isinstance(flags, Sequence)
    return set(map(str, flags))
