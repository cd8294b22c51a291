"""Bytes that are no proper requests: spoold answers, or closes, as Redis does.

To add a case, add its bytes to `BROKEN` (Redis answers and closes) or `ODD` (the connection goes on). Not compared: a
NUL byte in a header or an inline request, behind which Redis sees no line end and waits, and a request of 1,048,577 to
2,147,483,647 arguments, which spoold's limit refuses.
"""

from __future__ import annotations

import pytest
from tests.conformance.duel import Duel
from tests.conformance.wire import Link, encode

MARKER = b"$6\r\nmarker\r\n"
ECHO_MARKER = encode(b"ECHO", b"marker")

BROKEN: dict[str, bytes] = {
    "letters for a count": b"*abc\r\n",
    "an empty count": b"*\r\n$4\r\nPING\r\n",
    "a count beyond 32 bits": b"*2147483648\r\n",
    "a huge count": b"*99999999999999999999\r\n",
    "a count with a sign": b"*+1\r\n$4\r\nPING\r\n",
    "a count with a blank": b"* 1\r\n$4\r\nPING\r\n",
    "a count with a leading zero": b"*01\r\n$4\r\nPING\r\n",
    "a count with a fraction": b"*1.0\r\n$4\r\nPING\r\n",
    "an integer in the place of a string": b"*1\r\n:1\r\n",
    "a status in the place of a string": b"*1\r\n+PING\r\n",
    "an array within an array": b"*1\r\n*1\r\n$4\r\nPING\r\n",
    "letters for a length": b"*1\r\n$abc\r\n",
    "an empty length": b"*1\r\n$\r\n",
    "a negative length": b"*1\r\n$-1\r\n",
    "a very negative length": b"*2\r\n$4\r\nECHO\r\n$-2147483648\r\n",
    "a length beyond the limit": b"*1\r\n$536870913\r\n",
    "a huge length": b"*1\r\n$99999999999999999999\r\n",
    "a length with a sign": b"*1\r\n$+4\r\nPING\r\n",
    "garbage for the dollar": b"*2\r\n$4\r\nECHO\r\nx1\r\na\r\n",
    "a good request and then a broken one": encode(b"PING") + b"*1\r\n$abc\r\n" + encode(b"PING"),
    "a broken request inside MULTI": encode(b"MULTI") + encode(b"PING") + b"*1\r\n!\r\n",
    "quotes that are not closed": b'SET k "abc\r\n',
    "quotes with something behind": b'SET k "abc"def\r\n',
    "single quotes that are not closed": b"SET k 'abc\r\n",
    "a count that is too long": b"*" + b"1" * 70_000,
    "an inline request that never ends": b"a" * 70_000,
}

ODD: dict[str, bytes] = {
    "an empty array": b"*0\r\n",
    "a negative array": b"*-1\r\n",
    "a very negative array": b"*-10\r\n",
    "empty lines": b"\r\n\r\n\n\n",
    "a line of blanks": b"   \r\n",
    "inline": b"PING\r\n",
    "inline with arguments": b"SET k v\r\nGET k\r\n",
    "inline ended by LF alone": b"PING\nPING\n",
    "inline with quotes": b"SET k \"a b\\x00\\n\\\"\"\r\nGET k\r\nSET k 'a \\' b'\r\nGET k\r\n",
    "inline with blanks around": b"  ECHO   hello  \r\n",
    "inline with a tab": b"ECHO\thello\r\n",
    "inline, an empty argument": b'ECHO ""\r\n',
    "inline, an unknown escape": b'ECHO "\\q\\xzz"\r\n',
    "inline, then an array": b"PING\r\n" + encode(b"ECHO", b"x") + b"PING\r\n",
    "an array, then inline": encode(b"ECHO", b"x") + b"ECHO inline\r\n" + encode(b"PING"),
    "inline, a dollar line": b"$4\r\nPING\r\n",
    "inline, a colon line": b":1\r\n",
    "inline, binary": b"\x01\x02\xff\r\n",
    "an empty command name": b"*1\r\n$0\r\n\r\n",
    "an empty argument": b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n",
    "CR LF within a string": b"*2\r\n$4\r\nECHO\r\n$4\r\n\r\n\r\n\r\n",
    "a request that looks like HTTP PUT": b"PUT / HTTP/1.1\r\n",
    "two bytes that are not CR LF behind a string": b"*2\r\n$4\r\nECHO\r\n$1\r\naXX",
    "a deep pipeline": encode(b"INCR", b"n") * 3000,
    "a pipeline with errors between": (encode(b"GET") + encode(b"PING")) * 50,
}

HTTP = {
    "POST": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc",
    "a Host header": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
}

pytestmark = pytest.mark.needs_redis


@pytest.mark.parametrize("title", BROKEN)
def test_broken_bytes_get_the_same_error_and_a_closed_connection(duel: Duel, title: str) -> None:
    with duel.example():
        ours, theirs = (_exchange(side.port, BROKEN[title]) for side in duel.sides)
    assert ours == theirs
    assert ours[1], "the connection stays open"


@pytest.mark.parametrize("title", ODD)
def test_odd_bytes_get_the_same_answers(duel: Duel, title: str) -> None:
    with duel.example():
        ours, theirs = (_exchange(side.port, ODD[title] + ECHO_MARKER, MARKER) for side in duel.sides)
    assert ours == theirs
    assert ours[0].endswith(MARKER)


@pytest.mark.parametrize("title", ODD)
def test_bytes_that_come_one_by_one_get_the_same_answers(duel: Duel, title: str) -> None:
    if len(ODD[title]) > 1000:
        pytest.skip("too long to be sent byte by byte")
    with duel.example():
        answers = []
        for side in duel.sides:
            for byte in ODD[title] + ECHO_MARKER:
                side.link("a").send_raw(bytes([byte]))
            answers.append(side.link("a").rest(MARKER))
    assert answers[0] == answers[1]


@pytest.mark.parametrize("title", HTTP)
def test_a_web_browser_is_turned_away(duel: Duel, title: str) -> None:
    with duel.example():
        ours, theirs = (_exchange(side.port, HTTP[title]) for side in duel.sides)
    assert ours == theirs


def _exchange(port: int, data: bytes, marker: bytes = b"") -> tuple[bytes, bool]:
    """Send bytes; give what came back, up to the marker or the end, and whether the server closed."""
    link = Link(port)
    try:
        link.send_raw(data)
        return link.rest(marker)
    finally:
        link.close()
