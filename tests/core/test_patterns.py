"""Glob patterns match as in Redis, in bounded time; the last test asks a real one."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoold.core import patterns
from spoold.core.patterns import compile_pattern, literal_prefix
from spoold.testing.process import LOOPBACK, RealRedis

MATCHES = [
    (b"", b"", True),
    (b"", b"a", False),
    (b"abc", b"abc", True),
    (b"abc", b"ABC", False),
    (b"abc", b"abcd", False),
    (b"*", b"", True),
    (b"*", b"anything\n", True),
    (b"**", b"anything", True),
    (b"**", b"", False),
    (b"a*", b"a", True),
    (b"a**", b"a", True),
    (b"a*", b"ba", False),
    (b"*a", b"ba", True),
    (b"*a", b"ab", False),
    (b"a*a", b"a", False),
    (b"a*a", b"aa", True),
    (b"*b*", b"abc", True),
    (b"a*b*c", b"a12b34c", True),
    (b"a*b*c", b"a12c34b", False),
    (b"*ab*ab", b"xab", False),
    (b"?", b"", False),
    (b"?", b"\n", True),
    (b"?", b"ab", False),
    (b"h?llo", b"hello", True),
    (b"h[ae]llo", b"hallo", True),
    (b"h[ae]llo", b"hillo", False),
    (b"h[^e]llo", b"hallo", True),
    (b"h[^e]llo", b"hello", False),
    (b"h[a-c]llo", b"hbllo", True),
    (b"h[c-a]llo", b"hbllo", True),
    (b"h[a-c]llo", b"hdllo", False),
    (b"[\x80-\xff]", b"\x90", True),
    (b"[!a]", b"a", True),
    (b"[]", b"a", False),
    (b"[]a]", b"a]", False),
    (b"[^]", b"a", True),
    (b"[^]x", b"ax", True),
    (b"[", b"[", False),
    (b"[^", b"a", True),
    (b"[ab", b"b", True),
    (b"[ab", b"c", False),
    (b"[a-", b"-", True),
    (b"[a-]", b"]", True),
    (b"[a-]", b"_", True),
    (b"[a-]b", b"b", True),
    (b"[\\]]", b"]", True),
    (b"[\\a-c]", b"-", True),
    (b"[\\a-c]", b"b", False),
    (b"[a\\", b"\\", True),
    (b"\\*", b"*", True),
    (b"\\*", b"a", False),
    (b"\\a", b"a", True),
    (b"\\\\", b"\\", True),
    (b"\\", b"\\", True),
    (b"a\\", b"a\\", True),
    (b"a.c", b"abc", False),
    (b"(a|b)*", b"(a|b)c", True),
    (b"a*\xff", b"ab\xff", True),
]

NOCASE_MATCHES = [
    (b"MaxMemory", b"maxmemory", True),
    (b"max*", b"MAXCLIENTS", True),
    (b"*", b"", True),
    (b"\\A", b"a", True),
    (b"[a-c]", b"B", True),
    (b"[A-C]", b"b", True),
    (b"[xyz]", b"Y", True),
    (b"[^xyz]", b"Y", False),
    (b"[\\x]", b"X", False),
    (b"[\\x]", b"x", True),
    (b"[Z-a]", b"z", False),
    (b"\xc4", b"\xe4", False),
    (b"@", b"`", False),
]

alphabet = b"abcAZ-^]\\"
texts = st.lists(st.sampled_from(alphabet), max_size=8).map(bytes)
globs = st.lists(st.sampled_from(alphabet + b"**??[[[]--\\"), max_size=10).map(bytes)


@pytest.fixture(params=["compiled", "walked"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to match a pattern; the second is for long ones."""
    if request.param == "walked":
        monkeypatch.setattr(patterns, "_COMPILED_BYTES", -1)
    return str(request.param)


@pytest.mark.parametrize(("pattern", "text", "fits"), MATCHES)
def test_a_pattern_fits_as_in_redis(way: str, pattern: bytes, text: bytes, fits: bool) -> None:
    assert compile_pattern(pattern)(text) is fits


@pytest.mark.parametrize(("pattern", "text", "fits"), NOCASE_MATCHES)
def test_case_is_ignored_on_request(way: str, pattern: bytes, text: bytes, fits: bool) -> None:
    assert compile_pattern(pattern, nocase=True)(text) is fits


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        (b"*?" * 1000, True),
        (b"*?" * 1000 + b"*", True),
        (b"*?" * 1001, False),
        (b"*a" * 1001 + b"*", False),
        (b"*" * 5000 + b"a", True),
    ],
)
def test_nothing_fits_more_than_a_thousand_stars(way: str, pattern: bytes, fits: bool) -> None:
    assert compile_pattern(pattern)(b"a" * 2000) is fits


@given(pattern=globs, text=texts, nocase=st.booleans())
def test_long_and_short_patterns_mean_the_same(pattern: bytes, text: bytes, nocase: bool) -> None:
    compiled = compile_pattern(pattern, nocase)(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patterns, "_COMPILED_BYTES", -1)
        assert compile_pattern(pattern, nocase)(text) is compiled


@given(pattern=st.binary(max_size=30), text=st.binary(max_size=30), nocase=st.booleans())
def test_any_bytes_are_a_pattern(pattern: bytes, text: bytes, nocase: bool) -> None:
    assert compile_pattern(pattern, nocase)(text) in (True, False)


@given(text=st.binary(max_size=30))
def test_an_escaped_text_matches_itself_alone(text: bytes) -> None:
    pattern = b"".join(b"\\" + bytes((code,)) for code in text)
    assert compile_pattern(pattern)(text)
    assert not compile_pattern(pattern)(text + b"x")
    assert literal_prefix(pattern) == text


@pytest.mark.parametrize(
    "pattern",
    [
        b"a*a*a*a*a*a*a*a*b",
        b"*a*a*a*a*a*a*a*a*b*",
        b"a?*a?*a?*a?*[a]*[^b]*b",
        b"[ab]*" * 30 + b"c",
        b"*" + b"?a" * 100 + b"b",
        b"?*" * 200 + b"b",
    ],
)
def test_stars_never_take_exponential_time(way: str, pattern: bytes) -> None:
    text = b"a" * 100_000
    fits = compile_pattern(pattern)
    started_s = time.perf_counter()
    assert not fits(text)
    assert time.perf_counter() - started_s < 5


@pytest.mark.parametrize(
    ("pattern", "prefix"),
    [
        (b"", b""),
        (b"*", b""),
        (b"job:*", b"job:"),
        (b"job:1", b"job:1"),
        (b"a?c", b"a"),
        (b"a[b]", b"a"),
        (b"a\\*b*", b"a*b"),
        (b"a\\\\[", b"a\\"),
        (b"a\\", b"a\\"),
        (b"\\", b"\\"),
    ],
)
def test_the_literal_prefix_ends_at_the_first_special_byte(pattern: bytes, prefix: bytes) -> None:
    assert literal_prefix(pattern) == prefix


@given(pattern=globs, text=texts)
def test_every_match_starts_with_the_literal_prefix(pattern: bytes, text: bytes) -> None:
    if compile_pattern(pattern)(text):
        assert text.startswith(literal_prefix(pattern))


class Matcher:
    """Asks a Redis which of a few hundred texts a pattern matches."""

    texts = tuple(
        {b"", *(b"%c%c%c" % (x, y, z) for x in alphabet for y in alphabet for z in b"ab]-"), b"a", b"b", b"aa", b"\\"}
    )

    def __init__(self, server: RealRedis) -> None:
        self._socket = socket.create_connection((LOOPBACK, server.port))
        self._file = self._socket.makefile("rb")
        self._ask(b"DEL", b"texts")
        self._ask(b"SADD", b"texts", *self.texts)

    def close(self) -> None:
        """Close the connection."""
        self._file.close()
        self._socket.close()

    def matches(self, pattern: bytes) -> set[bytes]:
        """Which of `texts` the pattern fits."""
        _, found = self._ask(b"SSCAN", b"texts", b"0", b"MATCH", pattern, b"COUNT", b"100000")
        return set(found)

    def _ask(self, *args: bytes) -> list:  # type: ignore[type-arg]
        self._socket.sendall(b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%b\r\n" % (len(arg), arg) for arg in args))
        return self._read()

    def _read(self):  # type: ignore[no-untyped-def]
        line = self._file.readline()
        if line[:1] == b"*":
            return [self._read() for _ in range(int(line[1:]))]
        if line[:1] == b"$":
            return self._file.read(int(line[1:]) + 2)[:-2]
        return line[1:-2]


@pytest.fixture(scope="module")
def redis(redis_server: RealRedis) -> Iterator[Matcher]:
    matcher = Matcher(redis_server)
    yield matcher
    matcher.close()


@pytest.mark.needs_redis
@given(pattern=globs)
def test_patterns_fit_what_they_fit_in_redis(redis: Matcher, pattern: bytes) -> None:
    fits = compile_pattern(pattern)
    assert {text for text in redis.texts if fits(text)} == redis.matches(pattern)
