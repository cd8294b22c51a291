r"""The language of `cases/*.txt`: what to send, over which connection, in which order.

    == title of a case           starts a case; its connections and its keyspace are fresh
    SET k "two words\x00"        sends a request on connection `a`, takes the reply, compares it
    b: GET k                     the same on connection `b` (any lower-case letter)
    b> BLPOP q 0                 sends it and goes on as soon as the server has parked `b`, or answered it
    b<                           takes the reply that `b` was waiting for
    b?                           compares whether `b` still waits
    b!                           closes connection `b`
    @until ":0" EXISTS k         repeats the request on each server until the reply is this, as RESP text
    @scan SSCAN k MATCH a*       follows the cursor to its end, compares everything that came (the cursor goes
                                 behind the command, or behind the key if the command is not SCAN)
    @resp 2                      (or 3) the case is run only with this protocol
    # …                          a remark

Arguments are written as in redis-cli: bare words, '…', and "…" with \xHH \r \n \t. In a bare word or in "…",
`{x*600}` stands for 600 times x, `{now+60}` for Unix seconds and `{ms+60000}` for Unix milliseconds from now on.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

CASES = Path(__file__).parent / "cases"

Action = Literal["call", "park", "take", "waits", "close", "until", "scan"]

ESCAPES = {"n": b"\n", "r": b"\r", "t": b"\t", "b": b"\b", "a": b"\a"}
TOKEN = re.compile(r'\s+|"(?P<double>(?:[^"\\]|\\.)*)"(?=\s|$)|\'(?P<single>(?:[^\'\\]|\\.)*)\'(?=\s|$)|(?P<bare>\S+)')
SPECIAL = re.compile(rb"\{(?:(?P<unit>now|ms)(?P<offset>[+-]\d+)|(?P<text>[^{}*]+)\*(?P<times>\d+))\}")


@dataclass(frozen=True)
class Step:
    """One line of a case."""

    action: Action
    connection: str
    args: tuple[bytes, ...] = ()
    expected: bytes = b""
    line: str = ""


@dataclass(frozen=True)
class Case:
    """One case of a file: its steps, and the protocols that it is meant for."""

    title: str
    steps: tuple[Step, ...]
    protocols: tuple[int, ...] = (2, 3)


@dataclass
class _Draft:
    title: str
    steps: list[Step] = field(default_factory=list)
    protocols: tuple[int, ...] = (2, 3)


def split(line: str) -> tuple[bytes, ...]:
    """Split a line into arguments as redis-cli does, with the `{…}` forms written out."""
    args = []
    position = 0
    while position < len(line):
        match = TOKEN.match(line, position)
        if match is None:
            raise ValueError(f"unbalanced quotes in {line!r}")
        position = match.end()
        if match["double"] is not None:
            args.append(_expand(_unescape(match["double"])))
        elif match["single"] is not None:
            args.append(match["single"].replace("\\'", "'").encode())
        elif match["bare"] is not None:
            if match["bare"][0] in "\"'":
                raise ValueError(f"unbalanced quotes in {line!r}")
            args.append(_expand(match["bare"].encode()))
    return tuple(args)


def join(args: tuple[bytes, ...]) -> str:
    """Write arguments so that `split` reads them back, long ones shortened: for people."""
    return " ".join(_quote(arg) for arg in args)


def read_cases(path: Path) -> list[Case]:
    """Read all cases of one file."""
    drafts: list[_Draft] = []
    for number, raw in enumerate(path.read_text().splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("=="):
            drafts.append(_Draft(line[2:].strip()))
            continue
        try:
            if line.startswith("@resp"):
                drafts[-1].protocols = (int(line.split()[1]),)
            else:
                drafts[-1].steps.append(_step(line))
        except (ValueError, IndexError) as error:
            raise ValueError(f"{path.name}:{number}: {error}: {line}") from error
    titles = [draft.title for draft in drafts]
    if repeated := {title for title in titles if titles.count(title) > 1}:
        raise ValueError(f"{path.name}: titles used twice: {sorted(repeated)}")
    return [Case(draft.title, tuple(draft.steps), draft.protocols) for draft in drafts]


def all_cases() -> Iterator[tuple[str, Case]]:
    """Give every case of every file, with the file's name."""
    for path in sorted(CASES.glob("*.txt")):
        for case in read_cases(path):
            yield path.stem, case


def _step(line: str) -> Step:
    if match := re.match(r"([a-z])([:><?!])(?:\s+(.*))?$", line):
        connection, sign, rest = match[1], match[2], match[3] or ""
        actions: dict[str, Action] = {":": "call", ">": "park", "<": "take", "?": "waits", "!": "close"}
        return Step(actions[sign], connection, split(rest), line=line)
    if line.startswith("@until "):
        expected, *args = split(line[len("@until ") :])
        return Step("until", "a", tuple(args), expected, line)
    if line.startswith("@scan "):
        return Step("scan", "a", split(line[len("@scan ") :]), line=line)
    if line.startswith("@"):
        raise ValueError("unknown directive")
    return Step("call", "a", split(line), line=line)


def _unescape(text: str) -> bytes:
    out = bytearray()
    position = 0
    while position < len(text):
        if text[position] != "\\":
            out += text[position].encode()
            position += 1
        elif match := re.compile(r"\\x([0-9a-fA-F]{2})").match(text, position):
            out.append(int(match[1], 16))
            position = match.end()
        else:
            out += ESCAPES.get(text[position + 1], text[position + 1].encode())
            position += 2
    return bytes(out)


def _expand(text: bytes) -> bytes:
    def special(match: re.Match[bytes]) -> bytes:
        if match["text"] is not None:
            return match["text"] * int(match["times"])
        now = time.time() if match["unit"] == b"now" else time.time() * 1000
        return b"%d" % (int(now) + int(match["offset"]))

    return SPECIAL.sub(special, text)


def _quote(arg: bytes) -> str:
    if len(arg) > 80:
        return f"«{len(arg)} B: {_quote(arg[:20])}…»"
    if arg and all(33 <= byte < 127 and byte not in b"\"'\\" for byte in arg):
        return arg.decode()
    named = {13: "\\r", 10: "\\n", 9: "\\t", 34: '\\"', 92: "\\\\"}
    return '"' + "".join(named.get(b) or (chr(b) if 32 <= b < 127 else f"\\x{b:02x}") for b in arg) + '"'
