"""Dramatiq's job that does nothing."""

import dramatiq
from clocked import URL, done
from dramatiq.brokers.redis import RedisBroker

dramatiq.set_broker(RedisBroker(url=URL))


@dramatiq.actor
def job(number: int) -> None:
    """Do nothing."""
    done(number)


def add(number: int) -> None:
    """Add one."""
    job.send(number)
