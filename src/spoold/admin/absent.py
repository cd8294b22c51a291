"""What clients and tools ask of parts of Redis that spoold has not: answered as by a Redis that runs without them.

The commands are declared, though they only refuse, because rules of users name them: an ACL file of Redis that says
`-migrate` or `+psync` must be read here too. The compatibility page lists them among what is not there
(command/compatibility.py, `REFUSED`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from spoold.command.context import Context
from spoold.command.spec import (
    ADMIN,
    ALLOW_BUSY,
    DANGEROUS,
    FAST,
    LOADING,
    MOVABLEKEYS,
    NO_ASYNC_LOADING,
    NO_MULTI,
    NOSCRIPT,
    STALE,
    WRITE,
    Keys,
    Keyword,
    command,
)
from spoold.core.errors import ClusterDisabled, CommandError, NoModules
from spoold.core.reply import Reply

_MODULE = ADMIN | NOSCRIPT | NO_ASYNC_LOADING
_COPYING = ADMIN | NOSCRIPT | NO_ASYNC_LOADING | NO_MULTI
_NO_COPIES: Final = "spoold can't be copied by replicas"

# How many words behind an option of MIGRATE belong to it.
_MIGRATE_WORDS: Final = {b"AUTH": 1, b"AUTH2": 2}
_MIGRATE_KEY: Final = 3
_MIGRATE_OPTIONS: Final = 6


def _migrate_keys(request: Sequence[bytes]) -> list[int]:
    """The one key, or where that is empty those behind KEYS; none where there are both, which is no sound request."""
    at = _MIGRATE_OPTIONS
    while at < len(request):
        word = request[at].upper()
        if word == b"KEYS":
            return [] if request[_MIGRATE_KEY] else list(range(at + 1, len(request)))
        at += 1 + _MIGRATE_WORDS.get(word, 0)
    return [_MIGRATE_KEY]


# Subcommands of CLUSTER: how many words a request has (or, negative, at least has), and arguments as they are written.
_LOOKING: Final = {
    "COUNTKEYSINSLOT": (3, "slot"),
    "GETKEYSINSLOT": (4, "slot count"),
    "INFO": (2, ""),
    "KEYSLOT": (3, "key"),
    "LINKS": (2, ""),
    "MYID": (2, ""),
    "NODES": (2, ""),
    "SHARDS": (2, ""),
    "SLOTS": (2, ""),
}
_LOOKING_AS_ADMIN: Final = {
    "COUNT-FAILURE-REPORTS": (3, "node-id"),
    "REPLICAS": (3, "node-id"),
    "SLAVES": (3, "node-id"),
}
_CHANGING: Final = {
    "ADDSLOTS": (-3, "slot [slot ...]"),
    "ADDSLOTSRANGE": (-4, "start-slot end-slot [start-slot end-slot ...]"),
    "BUMPEPOCH": (2, ""),
    "DELSLOTS": (-3, "slot [slot ...]"),
    "DELSLOTSRANGE": (-4, "start-slot end-slot [start-slot end-slot ...]"),
    "FAILOVER": (-2, "[FORCE | TAKEOVER]"),
    "FLUSHSLOTS": (2, ""),
    "FORGET": (3, "node-id"),
    "MEET": (-4, "ip port [cluster-bus-port]"),
    "REPLICATE": (3, "node-id"),
    "SAVECONFIG": (2, ""),
    "SET-CONFIG-EPOCH": (3, "config-epoch"),
    "SETSLOT": (-4, "slot IMPORTING node-id | MIGRATING node-id | NODE node-id | STABLE"),
}


@command("CLUSTER", since="3.0.0", syntax="CLUSTER subcommand [argument ...]", group="server", arity=-2)
def cluster(ctx: Context, *arguments: bytes) -> Reply:
    """Refuses: there is one server.

    raises: ClusterDisabled, always.
    """
    raise ClusterDisabled


for _flags, _subcommands in (
    (STALE, _LOOKING),
    (ADMIN | STALE, _LOOKING_AS_ADMIN),
    (ADMIN | STALE | NO_ASYNC_LOADING, _CHANGING),
    (ADMIN | STALE | NOSCRIPT, {"RESET": (-2, "[HARD | SOFT]")}),
    (LOADING | STALE, {"HELP": (2, "")}),
):
    for _name, (_arity, _words) in _subcommands.items():
        command(
            f"CLUSTER|{_name}",
            flags=_flags,
            since="3.0.0",
            syntax=f"CLUSTER {_name} {_words}".rstrip(),
            group="server",
            arity=_arity,
        )(cluster)


@command("ASKING", flags=FAST, since="3.0.0", syntax="ASKING", group="connection")
@command("READONLY", flags=LOADING | STALE | FAST, since="3.0.0", syntax="READONLY", group="connection")
@command("READWRITE", flags=LOADING | STALE | FAST, since="3.0.0", syntax="READWRITE", group="connection")
def about_a_node(ctx: Context) -> Reply:
    """Refuses: there is one server.

    raises: ClusterDisabled, always.
    """
    raise ClusterDisabled


@command(
    "MIGRATE",
    flags=WRITE | MOVABLEKEYS | DANGEROUS,
    keys=Keys(
        _MIGRATE_KEY,
        finder=_migrate_keys,
        access="RW access delete|RW access delete incomplete",
        keywords=(Keyword("KEYS", -2, -1),),
    ),
    since="2.6.0",
    syntax="MIGRATE host port key destination-db timeout [COPY] [REPLACE] [AUTH password | AUTH2 username password]"
    " [KEYS key [key ...]]",
    group="generic",
)
def migrate(
    ctx: Context, host: bytes, port: bytes, key: bytes, destination: bytes, timeout: bytes, *options: bytes
) -> Reply:
    """Refuses: all clients would be held up while another server answers.

    raises: CommandError, always.
    """
    raise CommandError("MIGRATE is not supported; DUMP and RESTORE take a key along")


@command("FAILOVER", flags=ADMIN | NOSCRIPT | STALE, since="6.2.0", syntax="FAILOVER [option ...]", group="server")
def failover(ctx: Context, *options: bytes) -> Reply:
    """Refuses: there are no replicas.

    raises: CommandError, always.
    """
    if [option.upper() for option in options] == [b"ABORT"]:
        raise CommandError("No failover in progress.")
    raise CommandError("FAILOVER requires connected replicas.")


@command("PSYNC", flags=_COPYING, since="2.8.0", syntax="PSYNC replicationid offset", group="server", arity=-3)
def psync(ctx: Context, replicationid: bytes, offset: bytes, *options: bytes) -> Reply:
    """Refuses: Redis's replication protocol is not spoken.

    raises: CommandError, always.
    """
    raise CommandError(_NO_COPIES)


@command("SYNC", flags=_COPYING, since="1.0.0", syntax="SYNC", group="server")
def sync(ctx: Context) -> Reply:
    """Refuses: Redis's replication protocol is not spoken.

    raises: CommandError, always.
    """
    raise CommandError(_NO_COPIES)


@command(
    "REPLCONF",
    flags=ADMIN | NOSCRIPT | LOADING | STALE | ALLOW_BUSY,
    since="3.0.0",
    syntax="REPLCONF [option ...]",
    group="server",
)
def replconf(ctx: Context, *options: bytes) -> Reply:
    """Refuses: Redis's replication protocol is not spoken.

    raises: CommandError, always.
    """
    raise CommandError(_NO_COPIES)


@command("MODULE|LIST", flags=ADMIN | NOSCRIPT, since="4.0.0", syntax="MODULE LIST", group="server")
def module_list(ctx: Context) -> Reply:
    """Lists modules, of which there are none.

    differs: there are no modules.
    """
    return []


@command("MODULE|LOAD", flags=_MODULE, since="4.0.0", syntax="MODULE LOAD path [arg [arg ...]]", group="server")
@command(
    "MODULE|LOADEX",
    flags=_MODULE,
    since="7.0.0",
    syntax="MODULE LOADEX path [CONFIG name value [CONFIG name value ...]] [ARGS args [args ...]]",
    group="server",
)
def module_load(ctx: Context, path: bytes, *arguments: bytes) -> Reply:
    """Refuses: modules are C libraries for the process of Redis.

    raises: NoModules, always.
    """
    raise NoModules


@command("MODULE|UNLOAD", flags=_MODULE, since="4.0.0", syntax="MODULE UNLOAD name", group="server")
def module_unload(ctx: Context, name: bytes) -> Reply:
    """Refuses: modules are C libraries for the process of Redis.

    raises: NoModules, always.
    """
    raise NoModules


@command("MEMORY|MALLOC-STATS", since="4.0.0", syntax="MEMORY MALLOC-STATS", group="server")
def memory_malloc_stats(ctx: Context) -> Reply:
    """Says that the allocator tells nothing of itself.

    differs: there is no allocator that could be asked.
    """
    return b"Stats not supported for the current allocator"
