"""Every error that spoold raises on purpose, and Redis's error texts, once.

    SpooldError
    ├── CommandError      one command failed: its text is the reply, the connection goes on
    │   ├── WrongType, SyntaxFault, NotAnInteger, NotAFloat, OutOfRange, NoSuchKey, …
    ├── ProtocolError     the byte stream cannot be trusted: reply, then close
    ├── EngineError       the storage failed (full disk, I/O error, corrupt file)
    │   ├── WritesRefused the turn could not be made durable: `-MISCONF`
    │   ├── UnknownFormat the data directory was written by something else
    │   └── InUse         another process has the data directory
    └── SettingsError     refuse to start; the text says which option to change

Those of scripts and functions stand in `core/script_errors.py`.

To add a case: subclass `CommandError` with `code` and `text`; clients match on both, so take them from Redis.
"""

from __future__ import annotations


class SpooldError(Exception):
    """Root of all errors raised on purpose."""


class CommandError(SpooldError):
    """One command failed. Its message is the wire text without the leading `-`."""

    code = "ERR"
    text = "error"

    def __init__(self, text: str | bytes | None = None, code: str | None = None) -> None:
        """Build the wire text `CODE text`; line breaks become spaces, as a reply is one line."""
        raw = self.text if text is None else text
        body = raw if isinstance(raw, bytes) else raw.encode("utf-8", "surrogateescape")
        prefix = (self.code if code is None else code).encode()
        self.message = (prefix + b" " + body).replace(b"\r", b" ").replace(b"\n", b" ")
        super().__init__(self.message.decode("utf-8", "replace"))


class WrongType(CommandError):
    code = "WRONGTYPE"
    text = "Operation against a key holding the wrong kind of value"


class SyntaxFault(CommandError):
    text = "syntax error"


class NotAnInteger(CommandError):
    text = "value is not an integer or out of range"


class NotAFloat(CommandError):
    text = "value is not a valid float"


class NotPositive(CommandError):
    text = "value is out of range, must be positive"


class OutOfRange(CommandError):
    text = "value is out of range"


class OutOfInt32(CommandError):
    text = "value is out of range, value must between -2147483648 and 2147483647"


class IndexOutOfRange(CommandError):
    text = "index out of range"


class OffsetOutOfRange(CommandError):
    text = "offset is out of range"


class NoSuchKey(CommandError):
    text = "no such key"


class SameObject(CommandError):
    text = "source and destination objects are the same"


class BadDbIndex(CommandError):
    text = "DB index is out of range"


class BadCursor(CommandError):
    text = "invalid cursor"


class BusyKey(CommandError):
    code = "BUSYKEY"
    text = "Target key name already exists."


class BadPayload(CommandError):
    text = "DUMP payload version or checksum are wrong"


class BadFormat(CommandError):
    text = "Bad data format"


class NegativeTtl(CommandError):
    text = "Invalid TTL value, must be >= 0"


class ConflictingConditions(CommandError):
    text = "NX and XX, GT or LT options at the same time are not compatible"


class GreaterAndLess(CommandError):
    text = "GT and LT options at the same time are not compatible"


class NoFrequency(CommandError):
    text = (
        "An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between"
        " policies at runtime LRU and LFU data will take some time to adjust."
    )


class ScoreIsNaN(CommandError):
    text = "resulting score is not a number (NaN)"


class NewOrThere(CommandError):
    text = "XX and NX options at the same time are not compatible"


class GreaterLessOrNew(CommandError):
    text = "GT, LT, and/or NX options at the same time are not compatible"


class OneIncrement(CommandError):
    text = "INCR option supports a single increment-element pair"


class BadScoreBound(CommandError):
    text = "min or max is not a float"


class BadLexBound(CommandError):
    text = "min or max not valid string range item"


class LimitOfRanks(CommandError):
    text = "syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"


class ScoresOfLex(CommandError):
    text = "syntax error, WITHSCORES not supported in combination with BYLEX"


class BadWeight(CommandError):
    text = "weight value is not a float"


class NoInputKeys(CommandError):
    """A union, an intersection or a difference of nothing."""

    def __init__(self, name: str) -> None:
        """name: the command, lower case."""
        super().__init__(f"at least 1 input key is needed for '{name}' command")


class BadUnit(CommandError):
    text = "unsupported unit provided. please use M, KM, FT, MI"


class NoSuchMember(CommandError):
    text = "could not decode requested zset member"


class CountZero(CommandError):
    text = "COUNT must be > 0"


class NeedsCount(CommandError):
    text = "the ANY argument requires COUNT argument"


class BadCoordinates(CommandError):
    """A point that is not on the map."""

    def __init__(self, longitude: float, latitude: float) -> None:
        """longitude, latitude: as they were given, in degrees."""
        super().__init__(f"invalid longitude,latitude pair {longitude:f},{latitude:f}")


class NotADouble(CommandError):
    text = "One or more scores can't be converted into double"


class Overflow(CommandError):
    text = "increment or decrement would overflow"


class FieldNotAnInteger(CommandError):
    text = "hash value is not an integer"


class FieldNotAFloat(CommandError):
    text = "hash value is not a float"


class NotFinite(CommandError):
    text = "value is NaN or Infinity"


class NotASketch(CommandError):
    code = "WRONGTYPE"
    text = "Key is not a valid HyperLogLog string value."


class CorruptSketch(CommandError):
    code = "INVALIDOBJ"
    text = "Corrupted HLL object detected"


class StringTooLong(CommandError):
    text = "string exceeds maximum allowed size (proto-max-bulk-len)"


class DecrementOverflow(CommandError):
    text = "decrement would overflow"


class BadBitOffset(CommandError):
    text = "bit offset is not an integer or out of range"


class BadBitValue(CommandError):
    text = "bit is not an integer or out of range"


class NotZeroOrOne(CommandError):
    text = "The bit argument must be 1 or 0."


class ManySourcesOfNot(CommandError):
    text = "BITOP NOT must be called with a single source key."


class BadBitfieldType(CommandError):
    text = "Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."


class BadOverflowRule(CommandError):
    text = "Invalid OVERFLOW type specified"


class BitfieldReadOnly(CommandError):
    text = "BITFIELD_RO only supports the GET subcommand"


class LcsNeedsStrings(CommandError):
    text = "The specified keys must contain string values"


class LcsLenWithIdx(CommandError):
    text = "If you want both the length and indexes, please just use IDX."


class LcsTooLarge(CommandError):
    text = "Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"


class OutOfLong(CommandError):
    text = "value is out of range, value must between -9223372036854775807 and 9223372036854775807"


class NumkeysNotPositive(CommandError):
    text = "numkeys should be greater than 0"


class CountNotPositive(CommandError):
    text = "count should be greater than 0"


class MoreKeysThanArguments(CommandError):
    text = "Number of keys can't be greater than number of args"


class NegativeCount(CommandError):
    text = "COUNT can't be negative"


class NegativeMaxlen(CommandError):
    text = "MAXLEN can't be negative"


class NegativeLimit(CommandError):
    text = "LIMIT can't be negative"


class RankIsZero(CommandError):
    text = (
        "RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from"
        " the end of the list"
    )


class BadTimeout(CommandError):
    text = "timeout is not a float or out of range"


class NegativeTimeout(CommandError):
    text = "timeout is negative"


class WrongPassword(CommandError):
    code = "WRONGPASS"
    text = "invalid username-password pair or user is disabled."


class NoPasswordSet(CommandError):
    text = (
        "AUTH <password> called without any password configured for the default user. Are you sure your configuration"
        " is correct?"
    )


class HelloNeedsAuth(CommandError):
    code = "NOAUTH"
    text = (
        "HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass>"
        " option can be used to authenticate the client and select the RESP protocol version at the same time"
    )


class NoSuchProtocol(CommandError):
    code = "NOPROTO"
    text = "unsupported protocol version"


class BadProtocolVersion(CommandError):
    text = "Protocol version is not an integer or out of range"


class BadClientName(CommandError):
    text = "Client names cannot contain spaces, newlines or special characters."


class NoSuchClient(CommandError):
    text = "No such client"


class BadClientId(CommandError):
    text = "Invalid client ID"


class ClientIdNotPositive(CommandError):
    text = "client-id should be greater than 0"


class BadPauseMode(CommandError):
    text = "CLIENT PAUSE mode must be WRITE or ALL"


class BadUnblockReason(CommandError):
    text = "CLIENT UNBLOCK reason should be TIMEOUT or ERROR"


class Unblocked(CommandError):
    code = "UNBLOCKED"
    text = "client unblocked via CLIENT UNBLOCK"


class SortReadsKeys(CommandError):
    """BY or GET of SORT, for a user who may not read all keys."""

    def __init__(self, option: str) -> None:
        """option: BY or GET."""
        super().__init__(f"{option} option of SORT denied due to insufficient ACL permissions.")


class OnlyWhileSubscribed(CommandError):
    """A client that listens sends, in RESP2, what is not for clients that listen."""

    def __init__(self, name: str) -> None:
        """name: the command, lower case, a subcommand as `container|sub`."""
        super().__init__(
            f"Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this"
            " context"
        )


class TrackingIsOff(CommandError):
    text = "CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled"


class NoConfigFile(CommandError):
    text = "The server is running without a config file"


class BadSlowlogCount(CommandError):
    text = "count should be greater than or equal to -1"


class NoSuchCommand(CommandError):
    text = "Invalid command specified"


class NoKeyArguments(CommandError):
    text = "The command has no key arguments"


class BadNumberOfArguments(CommandError):
    text = "Invalid number of arguments specified for command"


class BadArguments(CommandError):
    text = "Invalid arguments specified for command"


class ClusterDisabled(CommandError):
    text = "This instance has cluster support disabled"


class NoModules(CommandError):
    text = "MODULE command not allowed. spoold has no modules."


class NoShutdown(CommandError):
    text = "No shutdown in progress."


class ShutdownFailed(CommandError):
    text = "Errors trying to SHUTDOWN. Check logs."


class BadMasterPort(CommandError):
    text = "Invalid master port"


class BadIntegerTimeout(CommandError):
    text = "timeout is not an integer or out of range"


class BadStreamId(CommandError):
    text = "Invalid stream ID specified as stream command argument"


class BadIntervalStart(CommandError):
    text = "invalid start ID for the interval"


class BadIntervalEnd(CommandError):
    text = "invalid end ID for the interval"


class NoGroup(CommandError):
    """There is no stream of that name, or it has no such group."""

    code = "NOGROUP"

    def __init__(self, key: bytes, group: bytes, where: bytes = b"") -> None:
        """where: what follows in the text."""
        key, group = key.partition(b"\0")[0], group.partition(b"\0")[0]
        super().__init__(b"No such key '" + key + b"' or consumer group '" + group + b"'" + where)


class NoGroupOfKey(CommandError):
    """A stream has no such group."""

    code = "NOGROUP"

    def __init__(self, key: bytes, group: bytes) -> None:
        """key: the stream's name."""
        key, group = key.partition(b"\0")[0], group.partition(b"\0")[0]
        super().__init__(b"No such consumer group '" + group + b"' for key name '" + key + b"'")


class WrongArity(CommandError):
    """The number of arguments does not fit the command."""

    def __init__(self, name: str) -> None:
        """name: lower case, a subcommand as `container|sub`."""
        super().__init__(f"wrong number of arguments for '{name}' command")


class BadSubcommand(CommandError):
    """A subcommand that its container finds unknown, or given too many arguments, by itself.

    A subcommand's handler raises it as it is; the container puts in the words that the client wrote.
    """

    text = "unknown subcommand or wrong number of arguments"

    @classmethod
    def of(cls, container: str, sub: bytes) -> CommandError:
        """container: in any case. sub: as the client wrote it."""
        return CommandError(
            f"{cls.text} for '".encode() + sub[:128] + b"'. Try " + container.upper().encode() + b" HELP."
        )


class InvalidExpire(CommandError):
    """An expiry is zero, negative where that is refused, or beyond 64 bits."""

    def __init__(self, name: str) -> None:
        """name: the command, lower case."""
        super().__init__(f"invalid expire time in '{name}' command")


class Internal(CommandError):
    text = "internal error: the turn was rolled back, see the server's log"


class TooMuchData(CommandError):
    """The data takes more than it may (`maxmemory`)."""

    code = "OOM"

    def __init__(self) -> None:
        """Redis's words, though it is the disk that is spared here."""
        super().__init__("command not allowed when used memory > 'maxmemory'.")


class Misconf(CommandError):
    """The disk does not take writes."""

    code = "MISCONF"

    def __init__(self, reason: object) -> None:
        """reason: what the disk said."""
        super().__init__(f"Errors writing to the journal: {reason}")


class ProtocolError(SpooldError):
    """The stream cannot be trusted any more: its farewell is sent and the connection closed.

    message: the text as Redis clients read it. farewell: the bytes that are sent; may be none.
    """

    def __init__(self, text: str | bytes, farewell: bytes | None = None) -> None:
        """text: what follows `-ERR Protocol error: `. farewell: for other protocols than Redis's."""
        body = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
        self.message = b"ERR Protocol error: " + body
        self.farewell = b"-" + self.message + b"\r\n" if farewell is None else farewell
        super().__init__(self.message.decode("utf-8", "replace"))


class EngineError(SpooldError):
    """The storage failed; the text names the file and what to do."""


class UnknownFormat(EngineError):
    """The data directory holds a format that this version does not know."""


class InUse(EngineError):
    """Another process has the data directory."""


class WritesRefused(EngineError):
    """A turn could not be made durable; reads go on, writes answer `-MISCONF` until one succeeds."""


class SettingsError(SpooldError):
    """A setting makes it impossible to start; the text says which one and how to change it."""
