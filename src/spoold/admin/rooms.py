"""The modules with commands about the server itself, its clients, and what they tell each other."""

from __future__ import annotations

from types import ModuleType
from typing import Final

from spoold.acl import commands as acl
from spoold.admin import (
    absent,
    clients,
    config,
    connection,
    debug,
    info,
    introspection,
    latency,
    lolwut,
    memory,
    monitor,
    persistence,
    queues,
    replication,
    settling,
    tracking,
)
from spoold.pubsub import commands as pubsub

ADMIN: Final[tuple[ModuleType, ...]] = (
    connection,
    clients,
    tracking,
    introspection,
    info,
    config,
    persistence,
    queues,
    settling,
    monitor,
    latency,
    memory,
    debug,
    replication,
    absent,
    lolwut,
    pubsub,
    acl,
)
