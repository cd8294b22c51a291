"""Moving the jobs of one storage of huey to another."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, NamedTuple

from huey.constants import EmptyData

# What Huey gives a job that has no time and is to be put off all the same.
_ANY_TIME: Final = datetime(1970, 1, 1)


class Moved(NamedTuple):
    """How many there were of each."""

    jobs: int
    scheduled: int
    values: int


def move(source: Any, target: Any) -> Moved:
    """Move all that one huey has to do to another one, of the same name or not.

    Jobs are taken out one by one and added with their priorities, in order. Jobs of the schedule are added with their
    times, then dropped from the source. Results, revocations and locks are copied unless the target has such already;
    counters stay, as no storage lists them. Tasks need not be known, the types of their arguments must be.

    Should it be interrupted, it may be begun again: at most the one job that was under way is lost, and jobs of the
    schedule may be there twice.

    source, target: `Huey` objects; no consumer of the source runs, and no one adds to it.
    returns: how many were moved.
    raises: what the storages raise.
    """
    old, new = source.storage, target.storage
    if old is new:
        raise ValueError("source and target are the same storage")
    pack = _repacking(source.serializer, target.serializer)
    jobs = 0
    while old.queue_size() and (data := old.dequeue()) is not None:
        new.enqueue(pack(data), source.serializer.deserialize(data).priority)
        jobs += 1
    scheduled = old.scheduled_items()
    for data in scheduled:
        new.add_to_schedule(pack(data), source.serializer.deserialize(data).eta or _ANY_TIME)
    old.flush_schedule()
    values = 0
    for key in old.result_items():
        value = old.peek_data(key)
        if value is not EmptyData and new.put_if_empty(key, pack(value)):
            values += 1
    return Moved(jobs, len(scheduled), values)


def _repacking(old: Any, new: Any) -> Callable[[Any], bytes]:
    """What makes of a value that one serializer wrote the same of another; where they agree, it stays as it is."""
    if type(old) is type(new) and vars(old) == vars(new):
        return bytes
    return lambda data: bytes(new.serialize(old.deserialize(data)))
