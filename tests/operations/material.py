"""Random keys of every type, for a Redis or a spoold that is to be copied."""

from __future__ import annotations

import random
from typing import Any

BINARY = bytes(range(256))


def fill(client: Any, keys: int, seed: int = 1) -> None:
    """Give a server `keys` random keys, a few of them large; client: redis-py's."""
    chance = random.Random(seed)

    def word() -> bytes:
        number = b"%d" % chance.randrange(-(10**9), 10**9)
        return chance.choice((number, BINARY[: chance.randrange(256)], b"x" * 70, b""))

    def score() -> float:
        return chance.choice((chance.random() * 1e9, 0.1, -1e300, float("inf")))

    pipe = client.pipeline(transaction=False)
    for number in range(keys):
        name = b"key:%d:" % number + BINARY[: chance.randrange(4)]
        some = chance.randrange(1, 30)
        match chance.randrange(6):
            case 0:
                pipe.set(name, word())
            case 1:
                pipe.rpush(name, *(word() for _ in range(some)))
            case 2:
                pipe.sadd(name, *(word() for _ in range(some)))
            case 3:
                pipe.hset(name, mapping={word(): word() for _ in range(some)})
            case 4:
                pipe.zadd(
                    name,
                    {word(): score() for _ in range(some)},
                )
            case _:
                for _ in range(some):
                    pipe.xadd(name, {word() or b"f": word()})
                if chance.random() < 0.5:
                    pipe.xgroup_create(name, "group", id="0")
                    pipe.xreadgroup("group", "worker", {name: ">"}, count=3)
                if chance.random() < 0.3:
                    pipe.xtrim(name, maxlen=chance.randrange(3), approximate=False)
        if chance.random() < 0.3:
            pipe.pexpire(name, chance.randrange(600_000, 10**9))
        if number % 500 == 0:
            pipe.execute()
    pipe.rpush("large:list", *(b"%d" % number for number in range(4321)))
    pipe.sadd("large:set", *(b"%d" % number for number in range(3000)))
    pipe.hset("large:hash", mapping={b"%d" % number: word() for number in range(2500)})
    pipe.zadd("large:zset", {b"%d" % number: chance.random() for number in range(2500)})
    pipe.set("large:string", BINARY * 4000)
    pipe.pexpire("large:string", 10**8)
    pipe.xadd("empty:stream", {"f": "v"}, id="5-5")
    pipe.xtrim("empty:stream", maxlen=0, approximate=False)
    pipe.execute()
