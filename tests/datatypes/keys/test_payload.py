"""DUMP's payloads: what Redis wrote is read, what is written Redis reads, and damage is refused."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spoold.core.crc64 import crc64
from spoold.core.errors import BadFormat, BadPayload
from spoold.datatypes.keys.payload import Value, decode, encode
from spoold.testing.process import RealRedis

# Payloads as Redis 7.0.15 made them.
FROM_REDIS = {
    "000568656c6c6f0a006372df766534200a": Value(b"string", [b"hello"]),
    "00c17fff0a001760822854808480": Value(b"string", [b"-129"]),
    "00c2701101000a0001a408fe953095a5": Value(b"string", [b"70000"]),
    "00c07f0a000db5eb315254c514": Value(b"string", [b"127"]),
    "000a333030303030303030300a00e7076b7954bb7947": Value(b"string", [b"3000000000"]),
    "00000a005d9b5c400f7fa2da": Value(b"string", [b""]),
    "00c30a405002616261e042010161620a00949d5f0eb1dea445": Value(b"string", [b"ab" * 40]),
    "00c30c412d017878e0ff00e018000178790a00ecf5927442100b48": Value(b"string", [b"x" * 300 + b"y"]),
    "120102c33840d71fd700000009008161020101dffb02f1881303f270110104f24039d204f400f205012a01402002e0467ae03c00034"
    "8e064ffe05a000166ff0a009ebff453623715ad": Value(
        b"list",
        [b"a", b"1", b"-5", b"5000", b"70000", b"-3000000", b"5000000000", b"z" * 70, b"\xff" * 100],
    ),
    "0b0e0200000003000000010002002c010a00e510b28e7b9529aa": Value(b"set", [b"1", b"2", b"300"]),
    "0b10040000000200000001000000701101000a002735436efd6656c4": Value(b"set", [b"1", b"70000"]),
    "0b180800000002000000ffffffffffffffff00f2052a010000000a007c5c26b46e56fe62": Value(b"set", [b"-1", b"5000000000"]),
    "0203c001016201610a004467f0c6e2d12e5b": Value(b"set", [b"1", b"b", b"a"]),
    "04030163c3094050017a7ae04300017a7a0162c2701101000161c0010a00f424f157b66a42e9": Value(
        b"hash", [b"c", b"z" * 80, b"b", b"70000", b"a", b"1"]
    ),
    "10c3183a103a0000000400816102dffb02816202a878e01e000129ff0a003deebd879a994ba5": Value(
        b"hash", [b"a", b"-5", b"b", b"x" * 40]
    ),
}

texts = st.binary(max_size=40) | st.integers(-(2**63), 2**63 - 1).map(lambda number: b"%d" % number)
values = st.one_of(
    st.builds(Value, st.just(b"string"), st.lists(texts | st.binary(min_size=60, max_size=70), min_size=1, max_size=1)),
    st.builds(Value, st.just(b"list"), st.lists(texts, min_size=1)),
    st.builds(Value, st.just(b"set"), st.lists(texts, min_size=1, unique=True)),
    st.dictionaries(texts, texts, min_size=1).map(
        lambda pairs: Value(b"hash", [part for pair in pairs.items() for part in pair])
    ),
)


def signed(body: bytes) -> bytes:
    """The payload of a body: version and checksum behind it."""
    body += b"\x0a\x00"
    return body + crc64(body).to_bytes(8, "little")


def ziplist(entries: list[bytes]) -> bytes:
    """A ziplist of encoded entries."""
    body, before = b"", 0
    for entry in entries:
        entry = (bytes((before,)) if before < 0xFE else b"\xfe" + before.to_bytes(4, "little")) + entry
        body, before = body + entry, len(entry)
    head = (11 + len(body)).to_bytes(4, "little") + (10 + len(body) - before).to_bytes(4, "little")
    return head + len(entries).to_bytes(2, "little") + body + b"\xff"


# Every form of an entry in a ziplist, and what it stands for.
ZIPLIST_ENTRIES = {
    b"\x03abc": b"abc",
    b"\x00": b"",
    b"\x40\x50" + b"q" * 80: b"q" * 80,
    b"\x80\x00\x00\x41\x00" + b"r" * 0x4100: b"r" * 0x4100,
    b"\xf1": b"0",
    b"\xfd": b"12",
    b"\xfe\x80": b"-128",
    b"\xc0\xff\x7f": b"32767",
    b"\xf0\x00\x00\x80": b"-8388608",
    b"\xd0\xff\xff\xff\x7f": b"2147483647",
    b"\xe0" + (-(2**63)).to_bytes(8, "little", signed=True): b"-9223372036854775808",
}


def string(text: bytes) -> bytes:
    """An RDB string with a length of 4 bytes."""
    return b"\x80" + len(text).to_bytes(4, "big") + text


OLD_LISTS = [
    signed(b"\x0a" + string(ziplist(list(ZIPLIST_ENTRIES)))),
    signed(b"\x0e\x02" + string(ziplist(list(ZIPLIST_ENTRIES)[:4])) + string(ziplist(list(ZIPLIST_ENTRIES)[4:]))),
]


def test_the_checksum_is_the_one_that_redis_names() -> None:
    assert crc64(b"") == 0
    assert crc64(b"123456789") == 0xE9C6D914C4B8D9CA


@pytest.mark.parametrize("payload", FROM_REDIS)
def test_what_redis_wrote_is_read(payload: str) -> None:
    assert decode(bytes.fromhex(payload)) == FROM_REDIS[payload]


@pytest.mark.parametrize("payload", OLD_LISTS)
def test_what_older_redis_wrote_is_read(payload: bytes) -> None:
    assert decode(payload) == Value(b"list", list(ZIPLIST_ENTRIES.values()))


def test_hashes_of_older_redis_are_read() -> None:
    entries = list(ZIPLIST_ENTRIES.items())[:10]
    packed = signed(b"\x0d" + string(ziplist([entry for entry, _ in entries])))
    assert decode(packed) == Value(b"hash", [text for _, text in entries])


def test_short_values_are_written_as_redis_writes_them() -> None:
    for payload, value in FROM_REDIS.items():
        if value.kind == b"string" and len(value.parts[0]) < 20:
            assert encode(value).hex() == payload


@given(values)
def test_a_value_comes_back(value: Value) -> None:
    assert decode(encode(value)) == value


@pytest.mark.parametrize("length", [0, 63, 64, 16383, 16384, 100_000])
def test_strings_of_any_length_come_back(length: int) -> None:
    value = Value(b"string", [b"\xff" * length])
    assert decode(encode(value)) == value


@given(values, st.data())
def test_a_payload_that_is_cut_off_or_changed_is_refused(value: Value, data: st.DataObject) -> None:
    payload = encode(value)
    with pytest.raises(BadPayload):
        decode(payload[: data.draw(st.integers(0, len(payload) - 1))])
    at = data.draw(st.integers(0, len(payload) - 1))
    flip = data.draw(st.integers(1, 255))
    with pytest.raises(BadPayload):
        decode(payload[:at] + bytes((payload[at] ^ flip,)) + payload[at + 1 :])


LZF_BOMB = b"\x00\xc3" + b"\x05" + b"\x81" + (1 << 40).to_bytes(8, "big") + b"\x01ab\xe0\xff"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00",
        b"\x63\x01a",  # a type that is not known
        b"\x04\x00",  # a hash without a field
        b"\x04\x01\x01f",  # a field without a value
        b"\x04\x02\x01f\x01v\x01f\x01v",  # a field twice
        b"\x04\x81" + b"\xff" * 8,
        b"\x10" + b"\x09" + b"\x09\x00\x00\x00\x01\x00\x01\x01\xff",  # the same in one piece
        b"\x00\x02a",  # a string that is cut off
        b"\x00\x01ab",  # bytes behind the value
        b"\x00\xc4\x00",  # a form of string that is not known
        b"\x00\x82\x00",  # a form of length that is not known
        b"\x00\x81" + b"\xff" * 8,
        b"\x01\x00",  # nothing in it
        b"\x01\x81" + b"\x7f" + b"\xff" * 7 + b"\x01a",
        b"\x02\x02\x01a\x01a",  # a member twice
        b"\x12\x00",
        b"\x12\x01\x03\x01a",  # a container that is not known
        b"\x12\x01\x02\x07\x07\x00\x00\x00\x00\x00\xff",  # a node without entries
        b"\x12\x01\x02\x08\x08\x00\x00\x00\x01\x00\xf5\xff",  # a form of entry that is not known
        b"\x12\x01\x02\x0a\x09\x00\x00\x00\x01\x00\x01\x01\xff\xff",  # a length that is not so
        b"\x12\x01\x02\x09\x09\x00\x00\x00\x01\x00\x01\x01\x00",  # no end
        b"\x0b\x08" + b"\x03\x00\x00\x00\x00\x00\x00\x00",  # integers of three bytes
        b"\x0b\x0a" + b"\x02\x00\x00\x00\x02\x00\x00\x00\x01\x00",  # fewer than they say
        b"\x00\xc3\x03\x04\x20\x00\x00",  # a reference to what stands before the beginning
        b"\x00\xc3\x02\x09\x00a",  # shorter than it says
        b"\x00\xc3\x03\x01\x01ab",  # longer than it says
        LZF_BOMB,
    ],
)
def test_a_damaged_value_is_refused(body: bytes) -> None:
    with pytest.raises(BadFormat):
        decode(signed(body))


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from([0, 1, 2, 4, 10, 11, 13, 14, 16, 18, 20]), st.binary(max_size=60), st.booleans())
def test_random_values_are_read_or_refused_and_nothing_else(type_byte: int, body: bytes, framed: bool) -> None:
    if framed:
        body = (b"\x01" if type_byte in {14, 18} else b"") + string((6 + len(body)).to_bytes(4, "little") + body)
    try:
        value = decode(signed(bytes((type_byte,)) + body))
    except BadFormat:
        return
    assert value.parts
    assert all(type(part) is bytes for part in value.parts)


@pytest.fixture
def client(redis_server: RealRedis) -> Iterator[redis.Redis]:
    """A client of the real Redis, emptied."""
    with redis.Redis(port=redis_server.port) as made:
        made.flushall()
        yield made


@pytest.mark.needs_redis
def test_redis_restores_what_is_written(client: redis.Redis) -> None:
    chance = random.Random(5)
    for number in range(100):
        parts = [
            chance.choice([b"", b"a", b"-1", b"300", b"70000", chance.randbytes(chance.randrange(90))])
            for _ in range(9)
        ]
        client.restore(f"l{number}", 0, encode(Value(b"list", parts)))
        assert client.lrange(f"l{number}", 0, -1) == parts
        client.restore(f"t{number}", 0, encode(Value(b"set", list(set(parts)))))
        assert client.smembers(f"t{number}") == set(parts)
        client.restore(f"s{number}", 0, encode(Value(b"string", parts[:1])))
        assert client.get(f"s{number}") == parts[0]
        mapping = dict(zip(parts[:4], parts[4:8], strict=True))
        client.restore(f"h{number}", 0, encode(Value(b"hash", [part for pair in mapping.items() for part in pair])))
        assert client.hgetall(f"h{number}") == mapping
    for payload in OLD_LISTS:
        client.restore("old", 0, payload, replace=True)
        assert client.lrange("old", 0, -1) == list(ZIPLIST_ENTRIES.values())


@pytest.mark.needs_redis
def test_what_redis_dumps_is_read(client: redis.Redis) -> None:
    chance = random.Random(6)
    for number in range(200):
        repeated = chance.randbytes(chance.randrange(1, 5)) * chance.randrange(1, 200)
        parts = [b"%d" % chance.randrange(-(2 ** chance.randrange(1, 64)), 2 ** chance.randrange(1, 64)), repeated]
        parts += [chance.randbytes(chance.choice([0, 5, 63, 64, 4095, 4096, 9000])) for _ in range(chance.randrange(3))]
        client.rpush(f"l{number}", *parts)
        assert decode(client.dump(f"l{number}")) == Value(b"list", parts)
        client.set(f"s{number}", repeated)
        assert decode(client.dump(f"s{number}")) == Value(b"string", [repeated])
        client.sadd(f"t{number}", *parts[: chance.randrange(1, 3)])
        read = decode(client.dump(f"t{number}"))
        assert (read.kind, set(read.parts)) == (b"set", client.smembers(f"t{number}"))
        mapping = dict(zip(parts, reversed(parts), strict=True))
        client.hset(f"h{number}", mapping=mapping)
        read = decode(client.dump(f"h{number}"))
        assert (read.kind, dict(zip(read.parts[::2], read.parts[1::2], strict=True))) == (b"hash", mapping)
