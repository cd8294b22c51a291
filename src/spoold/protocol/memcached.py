"""memcached's text protocol, as far as it is framing: lines, and blocks of data behind some of them.

A request is the words of its line, and behind them the data block if its verb has one:

    get a b\\r\\n                          [b"get", b"a", b"b"]
    set k 0 60 5 noreply\\r\\nhello\\r\\n    [b"set", b"k", b"0", b"60", b"5", b"noreply", b"hello"]

What a key, a flag or a verb means is nothing to the codec: the doors for values and for queues share it. It knows only
where the length of a block stands (`_LENGTH_AT`). A request that can't be used is returned too, as its words with a
fault before them, so that replies keep their order and only the door decides what to answer; no client can write such
a word, for it holds a space:

    EMPTY_LINE  there are no words
    MISCOUNTED  too few or too many words for a verb with a block: no block is taken
    BAD_LENGTH  the length of the block is no number, or one beyond 31 bits: no block is taken
    TOO_LARGE   the block is longer than the limit: it is skipped as it comes
    BAD_CHUNK   the block is not followed by CR LF; what follows those two bytes is read as a line

Lines end with LF or CR LF, words are separated by spaces, a NUL hides the rest of its line: all as in memcached. To
add a verb with a block, give it a line in `_LENGTH_AT`.

source: memcached 1.6.18, doc/protocol.txt, and its behaviour as measured.
"""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any, Final

from spoold.core.errors import CommandError, ProtocolError
from spoold.protocol.codec import MIB, Limits, Request

# Where, among the words of its line, a verb's block length stands, and how many words the line may have.
_LENGTH_AT: Final = {
    **dict.fromkeys((b"set", b"add", b"replace", b"append", b"prepend"), (4, 5, 6)),
    b"cas": (4, 6, 7),
    b"ms": (2, 3, 1 << 30),
}

EMPTY_LINE: Final = b" empty line"
MISCOUNTED: Final = b" miscounted"
BAD_LENGTH: Final = b" bad length"
TOO_LARGE: Final = b" too large"
BAD_CHUNK: Final = b" bad chunk"

# A line may be this long, as in memcached; one that asks for many keys longer.
LINE_BYTES: Final = 2048
KEYS_LINE_BYTES: Final = 4 * MIB
_MANY_KEYS: Final = (b"get ", b"gets ", b"gat ", b"gats ")

# memcached's lengths are 31 bits, the line end behind the block included.
_MAX_LENGTH: Final = 2**31 - 3
_MAX_DIGITS: Final = 20

_LF: Final = 0x0A
_CR: Final = 0x0D
_BINARY_MAGIC: Final = 0x80

# How a web page can make a browser talk to a local server: the request's body would be read as commands.
_BROWSER: Final = frozenset((b"POST", b"Host:", b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"PATCH"))
_BROWSER_ALONE: Final = (b"POST", b"Host:")
_HTTP: Final = b"HTTP/"

_ONE_KEY: Final = re.compile(rb"get ([^ \0\n]{1,250})\r\n").fullmatch
_SET: Final = re.compile(
    rb"(set) ([^ \0\n]{1,250}) ([0-9]{1,10}) ([0-9]{1,10}) ([0-9]{1,8})\r\n(.*)\r\n", re.DOTALL
).fullmatch


class MemcachedCodec:
    """Reads the requests of one connection; replies are bytes already."""

    __slots__ = (
        "_block",
        "_busy",
        "_first",
        "_line_bytes",
        "_missing",
        "_pieces",
        "_pieces_bytes",
        "_skipping",
        "_words",
        "broken",
        "max_block",
    )

    def __init__(self, limits: Limits | None = None) -> None:
        """limits: the defaults if None; `bulk_bytes` holds for blocks, `request_bytes` for lines of many keys."""
        limits = limits or Limits()
        self.broken: ProtocolError | None = None
        self.max_block = min(limits.bulk_bytes, limits.request_bytes, _MAX_LENGTH)
        self._line_bytes = max(min(KEYS_LINE_BYTES, limits.request_bytes), LINE_BYTES)
        self._first = True
        # Something is kept, or has to be looked at: the next piece is not simply the beginning of a line.
        self._busy = True
        # A line without its end yet.
        self._pieces: list[bytes] = []
        self._pieces_bytes = 0
        # The words of a request whose block is not complete, the block, and how many bytes lack, CR LF included.
        self._words: Request = []
        self._block: BytesIO | None = None
        self._missing = 0
        self._skipping = 0

    @property
    def pending_bytes(self) -> int:
        """How many bytes are kept of a request that is not complete."""
        return self._pieces_bytes + (0 if self._block is None else self._block.tell())

    def feed(self, data: bytes) -> list[Request]:
        """Take what has arrived.

        returns: every request that is now complete, in order; an empty list once `broken` is set.
        cost: 0.3 to 0.6 µs for a request in one piece; O(bytes) however they are split.
        """
        if self._busy:
            return self._resume(data)
        # One short request in one piece is nearly all there is; on any doubt the loop below reads it.
        if found := _ONE_KEY(data):
            return [[b"get", found[1]]]
        if found := _SET(data):
            words = [*found.groups()]
            if int(words[4]) == len(words[5]) <= self.max_block:
                return [words]
        requests: list[Request] = []
        self._read(data, 0, requests)
        return requests

    def encode(self, reply: Any) -> bytes:
        """Write one reply: bytes as they are, a CommandError as SERVER_ERROR."""
        if reply.__class__ is bytes:
            return reply
        assert isinstance(reply, CommandError)  # noqa: S101 - verbs return bytes
        return b"SERVER_ERROR " + reply.message.removeprefix(b"ERR ") + b"\r\n"

    def _resume(self, data: bytes) -> list[Request]:
        """Go on where the last piece ended."""
        requests: list[Request] = []
        if self.broken is not None or not data:
            return requests
        self._busy = False
        at = 0
        if self._skipping:
            at = min(self._skipping, len(data))
            self._skipping -= at
            self._busy = self._skipping > 0
        elif self._missing:
            at = self._continue_block(data, requests)
        elif self._pieces:
            if b"\n" not in data:
                self._keep(data)
                return requests
            data = b"".join((*self._pieces, data))
            self._pieces = []
            self._pieces_bytes = 0
        elif self._first:
            self._first = False
            if data[0] == _BINARY_MAGIC:
                self._break(ProtocolError("binary memcached request", farewell=b""))
                return requests
        self._read(data, at, requests)
        return requests

    def _read(self, data: bytes, at: int, requests: list[Request]) -> None:
        """Read `data` from `at` on, where a line starts; add what is complete to `requests` and keep the rest."""
        end = len(data)
        while at < end:
            line_end = data.find(b"\n", at)
            if line_end < 0:
                self._keep(data[at:] if at else data)
                return
            if line_end - at > LINE_BYTES and self._is_too_long(data[at : at + LINE_BYTES], line_end - at):
                return
            line = data[at : line_end - 1] if data[line_end - 1] == _CR and line_end > at else data[at:line_end]
            at = line_end + 1
            if b"\0" in line:
                line = line[: line.index(b"\0")]
            words = line.split(b" ")
            if b"" in words:
                words = [word for word in words if word]
                if not words:
                    requests.append([EMPTY_LINE])
                    continue
            verb = words[0]
            if verb not in _LENGTH_AT:
                if verb in _BROWSER and self._is_browser(words):
                    return
                requests.append(words)
                continue
            length = self._block_length(words, requests)
            if length < 0:
                continue
            stop = at + length
            if length > self.max_block:
                requests.append([TOO_LARGE, *words])
                self._skipping = max(stop + 2 - end, 0)
                self._busy = self._skipping > 0
                at = stop + 2
            elif stop + 2 > end:
                self._words = words
                self._block = BytesIO()
                self._block.write(data[at:])
                self._missing = stop + 2 - end
                self._busy = True
                return
            else:
                if data[stop] == _CR and data[stop + 1] == _LF:
                    words.append(data[at:stop])
                else:
                    words.insert(0, BAD_CHUNK)
                requests.append(words)
                at = stop + 2

    def _block_length(self, words: Request, requests: list[Request]) -> int:
        """The length of the block behind a line; -1 if it can't be told, and the fault is in `requests`."""
        index, low, high = _LENGTH_AT[words[0]]
        if not low <= len(words) <= high:
            requests.append([MISCOUNTED, *words])
            return -1
        text = words[index]
        if not text.isdigit() or len(text) > _MAX_DIGITS or (length := int(text)) > _MAX_LENGTH:
            requests.append([BAD_LENGTH, *words])
            return -1
        return length

    def _continue_block(self, data: bytes, requests: list[Request]) -> int:
        """Add to the open block; returns the place up to which that took `data`."""
        block, missing = self._block, self._missing
        assert block is not None  # noqa: S101 - one is open
        if len(data) < missing:
            block.write(data)
            self._missing -= len(data)
            self._busy = True
            return len(data)
        block.write(data[:missing])
        words, self._words = self._words, []
        self._block = None
        self._missing = 0
        value = block.getvalue()
        if value.endswith(b"\r\n"):
            words.append(value[:-2])
        else:
            words.insert(0, BAD_CHUNK)
        requests.append(words)
        return missing

    def _keep(self, piece: bytes) -> None:
        """Keep a piece of a line that has no end yet."""
        self._pieces.append(piece)
        self._pieces_bytes += len(piece)
        self._busy = True
        if self._pieces_bytes > LINE_BYTES:
            if len(self._pieces[0]) < LINE_BYTES:
                self._pieces = [b"".join(self._pieces)]
            self._is_too_long(self._pieces[0][:LINE_BYTES], self._pieces_bytes)

    def _is_too_long(self, start: bytes, length: int) -> bool:
        """Whether a line of more than LINE_BYTES may not be that long: the stream is broken then.

        start: its first LINE_BYTES.
        """
        if length <= self._line_bytes and start.lstrip(b" ").startswith(_MANY_KEYS):
            return False
        self._break(ProtocolError("line too long", farewell=b"CLIENT_ERROR line too long\r\n"))
        return True

    def _is_browser(self, words: Request) -> bool:
        """Whether a line that begins like one of HTTP is one: the stream is broken then, and HTTP gets no answer."""
        farewell = b"" if words[-1].startswith(_HTTP) else b"ERROR\r\n"
        if farewell and words[0] not in _BROWSER_ALONE:
            return False
        self._break(ProtocolError("a web browser's request", farewell=farewell))
        return True

    def _break(self, error: ProtocolError) -> None:
        self.broken = error
        self._busy = True
        self._pieces = []
        self._pieces_bytes = 0
