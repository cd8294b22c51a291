"""Celery's job that does nothing; its result is stored."""

from celery import Celery
from clocked import URL, done

app = Celery("celery_noop", broker=URL, backend=URL)
app.conf.broker_connection_retry_on_startup = True


@app.task
def job(number: int) -> int:
    """Do nothing."""
    return done(number)


def add(number: int) -> None:
    """Add one."""
    job.delay(number)
