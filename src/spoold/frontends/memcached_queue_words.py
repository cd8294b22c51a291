"""How the queue door reads a queue's name with options, and the lines of its own that it answers."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from spoold.frontends.memcached_words import MAX_KEY_BYTES, parse_unsigned

BAD_NAME: Final = b"CLIENT_ERROR a queue's name is 1 to 250 bytes without a slash\r\n"
BAD_OPTION: Final = b"CLIENT_ERROR options of get are /t=MILLISECONDS /open /close /abort /peek\r\n"
BAD_COMBINATION: Final = b"CLIENT_ERROR peek and abort go with no other option but a time\r\n"
BAD_WAIT: Final = b"CLIENT_ERROR only a get of one queue may wait\r\n"
BAD_NUMBER: Final = b"CLIENT_ERROR expected a number\r\n"
OPEN_ALREADY: Final = b"CLIENT_ERROR an item of this queue is open on this connection already\r\n"
NOT_SO_MANY: Final = b"CLIENT_ERROR fewer items of this queue are open on this connection\r\n"
NO_DELAY: Final = b"CLIENT_ERROR flush_all takes no delay here\r\n"

# The longest wait, some 24 days.
MAX_WAIT_MS: Final = 2**31 - 1


class Read(NamedTuple):
    """What a `get` asks of one queue.

    key: as the client wrote it, which is what it finds its answer by. queue: the name in it.
    wait_ms: how long to wait for an item. close, open, abort, peek: as in the table of the dialect.
    """

    key: bytes
    queue: bytes
    wait_ms: int = 0
    close: bool = False
    open: bool = False
    abort: bool = False
    peek: bool = False

    @property
    def takes(self) -> bool:
        """Whether it is about an item that waits, not only about one that is open."""
        return not self.abort and (self.open or not self.close)


def parse_read(key: bytes) -> Read | bytes:
    """Read a name with options; returns an error line if it can't be read."""
    return BAD_NAME if len(key) > MAX_KEY_BYTES else _parse(key)


@lru_cache(4096)
def _parse(key: bytes) -> Read | bytes:
    queue, *options = key.split(b"/")
    if (problem := name_problem(queue)) is not None:
        return problem
    wait_ms = 0
    flags = dict.fromkeys((b"close", b"open", b"abort", b"peek"), False)
    for option in options:
        if option in flags:
            flags[option] = True
        elif option.startswith(b"t="):
            wait_ms = parse_unsigned(option[2:], MAX_WAIT_MS)
            if wait_ms < 0:
                return BAD_OPTION
        elif option:
            return BAD_OPTION
    read = Read(key, queue, wait_ms, *flags.values())
    if (read.peek or read.abort) and (read.open or read.close or (read.peek and read.abort)):
        return BAD_COMBINATION
    return read


def name_problem(queue: bytes) -> bytes | None:
    """The error line for a name that no queue of this door can have; None if it is one."""
    return BAD_NAME if not queue or len(queue) > MAX_KEY_BYTES or b"/" in queue else None


def parent(queue: bytes) -> bytes | None:
    """The queue whose items `queue` gets copies of, by its name `parent+name`; None if it is no child."""
    name, plus, child = queue.partition(b"+")
    return name if plus and name and child else None
