"""Huey's job that does nothing; its result is stored."""

from clocked import URL, done
from huey import RedisHuey

huey = RedisHuey("noop", url=URL)


@huey.task()
def job(number: int) -> int:
    """Do nothing."""
    return done(number)


def add(number: int) -> None:
    """Add one."""
    job(number)
