"""A small app with background jobs: importing it connects to nothing, so the web side imports it too."""

from __future__ import annotations

import os
import time

from huey import crontab

from spoold.contrib.huey import SpooldHuey

huey = SpooldHuey("shop", url=os.environ.get("SPOOLD_URL", "redis://localhost:6379"), expire_time=86_400)


@huey.task(retries=2, retry_delay=1)
def send_mail(to: str, text: str) -> str:
    """Pretend to send a mail."""
    time.sleep(0.05)
    print(f"mail to {to}: {text}", flush=True)
    return f"sent to {to}"


@huey.task(priority=10)
def charge(customer: str, cents: int) -> int:
    """Money first: a priority lets it overtake the mails."""
    print(f"{customer} pays {cents}", flush=True)
    return cents


@huey.task()
def total(amounts: list[int]) -> int:
    """Add up what the jobs before it returned."""
    return sum(amounts)


@huey.periodic_task(crontab(minute="0", hour="3"))
@huey.lock_task("report", ttl=3600)
def nightly_report() -> None:
    """Once a night, and never twice at a time; a killed worker's lock is gone after an hour."""
    print("the report of the night", flush=True)
