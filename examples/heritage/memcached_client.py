"""A key/value store over memcached's protocol, from Python: `pip install python-memcached`, then `spoold serve`."""

from __future__ import annotations

import os

import memcache

m = memcache.Client([os.environ.get("SPOOLD_MEMCACHED_AT", "localhost:11211")])
print(m.get("niki"))
print(m.set("niki", 123))
print(m.get("niki"))
m.disconnect_all()
