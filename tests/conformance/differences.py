"""Every difference between spoold and Redis 7.0 that is meant to be: the one list.

All else is compared byte for byte. A difference names commands (`CLIENT ID` for a subcommand), says why, and how
strictly the replies are compared all the same. Errors are compared byte for byte in any case, but for `ERRORS`.

To add one: append it to `DIFFERENCES`. If spoold may choose where Redis chooses at random, so that both stores would
go different ways, the choice is steered instead: `STEERED`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.conformance.wire import Link, Node

Compare = Callable[[Node, Node], bool]


def exact(ours: Node, theirs: Node) -> bool:
    """The same bytes; only sets (RESP3 `~`), which have no order, may list their members in another one."""
    if ours == theirs:
        return True
    if ours.kind != theirs.kind or not isinstance(ours.value, tuple) or not isinstance(theirs.value, tuple):
        return False
    if ours.kind == b"~":
        return unordered(ours, theirs)
    return len(ours.value) == len(theirs.value) and all(map(exact, ours.value, theirs.value))


def unordered(ours: Node, theirs: Node) -> bool:
    """The same elements in any order."""
    if isinstance(ours.value, tuple) and isinstance(theirs.value, tuple):
        return ours.kind == theirs.kind and sorted(map(repr, ours.value)) == sorted(map(repr, theirs.value))
    return ours == theirs


def unordered_pairs(ours: Node, theirs: Node) -> bool:
    """The same pairs in any order: a map, or in RESP2 an array of names and values by turns."""
    if isinstance(ours.value, tuple) and isinstance(theirs.value, tuple):
        mine, yours = (sorted(map(repr, zip(v[::2], v[1::2], strict=True))) for v in (ours.value, theirs.value))
        return ours.kind == theirs.kind and mine == yours
    return ours == theirs


def scanned_pairs(ours: Node, theirs: Node) -> bool:
    """The same cursor, and behind it the same pairs in any order."""
    if isinstance(ours.value, tuple) and isinstance(theirs.value, tuple):
        return ours.value[0] == theirs.value[0] and unordered_pairs(ours.value[1], theirs.value[1])
    return ours == theirs


def shape(ours: Node, theirs: Node) -> bool:
    """The same types and lengths of arrays; texts and numbers may differ."""
    if ours.kind != theirs.kind or (ours.value is None) != (theirs.value is None):
        return False
    if isinstance(ours.value, tuple) and isinstance(theirs.value, tuple):
        return len(ours.value) == len(theirs.value) and all(map(shape, ours.value, theirs.value))
    return True


def unsigned_zeros(ours: Node, theirs: Node) -> bool:
    """The same, but for the sign of zeros."""
    if isinstance(ours.value, tuple) and isinstance(theirs.value, tuple):
        return (ours.kind, len(ours.value)) == (theirs.kind, len(theirs.value)) and all(
            map(unsigned_zeros, ours.value, theirs.value)
        )
    return ours == theirs or (ours.kind == theirs.kind and {ours.value, theirs.value} == {b"0", b"-0"})


def kind(ours: Node, theirs: Node) -> bool:
    """The same type of reply, whatever it holds."""
    return ours.kind == theirs.kind


def near(tolerance: int) -> Compare:
    """Integers that differ by at most `tolerance`; negative ones say something and are compared exactly."""

    def compare(ours: Node, theirs: Node) -> bool:
        if ours.kind != b":" or theirs.kind != b":":
            return ours == theirs
        left, right = int(ours.value or 0), int(theirs.value or 0)  # type: ignore[arg-type]
        return left == right if min(left, right) < 0 else abs(left - right) <= tolerance

    return compare


def all_but(*names: bytes) -> Compare:
    """A map (or, in RESP2, an array of names and values) whose values are the same but for those of `names`."""

    def compare(ours: Node, theirs: Node) -> bool:
        if not isinstance(ours.value, tuple) or not isinstance(theirs.value, tuple):
            return ours == theirs
        if ours.kind != theirs.kind or len(ours.value) != len(theirs.value):
            return False
        pairs = list(zip(ours.value, theirs.value, strict=True))
        return all(
            name == other and (kind(mine, yours) if name.value in names else mine == yours)
            for (name, other), (mine, yours) in zip(pairs[::2], pairs[1::2], strict=True)
        )

    return compare


# Values that follow these names in what XINFO tells.
_UNCOMPARED = (b"radix-tree-keys", b"radix-tree-nodes", b"idle")
_UNIX_MS = 10**12


def moments(ours: Node, theirs: Node) -> bool:
    """The same, but for times, and for what Redis's way of keeping streams makes of them.

    A time is an integer beyond 10**12 (Unix ms), or the third of four in a row of XPENDING (ms since).
    """
    if not isinstance(ours.value, tuple) or not isinstance(theirs.value, tuple):
        if ours.kind == theirs.kind == b":" and min(_number(ours), _number(theirs)) > _UNIX_MS:
            return MILLISECONDS(ours, theirs)
        return ours == theirs
    if ours.kind != theirs.kind or len(ours.value) != len(theirs.value):
        return False
    pairs = list(zip(ours.value, theirs.value, strict=True))
    if len(pairs) == 4 and [mine.kind for mine, _ in pairs] == [b"$", b"$", b":", b":"]:
        return MILLISECONDS(*pairs.pop(2)) and all(mine == yours for mine, yours in pairs)
    return all(
        kind(mine, yours) if at and pairs[at - 1][0].value in _UNCOMPARED else moments(mine, yours)
        for at, (mine, yours) in enumerate(pairs)
    )


def _number(node: Node) -> int:
    return int(node.value or 0)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Difference:
    """Commands whose replies may differ, why, and what is still compared."""

    commands: tuple[str, ...]
    why: str
    compare: Compare


SECONDS = near(5)
MILLISECONDS = near(5_000)

DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        ("SMEMBERS", "SINTER", "SUNION", "SDIFF", "KEYS"),
        "Redis lists members and keys in the order of its hash tables, spoold sets in the order of insertion and keys"
        " in the order of their bytes; neither is promised",
        unordered,
    ),
    Difference(("HKEYS", "HVALS"), "spoold keeps fields in the order of their bytes; none is promised", unordered),
    Difference(("HGETALL",), "spoold keeps fields in the order of their bytes; none is promised", unordered_pairs),
    Difference(("HSCAN",), "fields in the order of their bytes, where Redis returns all at once", scanned_pairs),
    Difference(("SPOP",), "spoold pops the oldest member, Redis a random one: steered, see STEERED", unordered),
    Difference(("SRANDMEMBER", "HRANDFIELD", "ZRANDMEMBER", "RANDOMKEY"), "random picks", shape),
    Difference(
        (
            *("ZSCORE", "ZMSCORE", "ZRANGE", "ZREVRANGE", "ZRANGEBYSCORE", "ZREVRANGEBYSCORE", "ZPOPMIN", "ZPOPMAX"),
            *("ZMPOP", "BZMPOP", "BZPOPMIN", "BZPOPMAX", "ZUNION", "ZINTER", "ZDIFF"),
        ),
        "Redis forgets the sign of a zero in small sorted sets and keeps it in large ones, spoold always forgets it",
        unsigned_zeros,
    ),
    Difference(
        ("OBJECT ENCODING", "OBJECT REFCOUNT", "OBJECT IDLETIME", "OBJECT FREQ"), "inner workings of Redis", shape
    ),
    Difference(("MEMORY USAGE",), "bytes on disk, not in memory", shape),
    Difference(("TTL", "EXPIRETIME"), "the two servers are asked one after the other", SECONDS),
    Difference(("PTTL", "PEXPIRETIME"), "the two servers are asked one after the other", MILLISECONDS),
    Difference(("TIME", "LASTSAVE"), "the two servers are asked one after the other", shape),
    Difference(("CLIENT ID",), "how many connections there were before", shape),
    Difference(("CLIENT INFO", "CLIENT LIST", "INFO"), "addresses, ages, sizes: tested field by field", kind),
    Difference(("HELLO",), "the connection's number", all_but(b"id")),
    Difference(("COMMAND", "COMMAND COUNT", "COMMAND LIST", "COMMAND DOCS"), "not all commands exist yet", kind),
    Difference(("COMMAND INFO",), "flags, tips and key specifications: tested field by field", kind),
    Difference(("ACL CAT",), "the order of a hash table", unordered),
    Difference(("ACL LOG", "ACL GENPASS"), "addresses and ages; chance", shape),
    Difference(("LOLWUT", "CONFIG GET"), "spoold's own art and options", kind),
    Difference(
        (
            "CLIENT HELP",
            "COMMAND HELP",
            "CONFIG HELP",
            "OBJECT HELP",
            "MEMORY HELP",
            "SLOWLOG HELP",
            "DEBUG HELP",
            "XGROUP HELP",
            "XINFO HELP",
        ),
        "texts for people",
        kind,
    ),
    Difference(
        ("XPENDING", "XINFO STREAM", "XINFO CONSUMERS"),
        "the two servers are asked one after the other; spoold keeps streams in no radix tree",
        moments,
    ),
    Difference(("BGSAVE", "SAVE"), "every commit is a save; Redis starts a process or refuses a second one", kind),
    Difference(("SLOWLOG GET", "SLOWLOG LEN"), "how long commands took", kind),
)

# Errors that differ on purpose: what spoold says, what Redis 7.0 says, why.
ERRORS: tuple[tuple[bytes, bytes, str], ...] = (
    (
        b"ERR timeout is out of range",
        b"ERR timeout is negative",
        "a blocking time-out beyond 64 bits of milliseconds overflows in Redis 7.0, and so turns negative",
    ),
)

_BY_COMMAND = {command: difference for difference in DIFFERENCES for command in difference.commands}


def same(args: Sequence[bytes], ours: Node, theirs: Node, queued: Sequence[Sequence[bytes]] = ()) -> bool:
    """Decide whether two replies to `args` are equal as far as they have to be.

    queued: for EXEC, the commands whose replies it holds.
    """
    if ours == theirs:
        return True
    if ours.kind in b"-!" or theirs.kind in b"-!":
        return any((ours.value, theirs.value) == (mine, yours) for mine, yours, _ in ERRORS)
    if args and args[0].upper() == b"EXEC" and isinstance(ours.value, tuple) and isinstance(theirs.value, tuple):
        return len(ours.value) == len(theirs.value) == len(queued) and all(map(same, queued, ours.value, theirs.value))
    return compare_for(args)(ours, theirs)


def compare_for(args: Sequence[bytes]) -> Compare:
    """Choose how strictly the replies to `args` are compared.

    A script whose arguments are a request that tells times gives those times in its result, at whatever depth.
    """
    if args and args[0].upper() == b"EVAL" and compare_for(args[3:]) is moments:
        return moments
    words = [arg.decode("ascii", "replace").upper() for arg in args[:2]]
    difference = _BY_COMMAND.get(" ".join(words)) or _BY_COMMAND.get(words[0] if words else "")
    return difference.compare if difference else exact


def steer_spop(args: Sequence[bytes], ours: Node, reference: Link) -> Node:
    """Take from the reference's set what spoold popped, and build the reply that Redis would have given.

    An error, an empty reply or a set without one of these members is left to Redis itself to answer.
    """
    popped = ours.value if isinstance(ours.value, tuple) else (ours,)
    members = [member.value for member in popped if member.kind == b"$" and isinstance(member.value, bytes)]
    if ours.kind == b"-" or not members or len(members) != len(popped) or len(set(members)) != len(members):
        return reference.call(*args)
    size = reference.call(b"SCARD", args[1])
    wanted = 1 if len(args) == 2 else int(args[2])
    all_there = reference.call(b"SMISMEMBER", args[1], *members)
    if size.kind != b":" or len(members) != min(wanted, int(size.value or 0)):  # type: ignore[arg-type]
        return reference.call(*args)
    if all_there.value != tuple(Node(b":", b"1") for _ in members):
        return reference.call(*args)
    reference.call(b"SREM", args[1], *members)
    return ours


# Commands whose effect depends on a free choice: the reference is made to choose as spoold did.
STEERED: dict[bytes, Callable[[Sequence[bytes], Node, Link], Node]] = {b"SPOP": steer_spop}
