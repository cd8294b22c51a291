"""CONFIG's parameters: one table with kind, default and meaning. The documentation's page derives from it.

A parameter is `live` (setting it takes effect at once), `fixed` (set at start, only shown), or `remembered`: it has no
meaning in spoold, but test suites and tools of Redis set it and ask for it again, so it answers and does nothing else.

A kind reads the text of CONFIG SET into a value and writes a value as CONFIG GET shows it; the words of its refusals
are Redis's, because test suites match them. To add a parameter: one line in `PARAMETERS`; a live one is bound in
`admin/wiring.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from spoold.core.errors import NotAFloat, NotAnInteger
from spoold.core.numerals import INT64_MAX, parse_float, parse_int
from spoold.settings import parse_bytes

INT32_MAX: Final = 2**31 - 1
UINT32_MAX: Final = 2**32 - 1
MIB: Final = 1024 * 1024


class BadValueError(Exception):
    """A text that a kind does not take; the message is the reason that the client reads."""


@dataclass(frozen=True)
class Kind:
    """How a parameter's text is read and written."""

    parse: Callable[[bytes], Any]
    show: Callable[[Any], bytes]


def _decimal(number: int) -> bytes:
    return b"%d" % number


def integer(low: int, high: int) -> Kind:
    """A whole number."""

    def parse(text: bytes) -> int:
        try:
            number = parse_int(text)
        except NotAnInteger:
            raise BadValueError("argument couldn't be parsed into an integer") from None
        return _within(number, low, high)

    return Kind(parse, _decimal)


def memory(low: int = 0, high: int = INT64_MAX) -> Kind:
    """A number of bytes, with Redis's units; shown without."""

    def parse(text: bytes) -> int:
        try:
            number = parse_bytes(text.decode("latin-1"))
        except ValueError:
            raise BadValueError("argument must be a memory value") from None
        return _within(number, low, high)

    return Kind(parse, _decimal)


def choice(*names: bytes) -> Kind:
    """One of a few words, in any case."""

    def parse(text: bytes) -> bytes:
        word = text.lower()
        if word not in names:
            raise BadValueError("argument(s) must be one of the following: " + b", ".join(names).decode())
        return word

    return Kind(parse, bytes)


def _within(number: int, low: int, high: int) -> int:
    if not low <= number <= high:
        raise BadValueError(f"argument must be between {low} and {high} inclusive")
    return number


def _parse_yes_no(text: bytes) -> bool:
    word = text.lower()
    if word not in (b"yes", b"no"):
        raise BadValueError("argument must be 'yes' or 'no'")
    return word == b"yes"


def _parse_client_memory(text: bytes) -> bytes:
    """Bytes, or a share of maxmemory in percent, which is shown as such."""
    share = text.endswith(b"%")
    try:
        number = parse_int(text[:-1]) if share else parse_bytes(text.decode("latin-1"))
    except (NotAnInteger, ValueError):
        number = -1
    if number < 0:
        raise BadValueError("argument must be a memory or percent value")
    if share and number > 100:
        raise BadValueError("percentage argument must be less or equal to 100")
    return b"%d%%" % number if share else b"%d" % number


def _parse_policy(text: bytes) -> bytes:
    """Who sets another policy counts on eviction, or waits for it: that there is none must not go unnoticed."""
    word = _ANY_POLICY.parse(text)
    if word != b"noeviction":
        raise BadValueError("nothing is ever evicted: 'noeviction' is the only policy")
    return bytes(word)


def _parse_save(text: bytes) -> bytes:
    """Pairs of seconds and changes."""
    words = text.split()
    try:
        numbers = [parse_int(word) for word in words]
    except NotAnInteger:
        raise BadValueError("Invalid save parameters") from None
    if len(words) % 2 or any(number < 1 for number in numbers[::2]) or any(number < 0 for number in numbers[1::2]):
        raise BadValueError("Invalid save parameters")
    return b" ".join(words)


# What CONFIG GET notify-keyspace-events shows: A for all classes that stand behind it here, K and E last.
_EVENT_CLASSES: Final = b"g$lshzxetd"
_EVENT_LETTERS: Final = b"Ag$lshzxeKEtmdn"


def _parse_events(text: bytes) -> bytes:
    if any(letter not in _EVENT_LETTERS for letter in text):
        raise BadValueError("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
    classes = bytes(letter for letter in _EVENT_CLASSES if letter in text or b"A"[0] in text)
    if len(classes) == len(_EVENT_CLASSES):
        classes = b"A"
    return classes + bytes(letter for letter in b"nKEm" if letter in text)


def _show_events(letters: bytes) -> bytes:
    # Where all classes are named, Redis does not show that `n` is too.
    return letters.replace(b"n", b"") if letters.startswith(b"A") else letters


def _parse_percentiles(text: bytes) -> bytes:
    try:
        numbers = [parse_float(word) for word in text.split()]
    except NotAFloat:
        numbers = [-1.0]
    if any(not 0.0 <= number <= 100.0 for number in numbers):
        raise BadValueError("latency-tracking-info-percentiles should consist of numbers between 0.0 and 100.0")
    return b" ".join(b"%g" % number for number in numbers)


_OUTPUT_CLASSES: Final = {b"normal": b"normal", b"slave": b"slave", b"replica": b"slave", b"pubsub": b"pubsub"}


def _parse_output_limits(text: bytes) -> dict[bytes, tuple[int, int, int]]:
    """Groups of class, hard limit, soft limit, seconds; classes that are not named keep theirs."""
    words = text.split()
    limits: dict[bytes, tuple[int, int, int]] = {}
    try:
        if len(words) % 4:
            raise ValueError("words")
        for at in range(0, len(words), 4):
            hard, soft = (parse_bytes(word.decode("latin-1")) for word in words[at + 1 : at + 3])
            limits[_OUTPUT_CLASSES[words[at].lower()]] = (hard, soft, int(words[at + 3]))
    except (ValueError, KeyError):
        raise BadValueError(
            "Invalid client class specified in buffer limit configuration."
            if len(words) % 4 == 0
            else "Wrong number of arguments in buffer limit configuration."
        ) from None
    return {**_OUTPUT_LIMITS, **limits}


def _show_output_limits(limits: dict[bytes, tuple[int, int, int]]) -> bytes:
    return b" ".join(b"%b %d %d %d" % (name, *numbers) for name, numbers in limits.items())


_OUTPUT_LIMITS: Final = {
    b"normal": (0, 0, 0),
    b"slave": (268435456, 67108864, 60),
    b"pubsub": (33554432, 8388608, 60),
}

YES_NO: Final = Kind(_parse_yes_no, lambda value: b"yes" if value else b"no")
TEXT: Final = Kind(bytes, bytes)
SAVE: Final = Kind(_parse_save, bytes)
EVENTS: Final = Kind(_parse_events, _show_events)
PERCENTILES: Final = Kind(_parse_percentiles, bytes)
OUTPUT_LIMITS: Final = Kind(_parse_output_limits, _show_output_limits)
COUNT: Final = integer(0, INT32_MAX)
LONG: Final = integer(0, INT64_MAX)
FSYNC: Final = choice(b"everysec", b"always", b"no")
LOG_LEVEL: Final = choice(b"debug", b"verbose", b"notice", b"warning")
_ANY_POLICY: Final = choice(
    b"volatile-lru",
    b"volatile-lfu",
    b"volatile-random",
    b"volatile-ttl",
    b"allkeys-lru",
    b"allkeys-lfu",
    b"allkeys-random",
    b"noeviction",
)
POLICY: Final = Kind(_parse_policy, bytes)
CLIENT_MEMORY: Final = Kind(_parse_client_memory, bytes)


@dataclass(frozen=True)
class Parameter:
    """One parameter of CONFIG.

    text: what setting it does; empty where it is only remembered.
    default: as CONFIG SET takes it. alias: an older name for the same.
    fixed: CONFIG SET refuses it, with this reason. settled: it refuses any other value than the present one.
    """

    name: str
    kind: Kind
    default: bytes
    text: str = ""
    alias: str = ""
    fixed: str = ""
    settled: str = ""
    hidden: bool = False


_IMMUTABLE: Final = "can't set immutable config"
_PROTECTED: Final = "can't set protected config"
# Tools that write back what they read must get by, so these are not quite fixed. Redis's words begin so.
_NOT_ANOTHER_PORT: Final = "Unable to listen on this port: it is chosen at the start (--redis)"
_NOT_ANOTHER_HOST: Final = "Failed to bind to specified addresses: they are chosen at the start (--redis)"

PARAMETERS: Final = (
    # live
    Parameter("maxclients", integer(1, UINT32_MAX), b"10000", "Most clients at a time, over all listeners."),
    Parameter("timeout", COUNT, b"0", "Seconds of silence after which a client is disconnected; 0 = never."),
    Parameter("requirepass", TEXT, b"", "Password that clients give with AUTH; empty = none."),
    Parameter("proto-max-bulk-len", memory(MIB), b"67108864", "Longest single value or name of a request."),
    Parameter("client-query-buffer-limit", memory(MIB), b"134217728", "Most bytes of one request."),
    Parameter(
        "slowlog-log-slower-than",
        integer(-1, INT64_MAX),
        b"10000",
        "Microseconds from which on a command is noted in SLOWLOG; -1 = none.",
    ),
    Parameter("slowlog-max-len", LONG, b"128", "How many commands SLOWLOG keeps."),
    Parameter(
        "latency-monitor-threshold",
        LONG,
        b"0",
        "Milliseconds from which on commands, syncs and duties are latency events (LATENCY LATEST); 0 = none.",
    ),
    Parameter(
        "notify-keyspace-events",
        EVENTS,
        b"",
        "Classes of keyspace events that are told (`A` = all), on channels by key (`K`), by event (`E`).",
    ),
    Parameter(
        "tracking-table-max-keys", LONG, b"1000000", "Most keys that clients with CLIENT TRACKING are remembered for."
    ),
    Parameter(
        "client-output-buffer-limit",
        OUTPUT_LIMITS,
        _show_output_limits(_OUTPUT_LIMITS),
        "Of `pubsub`: bytes that may wait for who is sent messages, at any time, and for longer than so many seconds;"
        " the other classes are only remembered, see `--max-output`.",
    ),
    Parameter("acllog-max-len", LONG, b"128", "How many denials ACL LOG keeps."),
    Parameter(
        "acl-pubsub-default",
        choice(b"allchannels", b"resetchannels"),
        b"resetchannels",
        "Whether new users may use all channels.",
    ),
    Parameter(
        "lua-time-limit",
        LONG,
        b"5000",
        "Milliseconds that a script runs before other clients are answered BUSY, and it can be killed; 0 = never.",
        alias="busy-reply-threshold",
    ),
    Parameter("loglevel", LOG_LEVEL, b"notice", "Least serious messages that are logged."),
    Parameter(
        "hash-max-listpack-entries",
        LONG,
        b"128",
        "Fields up to which OBJECT ENCODING calls a hash `listpack`.",
        alias="hash-max-ziplist-entries",
    ),
    Parameter(
        "hash-max-listpack-value",
        LONG,
        b"64",
        "Bytes of a field or value up to which it does.",
        alias="hash-max-ziplist-value",
    ),
    Parameter("set-max-intset-entries", LONG, b"512", "Integers up to which OBJECT ENCODING calls a set `intset`."),
    Parameter(
        "zset-max-listpack-entries",
        LONG,
        b"128",
        "Members up to which OBJECT ENCODING calls a sorted set `listpack`.",
        alias="zset-max-ziplist-entries",
    ),
    Parameter(
        "zset-max-listpack-value", LONG, b"64", "Bytes of a member up to which it does.", alias="zset-max-ziplist-value"
    ),
    Parameter(
        "maxmemory",
        memory(),
        b"0",
        "Bytes of data, on disk, beyond which commands that add data are refused with OOM; 0 = no limit.",
    ),
    Parameter("maxmemory-policy", POLICY, b"noeviction", "Nothing is ever evicted; other policies are refused."),
    Parameter("hll-sparse-max-bytes", memory(), b"3000", "Bytes up to which a HyperLogLog is kept sparse."),
    Parameter(
        "stream-node-max-entries",
        LONG,
        b"100",
        "Entries of a stream that trimming with `~` removes together; 0 = all that there are.",
    ),
    Parameter(
        "stream-node-max-bytes",
        memory(),
        b"4096",
        "Their size in Redis, beyond which they are fewer; 0 = as many as the entries say.",
    ),
    Parameter(
        "appendfsync",
        FSYNC,
        b"always",
        "When the journal is synced (`--durability`): before each reply, or at intervals (`everysec`).",
    ),
    # fixed
    Parameter("dir", TEXT, b"", "The data directory (`--data`).", fixed=_PROTECTED),
    Parameter("logfile", TEXT, b"", "The log file (`--log-file`).", fixed=_IMMUTABLE),
    Parameter("port", COUNT, b"0", "Port of the first Redis listener (`--redis`).", settled=_NOT_ANOTHER_PORT),
    Parameter("bind", TEXT, b"", "Hosts of the Redis listeners (`--redis`).", settled=_NOT_ANOTHER_HOST),
    Parameter("unixsocket", TEXT, b"", "Path of the first Redis listener on a unix socket.", fixed=_IMMUTABLE),
    Parameter("databases", COUNT, b"16", "How many databases there are.", fixed=_IMMUTABLE),
    Parameter("cluster-enabled", YES_NO, b"no", "Redis Cluster is not spoken.", fixed=_IMMUTABLE),
    Parameter("aclfile", TEXT, b"", "The file with users (`--acl-file`).", fixed=_IMMUTABLE),
    Parameter("replicaof", TEXT, b"", "spoold is no replica.", alias="slaveof", fixed=_IMMUTABLE),
    Parameter("daemonize", YES_NO, b"no", "The server stays in the foreground.", fixed=_IMMUTABLE),
    # remembered
    Parameter("save", SAVE, b""),
    Parameter("appendonly", YES_NO, b"yes"),
    Parameter("maxmemory-samples", integer(1, INT32_MAX), b"5"),
    Parameter("maxmemory-clients", CLIENT_MEMORY, b"0"),
    Parameter("list-max-listpack-size", integer(-INT32_MAX, INT32_MAX), b"-2", alias="list-max-ziplist-size"),
    Parameter("list-compress-depth", COUNT, b"0"),
    Parameter("latency-tracking", YES_NO, b"yes"),
    Parameter("latency-tracking-info-percentiles", PERCENTILES, b"50 99 99.9"),
    Parameter("stop-writes-on-bgsave-error", YES_NO, b"yes"),
    Parameter("rdbcompression", YES_NO, b"yes"),
    Parameter("rdbchecksum", YES_NO, b"yes"),
    Parameter("aof-use-rdb-preamble", YES_NO, b"yes"),
    Parameter("aof-load-truncated", YES_NO, b"yes"),
    Parameter("no-appendfsync-on-rewrite", YES_NO, b"no"),
    Parameter("auto-aof-rewrite-percentage", COUNT, b"100"),
    Parameter("auto-aof-rewrite-min-size", memory(), b"67108864"),
    Parameter("activerehashing", YES_NO, b"yes"),
    Parameter("active-expire-effort", integer(1, 10), b"1"),
    Parameter("activedefrag", YES_NO, b"no"),
    Parameter("lazyfree-lazy-eviction", YES_NO, b"no"),
    Parameter("lazyfree-lazy-expire", YES_NO, b"no"),
    Parameter("lazyfree-lazy-server-del", YES_NO, b"no"),
    Parameter("lazyfree-lazy-user-del", YES_NO, b"no"),
    Parameter("lazyfree-lazy-user-flush", YES_NO, b"no"),
    Parameter("repl-backlog-size", memory(1), b"1048576"),
    Parameter("hz", integer(1, 500), b"10"),
    Parameter("dynamic-hz", YES_NO, b"yes"),
    Parameter("tcp-keepalive", COUNT, b"300"),
    Parameter("key-load-delay", integer(-INT32_MAX, INT32_MAX), b"0", hidden=True),
)
