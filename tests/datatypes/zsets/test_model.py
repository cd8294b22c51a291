"""Sorted set commands against dicts that are sorted anew for each question: replies after every command.

What is kept in memory of the index (zsets/order.py, zsets/ranks.py) is made so small here that a few members overflow
it, and is compared with the index itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from spoold.core.errors import WrongType
from spoold.core.reply import OK, Pairs
from spoold.datatypes.zsets import order
from spoold.keyspace.record import ZsetRecord
from support.machine import STRING, TransactionMachine

HEAD = b"m" * 465
MEMBERS = [
    *(b"%d" % number for number in range(24)),
    b"",
    HEAD,
    HEAD + b"a",
    HEAD + b"b" * 15,
    HEAD + b"b" * 16,
    HEAD + b"a" * 100,
    HEAD + b"c" * 100,
    HEAD + b"\xff" * 16,
    HEAD + b"\x00" * 16,
    HEAD + b"b" * 15 + b"\x00" * 9,
    HEAD[:-1] + b"n",
]
SCORES = [0.0, 1.0, 1.5, 2.0, -3.0, 1e9, float("inf"), float("-inf")]

names = st.sampled_from([b"a", b"b", b"a", b"b", b"n" * 500, STRING])
members = st.sampled_from(MEMBERS)
scores = st.sampled_from(SCORES) | st.integers(-3, 3).map(float)
pairs = st.lists(st.tuples(scores, members), min_size=1, max_size=25)
indexes = st.integers(-12, 12)
ends = st.tuples(st.sampled_from([b"", b"("]), scores)
lex_ends = st.sampled_from([b"-", b"+"]) | st.builds(bytes.__add__, st.sampled_from([b"[", b"("]), members)


class ZsetsMachine(TransactionMachine):
    """Sorted sets as dicts."""

    small: ClassVar[Mapping[str, object]] = {
        "spoold.datatypes.zsets.order._AHEAD": 4,
        "spoold.datatypes.zsets.order._MOST_KEPT": 8,
        "spoold.datatypes.zsets.order._LEFT_KEPT": 4,
        "spoold.datatypes.zsets.order._FIRST_BLOCK": 2,
        "spoold.datatypes.zsets.order._LARGEST_BLOCK": 5,
        "spoold.datatypes.zsets.ranks.FAR": 6,
        "spoold.datatypes.zsets.ranks._PART": 3,
        "spoold.datatypes.zsets.ranks._MOST_IN_PART": 6,
        "spoold.datatypes.zsets.spans.FAR": 6,
    }

    def __init__(self) -> None:
        super().__init__()
        self.zsets: dict[bytes, dict[bytes, float]] = {}

    @staticmethod
    def compare(words: tuple[Any, ...], reply: Any, expected: Any) -> None:
        """A missing set has no pairs to show; what any command on the string gives is an error."""
        if STRING in words:
            expected = WrongType
        if isinstance(expected, Pairs):
            assert (reply.items if isinstance(reply, Pairs) else reply) == expected.items, words
        else:
            TransactionMachine.compare(words, reply, expected)

    def model(self, name: bytes) -> list[tuple[bytes, float]]:
        """The members under a name with their scores, in order."""
        return sorted(self.zsets.get(name, {}).items(), key=lambda pair: (pair[1], pair[0]))

    def drop(self, name: bytes, gone: list[tuple[bytes, float]]) -> None:
        """Remove members."""
        for member, _ in gone:
            del self.zsets[name][member]
        if not self.zsets.get(name, True):
            del self.zsets[name]

    # -- members ------------------------------------------------------------------------------------------------

    @rule(name=names, given=pairs, rule=st.sampled_from(["", "NX", "XX", "GT", "LT", "XX GT", "CH", "CH XX LT"]))
    def add(self, name: bytes, given: list[tuple[float, bytes]], rule: str) -> None:
        words = ["ZADD", name, *rule.split(), *(part for pair in given for part in pair)]
        if name == STRING:
            return self.expect(WrongType, *words)
        there = self.zsets.setdefault(name, {})
        added = updated = 0
        for score, member in given:
            had = there.get(member)
            if (had is None and "XX" in rule) or (had is not None and "NX" in rule) or had == score:
                continue
            if had is not None and (("GT" in rule and score < had) or ("LT" in rule and score > had)):
                continue
            there[member] = score
            added += had is None
            updated += had is not None
        self.drop(name, [])
        return self.expect(added + updated if "CH" in rule else added, *words)

    @rule(name=names, score=scores, member=members)
    def add_one(self, name: bytes, score: float, member: bytes) -> None:
        self.add(name, [(score, member)], "")

    @rule(name=st.sampled_from([b"a", b"b"]), given=st.lists(scores, min_size=1, max_size=3), step=st.integers(1, 4))
    def add_many(self, name: bytes, given: list[float], step: int) -> None:
        """So that the set is larger than what is kept in memory."""
        self.add(name, [(given[place % len(given)], member) for place, member in enumerate(MEMBERS[::step])], "")

    @rule(name=names, by=st.integers(-3, 3).map(float), member=members)
    def increment(self, name: bytes, by: float, member: bytes) -> None:
        if name == STRING:
            return self.expect(WrongType, "ZINCRBY", name, by, member)
        there = self.zsets.setdefault(name, {})
        there[member] = there.get(member, 0.0) + by
        return self.expect(there[member], "ZINCRBY", name, by, member)

    @rule(name=names, given=st.lists(members, min_size=1, max_size=8))
    def remove(self, name: bytes, given: list[bytes]) -> None:
        there = self.zsets.get(name, {})
        gone = [(member, there[member]) for member in dict.fromkeys(given) if member in there]
        self.drop(name, gone)
        self.expect(len(gone), "ZREM", name, *given)

    @rule(name=names, count=st.none() | st.integers(0, 12), side=st.sampled_from(["MIN", "MAX"]))
    def pop(self, name: bytes, count: int | None, side: str) -> None:
        there = self.model(name)
        if side == "MAX":
            there.reverse()
        taken = there[: 1 if count is None else count]
        if name != STRING:
            self.drop(name, taken)
        if count is None:
            self.expect([part for pair in taken for part in pair], f"ZPOP{side}", name)
        else:
            self.expect(Pairs(taken), f"ZPOP{side}", name, count)

    # -- questions ----------------------------------------------------------------------------------------------

    @rule(name=names, member=members)
    def look_at_one(self, name: bytes, member: bytes) -> None:
        ordered = [each for each, _ in self.model(name)]
        rank = ordered.index(member) if member in ordered else None
        self.expect(self.zsets.get(name, {}).get(member), "ZSCORE", name, member)
        self.expect(rank, "ZRANK", name, member)
        self.expect(None if rank is None else len(ordered) - 1 - rank, "ZREVRANK", name, member)
        self.expect(len(ordered), "ZCARD", name)

    @rule(name=names, start=indexes, stop=indexes, reverse=st.booleans())
    def list_ranks(self, name: bytes, start: int, stop: int, reverse: bool) -> None:
        there = self.model(name)[:: -1 if reverse else 1]
        words = ["ZRANGE", name, start, stop, *(["REV"] if reverse else []), "WITHSCORES"]
        self.expect(Pairs(_slice(there, start, stop)), *words)

    @rule(name=names, low=ends, high=ends, skip=st.integers(0, 5), count=st.integers(-1, 12), reverse=st.booleans())
    def list_scores(
        self, name: bytes, low: tuple[bytes, float], high: tuple[bytes, float], skip: int, count: int, reverse: bool
    ) -> None:
        found = _between(self.model(name), low, high)
        self.expect(len(found), "ZCOUNT", name, _end(low), _end(high))
        found = found[:: -1 if reverse else 1][skip:]
        ends = [_end(low), _end(high)][:: -1 if reverse else 1]
        words = ["ZRANGE", name, *ends, "BYSCORE", *(["REV"] if reverse else []), "LIMIT", skip, count]
        self.expect([member for member, _ in (found if count < 0 else found[:count])], *words)

    @rule(name=names, low=lex_ends, high=lex_ends, reverse=st.booleans())
    def list_members(self, name: bytes, low: bytes, high: bytes, reverse: bool) -> None:
        there = self.model(name)
        if len({score for _, score in there}) > 1:
            return
        found = [member for member, _ in there if _is_behind(member, low) and _is_before(member, high)]
        self.expect(len(found), "ZLEXCOUNT", name, low, high)
        ends = [low, high][:: -1 if reverse else 1]
        self.expect(found[:: -1 if reverse else 1], "ZRANGE", name, *ends, "BYLEX", *(["REV"] if reverse else []))

    # -- ranges that go -----------------------------------------------------------------------------------------

    @rule(name=names, start=indexes, stop=indexes)
    def remove_ranks(self, name: bytes, start: int, stop: int) -> None:
        gone = _slice(self.model(name), start, stop)
        self.drop(name, gone)
        self.expect(len(gone), "ZREMRANGEBYRANK", name, start, stop)

    @rule(name=names, low=ends, high=ends)
    def remove_scores(self, name: bytes, low: tuple[bytes, float], high: tuple[bytes, float]) -> None:
        gone = _between(self.model(name), low, high)
        self.drop(name, gone)
        self.expect(len(gone), "ZREMRANGEBYSCORE", name, _end(low), _end(high))

    # -- keys ---------------------------------------------------------------------------------------------------

    @rule(source=names, other=names, word=st.sampled_from(["COPY", "RENAME", "ZRANGESTORE", "ZUNIONSTORE"]))
    def give_to_another(self, source: bytes, other: bytes, word: str) -> None:
        if STRING in (source, other) or source == other or source not in self.zsets:
            return
        given = self.zsets[source]
        match word:
            case "COPY":
                self.expect(1, "COPY", source, other, "REPLACE")
            case "RENAME":
                self.expect(OK, "RENAME", source, other)
                del self.zsets[source]
            case "ZRANGESTORE":
                self.expect(len(given), "ZRANGESTORE", other, source, 0, -1)
            case _:
                self.expect(len(given), "ZUNIONSTORE", other, 1, source)
        self.zsets[other] = dict(given)

    @rule(name=names)
    def delete(self, name: bytes) -> None:
        if name != STRING:
            there = self.zsets.pop(name, None) is not None
            self.expect(int(there), "DEL", name)

    @invariant()
    def what_is_in_memory_is_true(self) -> None:
        if self.queued is not None:
            return
        batch = self.room.commit.batch
        for name, record in self.room.dbs[0].cache.young.items():
            if not isinstance(record, ZsetRecord):
                continue
            start, stop = order.whole(record)
            keys = batch.scan_keys(start, stop, 1000)
            assert len(keys) == record.members == len(self.zsets[name])
            assert record.low == [key for key in keys if key < record.low_stop]
            if record.mark_keys:
                marks = [*record.mark_keys, stop]
                counted = [sum(low <= key < high for key in keys) for low, high in pairwise(marks)]
                assert record.mark_counts == counted

    def check(self) -> None:
        super().check()
        for name in self.zsets:
            self.expect(Pairs(self.model(name)), "ZRANGE", name, 0, -1, "WITHSCORES")


def _slice(there: list[tuple[bytes, float]], start: int, stop: int) -> list[tuple[bytes, float]]:
    start = max(start + len(there), 0) if start < 0 else start
    stop = stop + len(there) if stop < 0 else stop
    return there[start : stop + 1] if stop >= 0 else []


def _end(end: tuple[bytes, float]) -> bytes:
    return end[0] + b"%r" % end[1]


def _between(
    there: list[tuple[bytes, float]], low: tuple[bytes, float], high: tuple[bytes, float]
) -> list[tuple[bytes, float]]:
    return [
        (member, score)
        for member, score in there
        if (score > low[1] if low[0] else score >= low[1]) and (score < high[1] if high[0] else score <= high[1])
    ]


def _is_behind(member: bytes, end: bytes) -> bool:
    if end in {b"-", b"+"}:
        return end == b"-"
    return member > end[1:] if end[:1] == b"(" else member >= end[1:]


def _is_before(member: bytes, end: bytes) -> bool:
    if end in {b"-", b"+"}:
        return end == b"+"
    return member < end[1:] if end[:1] == b"(" else member <= end[1:]


TestZsets = ZsetsMachine.TestCase
TestZsets.settings = settings(max_examples=2 * settings.default.max_examples, stateful_step_count=50)
