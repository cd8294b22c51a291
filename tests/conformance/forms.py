"""The forms of requests that the random tests draw from, and the values worth trying: what `generators.py` reads.

A line of `FORMS` is a form of a command: bare words stand for themselves, `{pool}` for a value of a pool, and

    [A|B]     one of the alternatives or nothing         [EX {far}|PERSIST]
    (A|B)     one of the alternatives                    (BEFORE|AFTER)
    X+        one to four times X                        {m}+   ({k} {v})+

To add a family, add its lines to `FORMS`; to add values worth trying, add them to `POOLS`.
"""

from __future__ import annotations

INT64_MAX, INT64_MIN = 2**63 - 1, -(2**63)
LONG_NAME = b"n" * 600  # longer than an engine key may be
LONG_MEMBER = b"m" * 600
BIG_VALUE = b"0123456789" * 1000

# Numbers are strict in Redis: none of these is an integer, but for the last few, which are at or beyond a border.
JUNK_NUMBERS = (
    b"", b"abc", b" 1", b"1 ", b"+1", b"01", b"-0", b"1.0", b"1e3", b"0x10", b"--1", b"-", b"1\x00", b"1_0", b"\xb2",
    b"inf", b"nan", b"-1", b"0", b"9223372036854775807", b"9223372036854775808", b"-9223372036854775808",
    b"-9223372036854775809", b"18446744073709551615", b"99999999999999999999",
)  # fmt: skip

_SMALL = tuple(b"%d" % n for n in range(-4, 7))
_MEMBERS = (
    b"a",
    b"b",
    b"c",
    b"1",
    b"2",
    b"10",
    b"-3",
    b"1.5",
    b"",
    b"01",
    b"\x00\r\n\xff",
    LONG_MEMBER,
    LONG_MEMBER + b"x",
)

POOLS: dict[str, tuple[bytes, ...]] = {
    # names: strings, lists and sets meet under the same names now and then
    "k": (b"s1", b"s2", b"s3", b"s1", b"s2", LONG_NAME, b"", b"l1", b"t1"),
    "n": (b"n1", b"n2", b"n1", b"n2", b"s1"),
    "f": (b"f1", b"f1", b"f2", b"l1"),
    "short": (b"n1", b"n2", b"f1", b"l1"),
    "l": (b"l1", b"l2", b"l3", b"l1", b"l2", LONG_NAME, b"s1", b"t1"),
    "s": (b"t1", b"t2", b"t3", b"t1", b"t2", LONG_NAME, b"s1", b"l1"),
    "h": (b"h1", b"h2", b"h1", b"h2", LONG_NAME, b"s1", b"l1"),
    "z": (b"z1", b"z2", b"z3", b"z1", b"z2", LONG_NAME, b"s1", b"t1"),
    "zt": (b"z1", b"z2", b"z3", b"t1", b"t2", b"missing", b"z1", b"s1"),
    "x": (b"x1", b"x2", b"x1"),
    "st": (b"q1", b"q2", b"q1", b"q2", b"q1", LONG_NAME, b"s1", b"l1"),
    "tr": (b"q1", b"q1", b"q2"),
    "tid": (b"1-0", b"1-1", b"1-2", b"1-3", b"1-4", b"1-6", b"2-0", b"2-1", b"2-3", b"3-1", b"5-0", b"8-0", b"8-1"),
    "p": (b"p1", b"p2", b"p3", b"p1", b"p2", b"p3", b"s1", b"l1"),
    "any": (b"s1", b"s2", b"n1", b"l1", b"l2", b"t1", b"t2", b"h1", LONG_NAME, b"", b"missing"),
    # values
    "v": (
        b"", b"a", b"hello", b"0", b"12", b"-7", b"9223372036854775807", b"3.5", b"\x00\xff\r\n", b"foobar", BIG_VALUE,
    ),
    "m": _MEMBERS,
    # members of sorted sets: some differ only behind what an engine key holds of them
    "zm": (
        *_MEMBERS, LONG_MEMBER[:465], LONG_MEMBER[:466], LONG_MEMBER[:480], LONG_MEMBER[:480] + b"\x00",
        LONG_MEMBER + b"a", LONG_MEMBER[:470] + b"\xff", LONG_MEMBER[:590] + b"l" * 10,
    ),
    "lex": (
        b"-", b"+", b"[a", b"(a", b"[b", b"(c", b"[", b"(", b"[m", b"(" + LONG_MEMBER, b"[" + LONG_MEMBER, b"[\xff",
        b"[" + LONG_MEMBER[:466], b"(" + LONG_MEMBER[:465], b"(" + LONG_MEMBER + b"a", b"a", b"[" + LONG_MEMBER[:480],
    ),
    "score": (b"0", b"1", b"2", b"-1.5", b"2.5", b"1", b"3", b"1e3", b"inf", b"-inf", b"0.1", b"0.2", b"abc", b"nan"),
    "bound": (b"-inf", b"+inf", b"0", b"1", b"(1", b"2", b"(2.5", b"-1.5", b"(-inf", b"(inf", b"3", b"1e3", b"(nan"),
    "geo": (b"g1", b"g2", b"g1", b"g1", b"s1"),
    "longitude": (b"0", b"13.361389", b"15.087269", b"-122.27652", b"180", b"-180", b"179.99", b"13.5", b"1e1", b"181"),
    "latitude": (b"0", b"38.115556", b"37.502669", b"37.80574", b"85.05112878", b"-85.05112878", b"80", b"-67", b"86"),
    "radius": (b"0", b"100", b"200", b"500.5", b"3000", b"12000", b"1", b"-1", b"x", b"20037"),
    "weight1": (b"1", b"2", b"-1", b"0", b"0.5", b"inf", b"x"),
    "num": (b"3", b"1", b"2", b"10", b"-5", b"1.5", b"0", b"1e2", b"7"),
    "int": (b"0", b"1", b"-1", b"5", b"100", b"-100", b"%d" % INT64_MAX, b"%d" % INT64_MIN, b"%d" % (2**62)),
    # sums of these are exact in binary, whatever the width of the floating point numbers
    "float": (b"0", b"1", b"-1.5", b"0.25", b"10.5", b"1e3", b"-3.75", b"100000000", b"abc", b"inf", b"nan"),
    "i": (*_SMALL, b"100", b"-100", b"%d" % INT64_MAX, b"%d" % INT64_MIN),
    "c": (b"0", b"1", b"2", b"3", b"100", b"1", b"2", b"-1"),
    "pos": (b"1", b"2", b"3", b"100"),
    "off": (b"0", b"1", b"3", b"7", b"8", b"15", b"100", b"1000", b"-1"),
    "bit": (b"0", b"1", b"1", b"0", b"2"),
    "type": (b"u1", b"u8", b"i8", b"u4", b"i5", b"u63", b"i64", b"i1", b"u16", b"u64", b"i0"),
    "pat": (b"*", b"s*", b"?1", b"[lt]*", b"*1", b"l[^1]", b"n??*", b"missing", b"", b"\\s1"),
    "mpat": (b"*", b"a*", b"?", b"[ab]", b"1*", b"m*", b"[^a]", b""),
    "db": (b"0", b"1", b"2"),
    "weight": (b"w_*", b"w_*", b"missing_*", b"n*"),
    "get": (b"#", b"w_*", b"missing_*", b"s*"),
    # ids of entries: new ones, of one entry, borders of a range
    "sid": (
        b"1-*", b"2-*", b"3-*", b"4-*", b"5-*", b"6-*", b"7-*", b"8-*", b"2-3", b"3-1", b"4", b"6-5", b"9-9", b"0-1",
        b"0-*", b"0-0", b"10-18446744073709551615", b"9-18446744073709551615", b"18446744073709551615-*", b"-", b"+",
    ),
    "eid": (
        b"1-0", b"1-1", b"1-2", b"2-0", b"2-1", b"2-3", b"3-0", b"3-1", b"3-2", b"4-0", b"4-1", b"5-0", b"6-0", b"7",
        b"0", b"0-0", b"8-1", b"10", b"9-18446744073709551615", b"18446744073709551615-18446744073709551615", b"-",
        b"1-1-1", b"1-", b"-1", b"1-01", b" 1-1", b"x", b"1-+1", b"1--1", b"01-1", b"1\x00-1",
        b"1-18446744073709551616",
    ),
    "rid": (
        b"-", b"+", b"-", b"+", b"-", b"+", b"1", b"2-1", b"3-0", b"4", b"(1-1", b"(2", b"(3-1", b"(5", b"(-", b"(+",
        b"(", b"(0", b"(0-0", b"(18446744073709551615-18446744073709551615", b"18446744073709551615", b"x", b"6-1",
    ),
    "g": (b"g1", b"g2", b"g1", b"g1", LONG_MEMBER),
    "co": (b"alice", b"bob", b"alice", LONG_MEMBER, LONG_MEMBER + b"x"),
    # Between a few ms, which went by, and these, nothing is asked for: it would hang on the speed of the machine.
    "idle": (b"0", b"0", b"0", b"1000000", b"20000000", b"-5"),
    "since": (b"0", b"2000000", b"30000000", b"-2000000"),
    # expiries: far ahead or past. GT and LT stand with absolute ones only: how two relative ones compare depends on
    # whether a millisecond went by between them.
    "far": (b"1000", b"50000", b"900000", b"1000", b"0", b"-1"),
    "farms": (b"1000000", b"50000000", b"900000000", b"0", b"-100"),
    # SET takes only what lies ahead: Redis keeps a key set with a past expiry until it is read, and DBSIZE counts it.
    "ahead": (b"@s+100000", b"@s+7000000", b"33177117420"),
    "aheadms": (b"@ms+100000000", b"@ms+7000000000", b"33177117420123"),
    "at": (b"@s+100000", b"@s+7000000", b"33177117420", b"1"),
    "atms": (b"@ms+100000000", b"@ms+7000000000", b"33177117420123", b"1"),
}  # fmt: skip

NAMES = {"k", "n", "f", "l", "s", "h", "p", "z", "zt", "st", "any"}
NUMERIC = {
    "score",
    "bound",
    "weight1",
    "int",
    "float",
    "i",
    "c",
    "pos",
    "off",
    "bit",
    "db",
    "far",
    "farms",
    "at",
    "atms",
    "ahead",
    "aheadms",
    "idle",
    "since",
    "sid",
    "eid",
    "rid",
}

FORMS: dict[str, str] = {
    "strings": """
        GET {k}
        SET {k} {v} [NX|XX] [GET] [EX {far}|PX {farms}|EXAT {ahead}|PXAT {aheadms}|KEEPTTL]
        SET {k} {v}
        SET {n} {int}
        SET {f} {float}
        GETEX {k} [EX {far}|PX {farms}|EXAT {at}|PXAT {atms}|PERSIST]
        GETDEL {k}
        GETSET {k} {v}
        SETNX {k} {v}
        SETEX {k} {far} {v}
        PSETEX {k} {farms} {v}
        MSET ({k} {v})+
        MSETNX ({k} {v})+
        MGET {k}+
        INCR {n}
        DECR {n}
        INCRBY {n} {int}
        DECRBY {n} {int}
        INCRBYFLOAT {f} {float}
        APPEND {k} {v}
        STRLEN {k}
        SETRANGE {k} {off} {v}
        GETRANGE {k} {i} {i}
        SUBSTR {k} {i} {i}
        LCS {short} {short} [LEN|IDX] [MINMATCHLEN {c}] [WITHMATCHLEN]
        LPUSH {k} {v}
        DEL {k}
        TTL {k}
    """,
    "bits": """
        SETBIT {k} {off} {bit}
        GETBIT {k} {off}
        SET {k} {v}
        GET {k}
        BITCOUNT {k} [{i} {i}|{i} {i} BYTE|{off} {off} BIT|{i} {i} BIT]
        BITPOS {k} {bit} [{i}|{i} {i}|{i} {i} BYTE|{i} {off} BIT|{i} {i} BIT]
        BITOP (AND|OR|XOR) {k} {k}+
        BITOP NOT {k} {k}
        BITFIELD {k} (GET {type} {off}|SET {type} {off} {int}|INCRBY {type} {off} {int}|OVERFLOW (WRAP|SAT|FAIL))+
        BITFIELD {k} (OVERFLOW (WRAP|SAT|FAIL) INCRBY {type} #{off} {int}|OVERFLOW (SAT|FAIL) SET {type} #{off} {int})+
        BITFIELD_RO {k} (GET {type} {off})+
        STRLEN {k}
        DEL {k}
    """,
    "lists": """
        LPUSH {l} {m}+
        RPUSH {l} {m}+
        LPUSH {l} {m}+
        RPUSH {l} {m}+
        LPUSHX {l} {m}+
        RPUSHX {l} {m}+
        LPOP {l} [{c}]
        RPOP {l} [{c}]
        LLEN {l}
        LINDEX {l} {i}
        LRANGE {l} {i} {i}
        LRANGE {l} 0 -1
        LSET {l} {i} {m}
        LINSERT {l} (BEFORE|AFTER) {m} {m}
        LREM {l} {i} {m}
        LTRIM {l} {i} {i}
        LPOS {l} {m} [RANK {i}] [COUNT {c}] [MAXLEN {c}]
        LMOVE {l} {l} (LEFT|RIGHT) (LEFT|RIGHT)
        RPOPLPUSH {l} {l}
        LMPOP 2 {l} {l} (LEFT|RIGHT) [COUNT {c}]
        LMPOP 1 {l} (LEFT|RIGHT)
        DEL {l}
        RENAME {l} {l}
        COPY {l} {l} [REPLACE]
        EXPIRE {l} {far}
        TTL {l}
        SET {l} {v}
    """,
    "sets": """
        SADD {s} {m}+
        SADD {s} {m}+
        SADD {s} {m}+
        SREM {s} {m}+
        SPOP {s} [{c}]
        SRANDMEMBER {s} [{c}]
        SISMEMBER {s} {m}
        SMISMEMBER {s} {m}+
        SMEMBERS {s}
        SCARD {s}
        SMOVE {s} {s} {m}
        SINTER {s}+
        SUNION {s}+
        SDIFF {s}+
        SINTERSTORE {s} {s}+
        SUNIONSTORE {s} {s}+
        SDIFFSTORE {s} {s}+
        SINTERCARD 2 {s} {s} [LIMIT {c}]
        SINTERCARD 1 {s}
        DEL {s}
        RENAME {s} {s}
        COPY {s} {s} [REPLACE]
        EXPIRE {s} {far}
        TTL {s}
        SET {s} {v}
    """,
    "hashes": """
        HSET {h} ({m} {v})+
        HSET {h} ({m} {v})+
        HSET {h} ({m} {int})+
        HMSET {h} ({m} {v})+
        HSETNX {h} {m} {v}
        HGET {h} {m}
        HMGET {h} {m}+
        HGETALL {h}
        HKEYS {h}
        HVALS {h}
        HDEL {h} {m}+
        HDEL {h} {m}+
        HEXISTS {h} {m}
        HLEN {h}
        HSTRLEN {h} {m}
        HINCRBY {h} {m} {int}
        HINCRBYFLOAT {h} {m} {float}
        HRANDFIELD {h} [{c}|{c} WITHVALUES]
        HSCAN {h} 0 COUNT 1000
        OBJECT ENCODING {h}
        DEL {h}
        RENAME {h} {h}
        COPY {h} {h} [REPLACE]
        EXPIRE {h} {far}
        TTL {h}
        SET {h} {v}
    """,
    "zsets": """
        ZADD {z} ({score} {zm})+
        ZADD {z} ({score} {zm})+
        ZADD {z} ({score} {zm})+
        ZADD {z} [NX|XX] [GT|LT] [CH] [INCR] ({score} {zm})+
        ZADD {z} (NX|XX|GT|LT|XX GT|XX LT|CH GT|CH XX LT) ({score} {zm})+
        ZADD {z} INCR {score} {zm}
        ZINCRBY {z} {score} {zm}
        ZREM {z} {zm}+
        ZCARD {z}
        ZSCORE {z} {zm}
        ZMSCORE {z} {zm}+
        ZRANK {z} {zm}
        ZREVRANK {z} {zm}
        ZCOUNT {z} {bound} {bound}
        ZRANGE {z} {i} {i} [REV] [WITHSCORES]
        ZRANGE {z} {bound} {bound} BYSCORE [REV] [LIMIT {i} {i}] [WITHSCORES]
        ZRANGE {z} 0 -1 WITHSCORES
        ZREVRANGE {z} {i} {i} [WITHSCORES]
        ZRANGEBYSCORE {z} {bound} {bound} [WITHSCORES] [LIMIT {i} {i}]
        ZRANGEBYSCORE {z} -inf {bound} LIMIT 0 1
        ZREVRANGEBYSCORE {z} {bound} {bound} [WITHSCORES] [LIMIT {i} {i}]
        ZRANGESTORE {z} {z} {i} {i} [REV]
        ZRANGESTORE {z} {z} {bound} {bound} BYSCORE [REV] [LIMIT {i} {i}]
        ZREMRANGEBYRANK {z} {i} {i}
        ZREMRANGEBYSCORE {z} {bound} {bound}
        ZPOPMIN {z} [{c}]
        ZPOPMAX {z} [{c}]
        ZMPOP 2 {z} {z} (MIN|MAX) [COUNT {c}]
        ZMPOP 1 {z} (MIN|MAX)
        ZRANDMEMBER {z} [{c}|{c} WITHSCORES]
        SADD {s} {zm}+
        ZUNION 2 {zt} {zt} [WEIGHTS {weight1} {weight1}] [AGGREGATE (SUM|MIN|MAX)] [WITHSCORES]
        ZINTER 2 {zt} {zt} [WEIGHTS {weight1} {weight1}] [AGGREGATE (SUM|MIN|MAX)] [WITHSCORES]
        ZDIFF 3 {zt} {zt} {zt} [WITHSCORES]
        ZUNIONSTORE {z} 3 {zt} {zt} {zt} [WEIGHTS {weight1} {weight1} {weight1}] [AGGREGATE (SUM|MIN|MAX)]
        ZINTERSTORE {z} 2 {zt} {zt} [WEIGHTS {weight1} {weight1}] [AGGREGATE (SUM|MIN|MAX)]
        ZDIFFSTORE {z} 2 {zt} {zt}
        ZINTERCARD 2 {zt} {zt} [LIMIT {c}]
        DEL {z}
        RENAME {z} {z}
        COPY {z} {z} [REPLACE]
        EXPIRE {z} {far}
        TTL {z}
        SET {z} {v}
    """,
    "geo": """
        GEOADD {geo} ({longitude} {latitude} {m})+
        GEOADD {geo} ({longitude} {latitude} {m})+
        GEOADD {geo} ({longitude} {latitude} {m})+
        GEOADD {geo} [NX|XX] [CH] ({longitude} {latitude} {m})+
        GEODIST {geo} {m} {m} [m|km|FT|mi|yd]
        GEOPOS {geo} {m}+
        GEOHASH {geo} {m}+
        GEOSEARCH {geo} FROMLONLAT {longitude} {latitude} BYRADIUS {radius} (m|km|mi) [COUNT {c} [ANY]]
        GEOSEARCH {geo} FROMLONLAT {longitude} {latitude} BYRADIUS {radius} (m|km|mi) [WITHCOORD WITHDIST]
        GEOSEARCH {geo} FROMLONLAT {longitude} {latitude} BYRADIUS {radius} km [ASC|DESC] [WITHHASH]
        GEOSEARCH {geo} FROMMEMBER {m} BYRADIUS {radius} (m|km|mi|FT) [ASC|DESC] [COUNT {c}] [WITHDIST]
        GEOSEARCH {geo} FROMLONLAT {longitude} {latitude} BYBOX {radius} {radius} km [ASC|DESC] [WITHDIST]
        GEOSEARCH {geo} BYBOX {radius} {radius} km FROMMEMBER {m} [COUNT {c} ANY] WITHHASH WITHDIST WITHCOORD
        GEOSEARCHSTORE {geo} {geo} FROMLONLAT {longitude} {latitude} BYRADIUS {radius} km [STOREDIST]
        GEOSEARCHSTORE {geo} {geo} FROMMEMBER {m} BYBOX {radius} {radius} km [ASC|DESC COUNT {c}] [STOREDIST]
        GEORADIUS {geo} {longitude} {latitude} {radius} km [COUNT {c}] [DESC] [STORE {geo}|STOREDIST {geo}]
        GEORADIUS_RO {geo} {longitude} {latitude} {radius} m [WITHCOORD] [DESC]
        GEORADIUSBYMEMBER {geo} {m} {radius} km [WITHHASH] [COUNT {c} [ANY]] [STORE {geo}]
        GEORADIUSBYMEMBER_RO {geo} {m} {radius} km [ASC|DESC]
        ZRANGE {geo} 0 -1 WITHSCORES
        ZREM {geo} {m}
        ZADD {geo} {int} {m}
        DEL {geo}
    """,
    # Members of one score only: what a range of members is in other sets, nothing promises.
    "lex": """
        ZADD {x} 0 {zm} [0 {zm}] [0 {zm}] [0 {zm}]
        ZADD {x} 0 {zm} [0 {zm}] [0 {zm}]
        ZRANGE {x} {lex} {lex} BYLEX [REV] [LIMIT {i} {i}]
        ZRANGEBYLEX {x} {lex} {lex} [LIMIT {i} {i}]
        ZREVRANGEBYLEX {x} {lex} {lex} [LIMIT {i} {i}]
        ZRANGE {x} 0 -1 [REV]
        ZLEXCOUNT {x} {lex} {lex}
        ZREMRANGEBYLEX {x} {lex} {lex}
        ZRANGESTORE {x} {x} {lex} {lex} BYLEX [REV] [LIMIT {i} {i}]
        ZRANK {x} {zm}
        ZREM {x} {zm}
        ZPOPMIN {x}
        ZPOPMAX {x}
        ZREMRANGEBYRANK {x} {i} {i}
        SORT (x1|x2) BY nosort [LIMIT {i} {i}] [DESC]
        DEL {x}
    """,
    # Ids are given, as the time makes others on each server.
    "streams": """
        XADD {st} {sid} ({m} {v})+
        XADD {st} {sid} {m} {v}
        XADD {st} {sid} {m} {v}
        XADD {st} {sid} {m} {v}
        XADD {st} (1-*|2-*|3-*|5-*|8-*) {m} {v}
        XADD {st} [NOMKSTREAM] [MAXLEN [=] {c}|MINID [=] {eid}] [LIMIT {c}] {sid} {m} {v}
        XLEN {st}
        XRANGE {st} {rid} {rid} [COUNT {c}]
        XREVRANGE {st} {rid} {rid} [COUNT {c}]
        XDEL {st} {eid}+
        XTRIM {st} (MAXLEN [=] {c}|MINID [=] {eid})
        XTRIM {st} [MAXLEN {c}] [MINID {eid}] [LIMIT {c}]
        XSETID {st} {eid} [ENTRIESADDED {c}] [MAXDELETEDID {eid}]
        XREAD [COUNT {c}] STREAMS {st} {eid}
        XREAD [COUNT {c}] STREAMS {st} {st} ({eid}|$) {eid}
        XGROUP CREATE {st} {g} ({eid}|$) [MKSTREAM] [ENTRIESREAD {i}]
        XGROUP CREATE {st} {g} (0|$) MKSTREAM
        XGROUP SETID {st} {g} ({eid}|$) [ENTRIESREAD {i}]
        XGROUP DESTROY {st} {g}
        XGROUP CREATECONSUMER {st} {g} {co}
        XGROUP DELCONSUMER {st} {g} {co}
        XREADGROUP GROUP {g} {co} [COUNT {c}] [NOACK] STREAMS {st} >
        XREADGROUP GROUP {g} {co} [COUNT {c}] STREAMS {st} >
        XREADGROUP GROUP {g} {co} [COUNT {c}] STREAMS {st} >
        XREADGROUP GROUP {g} {co} [COUNT {c}] [NOACK] STREAMS {st} {eid}
        XREADGROUP GROUP {g} {co} [COUNT {c}] [NOACK] STREAMS {st} {st} (>|{eid}|$) >
        XACK {st} {g} {eid}+
        XPENDING {st} {g}
        XPENDING {st} {g} [IDLE {idle}] {rid} {rid} {c} [{co}]
        XCLAIM {st} {g} {co} {idle} {eid}+ [IDLE {since}|TIME {since}] [RETRYCOUNT {c}] [FORCE] [JUSTID] [LASTID {eid}]
        XCLAIM {st} {g} {co} {idle} {eid}+ FORCE
        XAUTOCLAIM {st} {g} {co} {idle} {rid} [COUNT {c}] [JUSTID]
        XINFO STREAM {st} [FULL [COUNT {c}]]
        XINFO GROUPS {st}
        XINFO CONSUMERS {st} {g}
        DEL {st}
        RENAME {st} {st}
        COPY {st} {st} [REPLACE]
        TYPE {st}
        OBJECT ENCODING {st}
        EXPIRE {st} {far}
        TTL {st}
        SET {st} {v}
    """,
    # Small entries only: Redis ends a node also when it has grown large. No MINID: it looks at deleted entries too.
    "trimming": """
        XADD {tr} (1-*|1-*|1-*|2-*|3-*|5-*|8-*) f v
        XADD {tr} (1-*|1-*|1-*|2-*|3-*|5-*|8-*) f v
        XADD {tr} (1-*|1-*|1-*|2-*|3-*|5-*|8-*) f v
        XADD {tr} MAXLEN ~ {c} [LIMIT {c}] (1-*|1-*|2-*|5-*|8-*) f v
        XTRIM {tr} MAXLEN ~ {i} [LIMIT {i}]
        XTRIM {tr} (MAXLEN {i}|MINID {tid})
        XTRIM {tr} MAXLEN ~ 5
        XDEL {tr} {tid}+
        XLEN {tr}
        XINFO STREAM {tr}
        XRANGE {tr} - 9
        XREVRANGE {tr} 9 - COUNT {c}
    """,
    "hyperloglog": """
        PFADD {p} {m}+
        PFADD {p} {v}+
        PFADD {p} {m}+
        PFADD {p}
        PFCOUNT {p}
        PFCOUNT {p}+
        PFMERGE {p} {p}+
        PFMERGE {p}
        PFDEBUG (ENCODING|DECODE|TODENSE) {p}
        GET {p}
        STRLEN {p}
        COPY {p} {p} [REPLACE]
        RENAME {p} {p}
        DEL {p}
        SET {p} {v}
        LPUSH {p} {m}
    """,
    "keys": """
        SET {any} {v} [EX {far}|PX {farms}|PXAT {aheadms}]
        RPUSH {any} {m}+
        SADD {any} {m}+
        HSET {any} {m} {v}
        APPEND {any} {v}
        DEL {any}+
        UNLINK {any}+
        EXISTS {any}+
        TOUCH {any}+
        TYPE {any}
        KEYS {pat}
        RENAME {any} {any}
        RENAMENX {any} {any}
        COPY {any} {any} [DB {db}] [REPLACE]
        MOVE {any} {db}
        SELECT {db}
        SWAPDB {db} {db}
        DBSIZE
        FLUSHDB [ASYNC|SYNC]
        EXPIRE {any} {far} [NX|XX]
        PEXPIRE {any} {farms} [NX|XX]
        EXPIREAT {any} {at} [NX|XX|GT|LT]
        PEXPIREAT {any} {atms} [NX|XX|GT|LT]
        TTL {any}
        PTTL {any}
        EXPIRETIME {any}
        PEXPIRETIME {any}
        PERSIST {any}
        GETEX {any} [EX {far}|PERSIST]
        OBJECT (ENCODING|REFCOUNT) {any}
        LPOP {any}
        RANDOMKEY
    """,
    "sort": """
        RPUSH l1 {num}+
        RPUSH l2 {num}+
        SADD t1 {num}+
        SET w_{num} {num}
        SET w_{num} {m}
        DEL w_{num}
        LTRIM l1 1 -1
        HSET h1 {num} {num} w {num}
        SORT (l1|l2) BY h*->{num} GET h*->w GET #
        SORT {l} [LIMIT {i} {i}] [ASC|DESC] [ALPHA]
        SORT {s} [LIMIT {i} {i}] [ASC|DESC] [ALPHA]
        SORT (l1|l2) [BY {weight}] [LIMIT {i} {i}] [GET {get}] [GET {get}] [ASC|DESC]
        SORT t1 BY {weight} [LIMIT {i} {i}] [GET {get}] [ASC|DESC]
        SORT (l1|l2) BY nosort [LIMIT {i} {i}] [GET {get}] [ASC|DESC] [STORE {l}]
        SORT (l1|l2|t1) [BY {weight}] [GET {get}] STORE {l}
        SORT (l1|l2|t1) ALPHA [LIMIT {i} {i}] [GET {get}] STORE {l}
        SORT_RO (l1|l2) [LIMIT {i} {i}] [DESC] [GET {get}]
        LRANGE {l} 0 -1
        DEL {any}
    """,
    # Played over two connections; MULTI and EXEC are frequent, so that most other commands are queued.
    "transactions": """
        MULTI
        MULTI
        EXEC
        EXEC
        EXEC
        DISCARD
        WATCH {any}+
        UNWATCH
        SET {any} {v} [NX|XX]
        GET {any}
        INCR {n}
        APPEND {any} {v}
        DEL {any}
        EXPIRE {any} {far}
        PERSIST {any}
        RENAME {any} {any}
        LPUSH {l} {m}+
        LPUSHX {l} {m}+
        LPOP {l}
        LRANGE {l} 0 -1
        LREM {l} 0 {m}
        LMOVE {l} {l} (LEFT|RIGHT) (LEFT|RIGHT)
        SADD {s} {m}+
        SREM {s} {m}+
        SMEMBERS {s}
        SUNIONSTORE {s} {s}+
        SELECT (0|0|0|1)
        SWAPDB 0 1
        FLUSHDB
        NOSUCH
        GET
    """,
}
