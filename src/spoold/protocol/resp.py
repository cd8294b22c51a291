"""The Redis protocol, RESP2 and RESP3: requests in, replies out.

Three ways read the same requests, each falling back to the next on any doubt:

1. one request of a few short arguments in one chunk is split at its line ends, and every length compared;
2. a chunk of several requests goes through hiredis, several times faster than Python code. It is made for replies and
   accepts more than requests may hold, so what it gives is checked: only lists, only strings in them, as many `$` as
   strings. Where a request ends is never asked of it: an unguessable integer follows the chunk, and it must come out
   exactly after the last request;
3. the strict parser below is the authority: partial requests, inline commands, limits, every error of Redis.

What 2 lets through and 3 would refuse is only a string written as `+text` or `=8 txt:text` by someone who puts a `$`
elsewhere to make up for it; it is read as the string that it says.

As in Redis, the two bytes behind a string are skipped unchecked, and a NUL byte in a line hides the rest of the line.
"""

from __future__ import annotations

import re
import secrets
from io import BytesIO
from typing import Final

import hiredis

from spoold.core.errors import NotAnInteger, ProtocolError
from spoold.core.numerals import parse_int
from spoold.protocol.codec import KIB, Limits, Request
from spoold.protocol.inline import split_arguments
from spoold.protocol.replies import STRING_HEADERS, Encoder, encode2, encode3

__all__ = ["RespCodec", "encode2", "encode3"]

# The largest chunk that is worth a second look when the first fails; event loops read at most this much at once.
_QUICK_BYTES: Final = 256 * KIB

# Below this, the strict parser is done before hiredis has started.
_WORTH_HIREDIS: Final = 256

# The checks around hiredis look at every byte several times; the strict parser does not look into strings at all.
_LONG_REQUEST: Final = 2 * KIB

# A reader keeps its buffer; one that held more than this is dropped, so that idle connections stay small.
_READER_KEEPS: Final = 4 * KIB

# What a client that has not logged in may send, from Redis.
_UNTRUSTED_ARGS: Final = 10
_UNTRUSTED_BULK_BYTES: Final = 16 * KIB

_STAR: Final = 0x2A
_DOLLAR: Final = 0x24

# Lines of a request that is read by its line ends: one of at most nine arguments.
_QUICK_LINES: Final = 20
_HEADS: Final = STRING_HEADERS
_SHORT: Final = len(STRING_HEADERS)
_NUMBERS: Final = {b"%d" % number: number for number in range(1024)}

# Nobody can send this integer to end a chunk early: it is another one in each process.
_END: Final = secrets.randbits(60) + (1 << 60)
_END_WIRE: Final = b":%d\r\n" % _END

# hiredis makes room for a whole array when it sees its header: `*2000000000` alone would stop the server for seconds.
_HUGE: Final = re.compile(rb"\*[0-9]{5}")
# Other headers of RESP3 that hiredis turns into lists, which the code for arrays would take for requests.
_OTHER_LISTS: Final = re.compile(rb"[~>|][0-9]+\r\n")

_join: Final = b"".join


class RespCodec:
    """Reads the requests of one connection and writes its replies."""

    __slots__ = (
        "_args",
        "_left",
        "_limits",
        "_missing",
        "_payload_bytes",
        "_pipelining",
        "_quick_bytes",
        "_reader",
        "_room",
        "_seen_bytes",
        "_tail",
        "_trusted",
        "_value",
        "broken",
        "encode",
        "undecided",
    )

    def __init__(self, limits: Limits | None = None, version: int = 2) -> None:
        """limits: the defaults if None.    version: of the replies, 2 or 3; requests look the same in both."""
        self._limits = limits or Limits()
        self.broken: ProtocolError | None = None
        # True while a request of an untrusted client waits, see `trusted`.
        self.undecided = False
        self.encode: Encoder = encode2
        self.set_version(version)

        self._quick_bytes = _quick_bytes(self._limits)
        # The largest chunk that the quick ways may read now: 0 unless a request starts here and nothing forbids them.
        self._room = self._quick_bytes
        self._pipelining = False
        self._reader: hiredis.Reader | None = None
        self._trusted = True

        # The open request: what it has, how many arguments it lacks (0: none is open), their lengths together.
        self._args: Request = []
        self._left = 0
        self._payload_bytes = 0
        # Its open string, and how many bytes of it have not come yet, the two behind it included.
        self._value: BytesIO | None = None
        self._missing = 0
        # A line that has no end yet, and the bytes of the open request before it.
        self._tail = b""
        self._seen_bytes = 0

    @property
    def trusted(self) -> bool:
        """False for a client that must log in first: its requests have at most 10 arguments of at most 16 KiB.

        A client may send its login and a long request in one go. So the first request that is too long for an
        untrusted client, if it follows others in one chunk, waits with `undecided` set; run what `feed` returned, set
        `trusted` if one of them was the login, and call `feed(b"")`.
        """
        return self._trusted

    @trusted.setter
    def trusted(self, trusted: bool) -> None:
        self._trusted = trusted
        self._settle()

    @property
    def pending_bytes(self) -> int:
        """How many bytes are kept of a request that is not complete, its framing included."""
        return self._seen_bytes + len(self._tail)

    def set_limits(self, limits: Limits) -> None:
        """Change what requests may hold from the next chunk on."""
        self._limits = limits
        self._quick_bytes = _quick_bytes(limits)
        self._settle()

    def set_version(self, version: int) -> None:
        """Choose how replies are written.

        version: 2 or 3.
        """
        self.encode = encode3 if version == 3 else encode2

    def feed(self, data: bytes) -> list[Request]:
        """Take what has arrived.

        returns: every request that is now complete, in order; an empty list once `broken` is set.
        cost: 0.7 µs for one short request, 0.4 µs for each in a pipeline; O(bytes) however they are split.
        source: Redis serialization protocol specification; redis 7.0: src/networking.c, processInputBuffer.
        """
        if 0 < len(data) <= self._room and data[0] == _STAR:
            if not self._pipelining:
                # The end is empty where the last line has its CR LF. Of most requests nothing more is left to do.
                parts = data.split(b"\r\n", _QUICK_LINES)
                lines = len(parts)
                if lines == 6 and len(data) < _SHORT:
                    count, head_1, arg_1, head_2, arg_2, end = parts
                    if count == b"*2" and not end and head_1 == _HEADS[len(arg_1)] and head_2 == _HEADS[len(arg_2)]:
                        return [[arg_1, arg_2]]
                elif lines == 8 and len(data) < _SHORT:
                    count, head_1, arg_1, head_2, arg_2, head_3, arg_3, end = parts
                    if (
                        count == b"*3"
                        and not end
                        and head_1 == _HEADS[len(arg_1)]
                        and head_2 == _HEADS[len(arg_2)]
                        and head_3 == _HEADS[len(arg_3)]
                    ):
                        return [[arg_1, arg_2, arg_3]]
                if not lines & 1 and (args := _whole_request(parts)) is not None:
                    return [args]
            requests = self._read_pipeline(data)
            if requests is not None:
                return requests
            return self._parse(data, quick=False)
        return self._parse(data, quick=True)

    # The quick way through hiredis

    def _read_pipeline(self, data: bytes) -> list[Request] | None:
        """Read a chunk that starts with a request, and keep what is incomplete at its end.

        returns: None on any doubt; nothing was taken then.
        """
        if len(data) > _LONG_REQUEST and data.find(b"\n*", 1, _LONG_REQUEST) < 0:
            return None
        requests = self._ask_hiredis(data) if data[-1] == 0x0A else None
        if requests is None:
            # The last request is likely cut off. Where it seems to start is only a guess, and the reader judges it.
            cut = data.rfind(b"\r\n*") + 2
            if cut < 2 or (requests := self._ask_hiredis(data[:cut])) is None:
                return None
            requests += self._parse(data[cut:], quick=False)
        self._pipelining = len(requests) > 1
        return requests

    def _ask_hiredis(self, data: bytes) -> list[Request] | None:
        """Give the requests if `data` is nothing but whole ones; else, or on any doubt, None."""
        if _HUGE.search(data):
            return None
        if (0x7E in data or 0x7C in data or 0x3E in data) and _OTHER_LISTS.search(data):
            return None
        # The reader is clean when it is kept, so a fault in between leaves none.
        reader = self._reader or hiredis.Reader()
        self._reader = None
        requests: list[Request] = []
        try:
            reader.feed(data + _END_WIRE)
            gets = reader.gets
            append = requests.append
            request = gets()
            while request.__class__ is list:
                _join(request)  # only strings can be joined
                append(request)
                request = gets()
            if request != _END:
                return None
        except (hiredis.HiredisError, TypeError):
            return None
        # A string written in another way than `$` leaves a `$` too few.
        if data.count(b"$") < sum(map(len, requests)) or not all(requests):
            return None
        if len(data) <= _READER_KEEPS:
            self._reader = reader
        return requests

    # The strict parser

    def _parse(self, data: bytes, quick: bool) -> list[Request]:
        """Go on with the open request, if there is one, and read all that follow.

        quick: whether hiredis may be asked where a request starts.
        """
        requests: list[Request] = []
        if self.broken is not None:
            return requests
        data = self._tail + data
        self._tail = b""
        self.undecided = False
        try:
            self._read(data, quick, requests)
        except ProtocolError as fault:
            self.broken = fault
            self._args, self._value, self._tail = [], None, b""
            self._left = self._missing = self._payload_bytes = self._seen_bytes = 0
        self._pipelining = len(requests) > 1
        self._settle()
        return requests

    def _settle(self) -> None:
        """Note whether the next chunk may be read in a quick way."""
        free = self._trusted and self.broken is None and not self._left and not self._tail
        self._room = self._quick_bytes if free else 0

    def _read(self, data: bytes, quick: bool, requests: list[Request]) -> None:
        """Read `data`, add what is complete to `requests` and keep the rest.

        raises: ProtocolError.
        """
        at = 0
        end = len(data)
        while at < end:
            if not self._left:
                start = at
                if data[at] != _STAR:
                    at = self._read_inline(data, at, requests)
                else:
                    if quick and self._trusted and _WORTH_HIREDIS <= end - at <= self._quick_bytes:
                        quick = False
                        if (rest := self._read_pipeline(data[at:])) is not None:
                            requests += rest
                            return
                    at = self._read_count(data, at, bool(requests))
                if at == start:
                    self._tail = data[at:]
                    return
                if not self._left:
                    continue
                self._seen_bytes = at - start
            start = at
            at = self._read_arguments(data, at, bool(requests))
            if self._left:
                self._seen_bytes += at - start
                self._tail = data[at:]
                return
            requests.append(self._args)
            self._args = []
            self._payload_bytes = self._seen_bytes = 0

    def _read_inline(self, data: bytes, at: int, requests: list[Request]) -> int:
        """Read one line as a request; a line of blanks is none.

        returns: the place after it, or `at` if its end is not there yet.
        """
        limit = at + self._limits.inline_bytes + 1
        line_end = data.find(b"\n", at, limit)
        if line_end < 0 or data.find(b"\0", at, line_end) >= 0:
            if len(data) >= limit:
                raise ProtocolError("too big inline request")
            return at
        if args := split_arguments(data[at:line_end].removesuffix(b"\r")):
            requests.append(args)
        return line_end + 1

    def _read_count(self, data: bytes, at: int, follows: bool) -> int:
        """Read the header of a request, and open it unless it announces nothing.

        follows: whether this chunk gave other requests before this one.
        returns: the place after it, or `at` if it has to wait.
        """
        line_end = self._find_line_end(data, at, "mbulk")
        if line_end < 0:
            return at
        count = _number(data[at + 1 : line_end])
        if count is None or count > self._limits.args:
            raise ProtocolError("invalid multibulk length")
        if count > _UNTRUSTED_ARGS and not self._trusted:
            if not follows:
                raise ProtocolError("unauthenticated multibulk length")
            self.undecided = True
            return at
        self._left = max(count, 0)
        return line_end + 2

    def _read_arguments(self, data: bytes, at: int, follows: bool) -> int:
        """Read the strings that the open request lacks, as far as they are there.

        follows: whether this chunk gave other requests before this one.
        returns: the place up to which all was taken; a line without end is not.
        """
        if self._value is not None:
            at = self._continue_value(data, at)
        args, left, end = self._args, self._left, len(data)
        bulk_bytes = self._limits.bulk_bytes
        while left and at < end:
            line_end = data.find(b"\r", at, at + 8)
            length = _NUMBERS.get(data[at + 1 : line_end]) if line_end > 0 and data[at] == _DOLLAR else None
            if length is None or line_end + 2 > end or length > bulk_bytes:
                line_end = self._find_line_end(data, at, "bulk")
                if line_end < 0:
                    break
                length = self._check_length(data[at:line_end], follows)
                if length is None:
                    break
            self._payload_bytes += length
            if self._payload_bytes > self._limits.request_bytes:
                raise ProtocolError("too big request")
            start = line_end + 2
            at = start + length + 2
            if at > end:
                # Not sliced from a growing buffer when it is complete: that would copy what came with every chunk.
                self._value = BytesIO()
                self._value.write(data[start : start + length])
                self._missing = at - end
                at = end
                break
            args.append(data[start : start + length])
            left -= 1
        self._left = left
        return at

    def _continue_value(self, data: bytes, at: int) -> int:
        """Add to the open string; returns the place up to which that took `data`."""
        value, missing, stop = self._value, self._missing, at + self._missing
        if value is not None and missing > 2:
            value.write(data[at : stop - 2])
        if stop > len(data):
            self._missing = stop - len(data)
            return len(data)
        if value is not None:
            self._args.append(value.getvalue())
        self._value = None
        self._missing = 0
        self._left -= 1
        return stop

    def _find_line_end(self, data: bytes, at: int, what: str) -> int:
        """Find the CR of the line at `at`; -1 if it, or the byte behind it, has not come yet.

        raises: ProtocolError if the line is longer than any may be.
        """
        limit = at + self._limits.inline_bytes + 1
        line_end = data.find(b"\r", at, limit)
        if line_end < 0 or data.find(b"\0", at, line_end) >= 0:
            if len(data) >= limit:
                raise ProtocolError(f"too big {what} count string")
            return -1
        return line_end if line_end + 2 <= len(data) else -1

    def _check_length(self, line: bytes, follows: bool) -> int | None:
        """Read the header of a string.

        returns: its length; None if it has to wait because the client is not trusted yet.
        raises: ProtocolError.
        """
        if line[:1] != b"$":
            # An error is one line; Redis puts a blank where the wrong byte is the line's end.
            raise ProtocolError(b"expected '$', got '%b'" % (line[:1].strip(b"\n") or b" "))
        length = _number(line[1:])
        if length is None or not 0 <= length <= self._limits.bulk_bytes:
            raise ProtocolError("invalid bulk length")
        if length > _UNTRUSTED_BULK_BYTES and not self._trusted:
            if not follows:
                raise ProtocolError("unauthenticated bulk length")
            self.undecided = True
            return None
        return length


def _number(text: bytes) -> int | None:
    """Read a length; None if it is no number, which each header has its own error for."""
    try:
        return parse_int(text)
    except NotAnInteger:
        return None


def _quick_bytes(limits: Limits) -> int:
    """The largest chunk that can't break a limit: a complete request of n arguments takes more than 6 n bytes."""
    return min(_QUICK_BYTES, limits.bulk_bytes, limits.request_bytes, limits.args * 6)


def _whole_request(parts: list[bytes]) -> Request | None:
    """The arguments if these are the lines of one request, with nothing behind it."""
    args = parts[2::2]
    if not args or parts[-1] or parts[0] != b"*%d" % len(args):
        return None
    return args if parts[1:-1:2] == [b"$%d" % len(arg) for arg in args] else None
