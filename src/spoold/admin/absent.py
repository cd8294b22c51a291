"""What clients and tools ask of parts of Redis that spoold has not: answered as by a Redis that runs without them.

The compatibility page lists CLUSTER and its kin among what is not there (command/compatibility.py, `REFUSED`).
"""

from __future__ import annotations

from spoold.command.context import Context
from spoold.command.spec import ADMIN, FAST, LOADING, NO_ASYNC_LOADING, NOSCRIPT, STALE, command
from spoold.core.errors import ClusterDisabled, NoModules
from spoold.core.reply import Reply

_MODULE = ADMIN | NOSCRIPT | NO_ASYNC_LOADING


@command("CLUSTER", since="3.0.0", syntax="CLUSTER subcommand [argument ...]", group="server")
def cluster(ctx: Context, subcommand: bytes, *arguments: bytes) -> Reply:
    """Refuses: there is one server.

    raises: ClusterDisabled, always.
    """
    raise ClusterDisabled


@command("ASKING", flags=FAST, since="3.0.0", syntax="ASKING", group="connection")
@command("READONLY", flags=LOADING | STALE | FAST, since="3.0.0", syntax="READONLY", group="connection")
@command("READWRITE", flags=LOADING | STALE | FAST, since="3.0.0", syntax="READWRITE", group="connection")
def about_a_node(ctx: Context) -> Reply:
    """Refuses: there is one server.

    raises: ClusterDisabled, always.
    """
    raise ClusterDisabled


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
