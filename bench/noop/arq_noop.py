"""arq's job that does nothing; its result is stored."""

import asyncio
from typing import Any

from arq import create_pool
from arq.connections import ArqRedis, RedisSettings
from clocked import URL, done


async def job(ctx: dict[str, Any], number: int) -> int:
    """Do nothing."""
    return done(number)


class Settings:
    """A worker that asks again at once: with arq's own half second that would be all that is measured."""

    functions = [job]  # noqa: RUF012
    redis_settings = RedisSettings.from_dsn(URL)
    poll_delay = 0.005
    log_results = False


_loop = asyncio.new_event_loop()
_pool: ArqRedis | None = None


def add(number: int) -> None:
    """Add one."""
    global _pool
    if _pool is None:
        _pool = _loop.run_until_complete(create_pool(Settings.redis_settings))
    _loop.run_until_complete(_pool.enqueue_job("job", number))
