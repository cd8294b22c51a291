"""Random requests from one line per command form.

A line of `FORMS` is a form of a command: bare words stand for themselves, `{pool}` for a value of a pool, and

    [A|B]     one of the alternatives or nothing         [EX {far}|PERSIST]
    (A|B)     one of the alternatives                    (BEFORE|AFTER)
    X+        one to four times X                        {m}+   ({k} {v})+

To add a family, add its lines to `FORMS`; to add values worth trying, add them to `POOLS`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import TypeVar

from hypothesis import strategies as st

T = TypeVar("T")

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

NAMES = {"k", "n", "f", "l", "s", "h", "z", "zt", "any"}
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


@dataclass(frozen=True)
class Slot:
    """A place in a form that takes a value: from pool `pool`, glued to what stands before and after it."""

    pool: str
    before: bytes = b""
    after: bytes = b""


# draw(n): a number from 0 to n-1; draw(-n): the same, asked for a number of repetitions
Draw = Callable[[int], int]
Part = Callable[[Draw], Iterator["bytes | Slot"]]

_TOKENS = re.compile(r"[\[\]()|]|\+(?=\s|\)|\]|$)|[^\s\[\]()|+]+")


def compile_form(form: str) -> Part:
    """Compile one form into a function that draws its words and slots."""
    tokens = _TOKENS.findall(form)
    position = 0

    def alternatives(closing: str) -> Part:
        nonlocal position
        options = [sequence()]
        while position < len(tokens) and tokens[position] == "|":
            position += 1
            options.append(sequence())
        assert position < len(tokens), f"unclosed in {form!r}"
        assert tokens[position] == closing, form
        position += 1
        if closing == "]":
            options = [lambda draw: iter(()), *options]
        return lambda draw: options[draw(len(options))](draw)

    def sequence() -> Part:
        nonlocal position
        parts: list[Part] = []
        while position < len(tokens) and tokens[position] not in ("]", ")", "|"):
            token = tokens[position]
            position += 1
            if token == "+":
                parts.append(_repeated(parts.pop()))
            elif token in "[(":
                parts.append(alternatives("]" if token == "[" else ")"))
            else:
                parts.append(_word(token))
        return lambda draw: (word for part in parts for word in part(draw))

    compiled = sequence()
    assert position == len(tokens), form
    return compiled


@cache
def forms(family: str) -> list[Part]:
    """Compile the forms of one family; `mixed` is all of them but the transactions."""
    if family == "mixed":
        return [part for each in FORMS if each != "transactions" for part in forms(each)]
    return [compile_form(line.strip()) for line in FORMS[family].splitlines() if line.strip()]


def fill(slot: Slot, draw: Draw) -> bytes:
    """Choose a value for a slot."""
    pool = POOLS[slot.pool]
    return slot.before + pool[draw(len(pool))] + slot.after


def timed(request: Sequence[bytes]) -> list[bytes]:
    """Turn `@s+N` and `@ms+N` into Unix time, N from now on: done last, so that an example can be played again."""
    return [_timed(arg) if arg.startswith((b"@s+", b"@ms+")) else arg for arg in request]


def _timed(value: bytes) -> bytes:
    unit, offset = value[1:].split(b"+")
    return b"%d" % (int(time.time() * (1000 if unit == b"ms" else 1)) + int(offset))


def build(part: Part, draw: Draw) -> list[bytes]:
    """Draw one request of a form."""
    return [fill(word, draw) if isinstance(word, Slot) else word for word in part(draw)]


@st.composite
def requests(draw: st.DrawFn, family: str, *, spoilt: bool = True) -> list[bytes]:
    """Draw one request of a family; one in ten is spoilt: an argument less, more, or another one."""
    known = forms(family)
    part = known[draw(_below(len(known)))]
    args = build(part, lambda n: draw(_below(abs(n))))
    if spoilt and draw(_below(10)) == 9 and len(args) > 1:
        at = 1 + draw(_below(len(args) - 1))
        how = draw(_below(4))
        if args[at - 1] == b"BY":  # a constant pattern over a set gives an order that nothing promises
            return args
        if args[0] == b"ZADD" and args[1] in POOLS["x"]:  # another score, and nothing promises what BYLEX gives
            return args
        if how == 0:
            del args[at]
        elif how == 1:
            args.append(args[at])
        elif how == 2:
            args[at] = JUNK_NUMBERS[draw(_below(len(JUNK_NUMBERS)))]
        else:
            args[at] = POOLS["any"][draw(_below(len(POOLS["any"])))]
    return args


def sequences(request: st.SearchStrategy[T]) -> st.SearchStrategy[list[T]]:
    """Draw some thirty requests: several lists, as hypothesis keeps a single one short; they shrink to nothing."""
    return st.lists(st.lists(request, max_size=30), min_size=6, max_size=6).map(lambda parts: list(chain(*parts)))


def numeric_variants(family: str) -> Iterator[list[bytes]]:
    """Give each form of a family with each of its numeric slots filled with each junk number, the rest plain."""
    for line in FORMS[family].splitlines():
        if not line.strip():
            continue
        part = compile_form(line.strip())
        for words in _plain_variants(part):
            numeric = [at for at, word in enumerate(words) if isinstance(word, Slot) and word.pool in NUMERIC]
            for at in numeric:
                for junk in JUNK_NUMBERS:
                    args = [fill(word, lambda n: 0) if isinstance(word, Slot) else word for word in words]
                    slot = words[at]
                    assert isinstance(slot, Slot)
                    args[at] = slot.before + junk + slot.after
                    yield timed(args)


def wrong_type_variants(family: str) -> Iterator[list[bytes]]:
    """Give each form of a family with each of its names replaced by a key of each type."""
    for line in FORMS[family].splitlines():
        if not line.strip():
            continue
        for words in _plain_variants(compile_form(line.strip())):
            for at, word in enumerate(words):
                for key in (b"s1", b"l1", b"t1", b"h1") if isinstance(word, Slot) and word.pool in NAMES else ():
                    args = [fill(each, lambda n: 0) if isinstance(each, Slot) else each for each in words]
                    args[at] = key
                    yield timed(args)


def _plain_variants(part: Part) -> Iterator[Sequence[bytes | Slot]]:
    """Walk through all alternatives of a form, repetitions once."""
    choices: list[tuple[int, int]] = []
    while True:
        at = -1

        def draw(n: int) -> int:
            nonlocal at
            if n < 0:
                return 0
            at += 1
            if at == len(choices):
                choices.append((0, n))
            return choices[at][0]

        yield tuple(part(draw))
        while choices and choices[-1][0] + 1 >= choices[-1][1]:
            choices.pop()
        if not choices:
            return
        taken, count = choices.pop()
        choices.append((taken + 1, count))


def _repeated(part: Part) -> Part:
    def repeat(draw: Draw) -> Iterator[bytes | Slot]:
        for _ in range(1 + draw(-4)):
            yield from part(draw)

    return repeat


def _word(token: str) -> Part:
    match = re.fullmatch(r"([^{}]*)\{(\w+)\}([^{}]*)", token)
    if match is None:
        word = token.encode()
        return lambda draw: iter((word,))
    before, pool, after = match.groups()
    assert pool in POOLS, token
    slot = Slot(pool, before.encode(), after.encode())
    return lambda draw: iter((slot,))


@cache
def _below(n: int) -> st.SearchStrategy[int]:
    return st.integers(min_value=0, max_value=n - 1)
