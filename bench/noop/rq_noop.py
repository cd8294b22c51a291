"""RQ's job that does nothing; its result is stored."""

import redis
from clocked import URL, done
from rq import Queue

queue = Queue("noop", connection=redis.Redis.from_url(URL))


def job(number: int) -> int:
    """Do nothing."""
    return done(number)


def add(number: int) -> None:
    """Add one."""
    queue.enqueue("rq_noop.job", number)
