"""A queue of unique items over the Redis protocol, from Python: `pip install redis`, then `spoold serve`."""

from __future__ import annotations

import os

import redis

r = redis.Redis.from_url(os.environ.get("SPOOLD_URL", "redis://localhost:6379"))
print(r.sadd("niki", 12))
print(r.sadd("niki", 15))
print(r.scard("niki"))
print(r.sismember("niki", "abc"))
print(r.sismember("niki", 12))
print(r.spop("niki"))
print(r.spop("niki"))
print(r.spop("niki"))
r.close()
