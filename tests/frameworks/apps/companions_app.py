"""Libraries that stand beside the job frameworks: locks, caches, limits, schedulers, plain kombu."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import django
import kombu
import ledger
import redis
import walrus
from apscheduler.jobstores.redis import RedisJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from django.conf import settings
from django.core.cache import caches
from rq import Queue
from rq_scheduler import Scheduler

connection = redis.Redis.from_url(ledger.URL)
PORT = connection.connection_pool.connection_kwargs["port"]


def note(name: str, line: object) -> None:
    """Leave a line: the job of the schedulers."""
    ledger.write(name, line)


def lock() -> list[bool]:
    """Take a lock of redis-py, be refused it, extend it, release it, take it again, let it run out."""
    first = connection.lock("lock", timeout=5)
    second = connection.lock("lock", timeout=5, blocking=False)
    steps = [first.acquire(), second.acquire(), first.extend(5), first.owned()]
    first.release()
    steps.append(second.acquire())
    second.release()
    short = connection.lock("lock", timeout=0.1)
    steps += [short.acquire(), connection.lock("lock", timeout=5, blocking_timeout=5).acquire()]
    connection.delete("lock")
    return steps


def django_cache() -> list[Any]:
    """Use Django's own Redis cache."""
    if not settings.configured:
        backend = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": ledger.URL}
        settings.configure(CACHES={"default": backend})
        django.setup()
    cache = caches["default"]
    cache.clear()
    cache.set("a", {"b": [1, 2]}, 60)
    cache.set_many({"n": 1, "m": 2}, 60)
    found = [cache.get("a"), cache.add("a", 1), cache.incr("n", 5), cache.get_many(["n", "m", "x"])]
    found += [cache.touch("m", 1), cache.get_or_set("o", 7), cache.has_key("a"), cache.delete("a"), cache.get("a")]
    cache.clear()
    return [*found, cache.get("n")]


def walrus_types() -> list[Any]:
    """Use walrus's containers, its rate limit, its full-text index and its streams."""
    db = walrus.Database(host="127.0.0.1", port=PORT, db=4)
    db.flushdb()
    hash_ = db.Hash("h")
    hash_.update(a=1, b=2)
    list_ = db.List("l")
    list_.extend([1, 2, 3])
    scores = db.ZSet("z")
    scores.add({"x": 1, "y": 2})
    hyper = db.HyperLogLog("hll")
    hyper.add("a", "b")
    array = db.Array("arr")
    array.extend(["p", "q"])
    limit = db.rate_limit("rl", limit=2, per=60)
    stream = db.Stream("st")
    stream.add({"k": "v"})
    group = db.consumer_group("g", ["st"])
    group.create()
    group.set_id("0")
    read = group.read(count=1)
    lock_ = db.lock("wl", ttl=1000)
    return [
        sorted(name.decode() for name in hash_.as_dict()),
        [value.decode() for value in list_],
        scores.score("y"),
        len(hyper),
        [array[0].decode(), array.pop().decode(), len(array)],
        [limit.limit("u") for _ in range(3)],
        read[0][0].decode() if isinstance(read[0][0], bytes) else str(read[0][0]),
        [lock_.acquire(), lock_.release()],
    ]


def apscheduler() -> list[str]:
    """Keep jobs of APScheduler in the store, have one run, list what is left."""
    store = RedisJobStore(db=5, host="127.0.0.1", port=PORT)
    scheduler = BackgroundScheduler(jobstores={"default": store}, timezone=UTC)
    scheduler.start()
    scheduler.add_job(note, "interval", seconds=0.3, args=["apscheduler", "tick"], id="tick")
    scheduler.add_job(note, "date", run_date=datetime.now(UTC) + timedelta(hours=1), args=["no", "no"], id="later")
    deadline_s = time.monotonic() + 10
    while ledger.count("apscheduler") < 2 and time.monotonic() < deadline_s:
        time.sleep(0.02)
    scheduler.remove_job("tick")
    left = [job.id for job in scheduler.get_jobs()]
    scheduler.shutdown()
    return left


def schedule_with_rq_scheduler() -> str:
    """Have rq-scheduler enqueue a job of RQ when it is due."""
    scheduler = Scheduler(queue=Queue("default", connection=connection), connection=connection)
    at = datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=0.5)
    return str(scheduler.enqueue_at(at, "companions_app.note", "rq-scheduler", "due").id)


def kombu_messages() -> list[Any]:
    """Publish over kombu: priorities, a fanout, a rejected message that comes back."""
    got: list[Any] = []
    with kombu.Connection(ledger.URL, transport_options={"queue_order_strategy": "priority"}) as link:
        queue = link.SimpleQueue("plain")
        for number in range(3):
            queue.put({"n": number}, priority=9 - 3 * number)
        for _ in range(3):
            message = queue.get(timeout=5)
            got.append(message.payload["n"])
            message.ack()
        queue.put("again")
        message = queue.get(timeout=5)
        message.requeue()
        message = queue.get(timeout=5)
        message.ack()
        queue.put("dropped")
        got += [message.payload, queue.qsize(), queue.clear()]
        queue.close()
        fanout = kombu.Exchange("everyone", type="fanout")
        heard: list[Any] = []
        with (
            link.channel() as channel,
            kombu.Consumer(
                channel,
                [kombu.Queue("", fanout, exclusive=True)],
                callbacks=[lambda body, message: (heard.append(body), message.ack())],
                accept=["json"],
            ),
            link.channel() as other,
        ):
            producer = kombu.Producer(other, exchange=fanout)
            deadline_s = time.monotonic() + 10
            while not heard and time.monotonic() < deadline_s:
                producer.publish({"text": "hello"})
                try:
                    link.drain_events(timeout=0.1)
                except TimeoutError:
                    continue
    return [*got, heard[:1]]
