"""ZADD to ZSCAN: every option and error, on sets of a few members."""

from __future__ import annotations

import math
from typing import Any

import pytest

from spoold.command.context import STILL_WAITING, Wait
from spoold.core.errors import CommandError, WrongType
from spoold.core.reply import NULL_ARRAY, Pairs
from spoold.keyspace import events
from support.reachable import assert_nothing_is_left_over
from support.room import Room

LONG = b"m" * 600


def listed(room: Room, name: str = "z") -> list[tuple[bytes, float]]:
    """All members with their scores."""
    reply = room("ZRANGE", name, 0, -1, "WITHSCORES")
    return list(reply.items) if isinstance(reply, Pairs) else []


def says(reply: Any, text: str) -> bool:
    """Whether a reply is the error of this text."""
    return isinstance(reply, CommandError) and reply.message == text.encode()


def test_zadd_counts_what_is_new(room: Room) -> None:
    assert room("ZADD", "z", 1, "a", 2, "b") == 2
    assert room("ZADD", "z", 5, "a", 2, "b", 3, "c") == 1
    assert room("ZADD", "z", "CH", 6, "a", 2, "b", 4, "d") == 2
    assert listed(room) == [(b"b", 2.0), (b"c", 3.0), (b"d", 4.0), (b"a", 6.0)]


@pytest.mark.parametrize(
    ("options", "score", "after"),
    [
        (["NX"], 9, 5.0),
        (["XX"], 9, 9.0),
        (["GT"], 9, 9.0),
        (["GT"], 1, 5.0),
        (["LT"], 1, 1.0),
        (["LT"], 9, 5.0),
        (["XX", "GT"], 9, 9.0),
    ],
)
def test_conditions_decide_whether_a_score_changes(room: Room, options: list[str], score: int, after: float) -> None:
    room("ZADD", "z", 5, "a")
    assert room("ZADD", "z", *options, "CH", score, "a") == int(after != 5.0)
    assert room("ZSCORE", "z", "a") == after
    assert room("ZADD", "z", *options, score, "new") == int("XX" not in options)


def test_incr_replies_with_the_score_or_nothing(room: Room) -> None:
    assert room("ZADD", "z", "INCR", 5, "a") == 5.0
    assert room("ZADD", "z", "INCR", "-1.5", "a") == 3.5
    assert room("ZADD", "z", "NX", "INCR", 1, "a") is None
    assert room("ZADD", "z", "XX", "INCR", 1, "b") is None
    assert room("ZADD", "z", "GT", "INCR", -1, "a") is None
    assert room("ZINCRBY", "z", 1, "a") == 4.5
    assert room("ZINCRBY", "new", 2, "a") == 2.0


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["NX", "XX", "1", "a"], "ERR XX and NX options at the same time are not compatible"),
        (["GT", "LT", "1", "a"], "ERR GT, LT, and/or NX options at the same time are not compatible"),
        (["NX", "GT", "1", "a"], "ERR GT, LT, and/or NX options at the same time are not compatible"),
        (["INCR", "1", "a", "2", "b"], "ERR INCR option supports a single increment-element pair"),
        (["1", "a", "2"], "ERR syntax error"),
        (["NX", "CH"], "ERR syntax error"),
        (["1", "a", "x", "b"], "ERR value is not a valid float"),
        (["nan", "a"], "ERR value is not a valid float"),
    ],
)
def test_what_zadd_refuses_leaves_no_key(room: Room, words: list[str], error: str) -> None:
    assert says(room("ZADD", "z", *words), error)
    assert room("EXISTS", "z") == 0


def test_the_sum_of_two_infinities_is_refused(room: Room) -> None:
    room("ZADD", "z", "inf", "a")
    error = "ERR resulting score is not a number (NaN)"
    assert says(room("ZINCRBY", "z", "-inf", "a"), error)
    assert says(room("ZADD", "z", "INCR", "-inf", "a"), error)
    assert room("ZSCORE", "z", "a") == math.inf


def test_scores_order_from_minus_to_plus_infinity_and_zero_has_no_sign(room: Room) -> None:
    room("ZADD", "z", "-0", "a", "0", "A", "inf", "top", "-inf", "bottom", "-1e-300", "b", "5e-324", "c", "-2", "d")
    assert [member for member, _ in listed(room)] == [b"bottom", b"d", b"b", b"A", b"a", b"c", b"top"]
    assert math.copysign(1, room("ZSCORE", "z", "a")) == 1


def test_equal_scores_are_in_the_order_of_all_bytes_however_long(room: Room) -> None:
    members = [
        LONG[:length] + tail for length in (465, 466, 480, 481, 599) for tail in (b"", b"\0", b"a", b"z", b"\xff")
    ]
    for member in reversed(members):
        room("ZADD", "z", 0, member)
    ordered = sorted(set(members))
    assert room("ZRANGE", "z", 0, -1) == ordered
    assert room("ZRANGE", "z", 0, -1, "REV") == ordered[::-1]
    assert [room("ZRANK", "z", member) for member in ordered] == list(range(len(ordered)))
    for first in (0, 3, 11):
        for last in (4, 12, len(ordered) - 1):
            found = room("ZRANGE", "z", b"[" + ordered[first], b"(" + ordered[last], "BYLEX")
            assert found == ordered[first:last]
    assert [room("ZPOPMIN", "z")[0] for _ in ordered] == ordered
    assert_nothing_is_left_over(room)


def test_a_long_member_that_only_shares_a_digests_head_is_another(room: Room) -> None:
    room("ZADD", "z", 1, LONG)
    assert room("ZSCORE", "z", LONG + b"x") is None
    assert room("ZREM", "z", LONG + b"x") == 0
    assert room("ZADD", "z", 2, LONG) == 0
    assert room("ZREM", "z", LONG, LONG) == 1
    assert room("EXISTS", "z") == 0


def test_popping(room: Room) -> None:
    room("ZADD", "z", *(part for score in range(6) for part in (score, f"m{score}")))
    assert room("ZPOPMIN", "z") == [b"m0", 0.0]
    assert room("ZPOPMAX", "z") == [b"m5", 5.0]
    assert room("ZPOPMIN", "z", 2).items == [(b"m1", 1.0), (b"m2", 2.0)]
    assert room("ZPOPMIN", "z", 0).items == []
    assert says(room("ZPOPMIN", "z", -1), "ERR value is out of range, must be positive")
    assert says(room("ZPOPMIN", "z", "x"), "ERR value is out of range, must be positive")
    assert says(room("ZPOPMAX", "z", 1, 2), "ERR syntax error")
    assert room("ZPOPMAX", "z", 9).items == [(b"m4", 4.0), (b"m3", 3.0)]
    assert room("ZPOPMIN", "z") == []
    assert room("EXISTS", "z") == 0


def test_zmpop_takes_from_the_first_set_that_exists(room: Room) -> None:
    room("ZADD", "z", 1, "a", 2, "b", 3, "c")
    assert room("ZMPOP", 2, "none", "z", "MAX", "COUNT", 2) == [b"z", [[b"c", 3.0], [b"b", 2.0]]]
    assert room("ZMPOP", 1, "none", "MIN") is NULL_ARRAY
    assert says(room("ZMPOP", 0, "z", "MIN"), "ERR numkeys should be greater than 0")
    assert says(room("ZMPOP", 1, "z", "MIN", "COUNT", 0), "ERR count should be greater than 0")
    assert says(room("ZMPOP", 1, "z", "MIDDLE"), "ERR syntax error")
    assert says(room("ZMPOP", 2, "z", "MIN"), "ERR syntax error")


def test_a_blocking_pop_is_served_by_what_is_added_and_by_no_other_type(room: Room) -> None:
    wait = room("BZPOPMIN", "q", "r", 0)
    assert isinstance(wait, Wait)
    assert wait.serve is not None
    room("RPUSH", "q", "x")
    assert wait.serve(b"q") is STILL_WAITING
    room("ZADD", "r", 2, "b", 1, "a")
    assert wait.serve(b"r") == [b"r", b"a", 1.0]
    assert room("BZPOPMAX", "q", 0).message.startswith(b"WRONGTYPE")
    assert room("BZMPOP", 0, 1, "r", "MIN", "COUNT", 5) == [b"r", [[b"b", 2.0]]]
    assert isinstance(room("BZMPOP", "0.1", 1, "r", "MIN"), Wait)


def test_zrank_with_score_is_known(room: Room) -> None:
    room("ZADD", "z", 1, "a", 2, "b")
    assert room("ZRANK", "z", "b", "WITHSCORE") == [1, 2.0]
    assert room("ZREVRANK", "z", "b", "withscore") == [0, 2.0]
    assert room("ZRANK", "z", "none", "WITHSCORE") is NULL_ARRAY
    assert room("ZRANK", "z", "none") is None
    assert says(room("ZRANK", "z", "b", "WITH"), "ERR wrong number of arguments for 'zrank' command")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["-inf", "+inf"], b"abcdef"),
        (["(1", "3"], b"cd"),
        (["1", "(3"], b"abc"),
        (["3", "1"], b""),
        (["1", "1"], b"ab"),
        (["(1", "(1"], b""),
        (["0", "1e9", "LIMIT", "2", "2"], b"cd"),
        (["0", "9", "LIMIT", "0", "-5"], b"abcdef"),
        (["0", "9", "LIMIT", "-1", "2"], b""),
        (["", "1"], b"ab"),
        (["0x2", "0b"], None),
    ],
)
def test_ranges_of_scores(room: Room, words: list[str], found: bytes | None) -> None:
    room("ZADD", "z", 1, "a", 1, "b", 2, "c", 3, "d", 4, "e", 5, "f")
    reply = room("ZRANGEBYSCORE", "z", *words)
    if found is None:
        assert says(reply, "ERR min or max is not a float")
        return
    assert reply == [bytes((letter,)) for letter in found]
    backwards = room("ZRANGE", "z", words[1], words[0], "BYSCORE", "REV", *words[2:4], *words[4:])
    assert len(backwards) == len(found)


def test_ranges_say_what_does_not_fit_together(room: Room) -> None:
    limit = "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"
    assert says(room("ZRANGE", "z", 0, 1, "LIMIT", 0, 1), limit)
    scores = "ERR syntax error, WITHSCORES not supported in combination with BYLEX"
    assert says(room("ZRANGE", "z", "-", "+", "BYLEX", "WITHSCORES"), scores)
    assert says(room("ZRANGEBYLEX", "z", "a", "+"), "ERR min or max not valid string range item")
    assert says(room("ZRANGE", "z", "a", 1), "ERR value is not an integer or out of range")
    assert says(room("ZREVRANGE", "z", 0, 1, "REV"), "ERR syntax error")
    assert says(room("ZRANGESTORE", "d", "z", 0, 1, "WITHSCORES"), "ERR syntax error")


def test_storing_replaces_whatever_there_was(room: Room) -> None:
    room("ZADD", "z", 1, "a", 2, "b", 3, "c")
    room("SET", "d", "v", "EX", 100)
    assert room("ZRANGESTORE", "d", "z", 1, 2) == 2
    assert listed(room, "d") == [(b"b", 2.0), (b"c", 3.0)]
    assert room("TTL", "d") == -1
    assert room("ZRANGESTORE", "d", "z", 5, 6) == 0
    assert room("EXISTS", "d") == 0
    assert_nothing_is_left_over(room)


def test_unions_take_sets_and_weights(room: Room) -> None:
    room("ZADD", "a", 1, "x", 2, "y")
    room("ZADD", "b", 10, "y", 20, "z")
    room("SADD", "s", "x", "w")
    assert room("ZUNION", 2, "a", "b", "WITHSCORES").items == [(b"x", 1.0), (b"y", 12.0), (b"z", 20.0)]
    assert room("ZUNION", 3, "a", "b", "s", "WEIGHTS", 1, 2, 3, "AGGREGATE", "MAX", "WITHSCORES").items == [
        (b"w", 3.0),
        (b"x", 3.0),
        (b"y", 20.0),
        (b"z", 40.0),
    ]
    assert room("ZINTER", 2, "a", "s", "WITHSCORES").items == [(b"x", 2.0)]
    assert room("ZDIFF", 2, "a", "s") == [b"y"]
    assert room("ZINTERCARD", 2, "a", "a", "LIMIT", 1) == 1
    assert room("ZINTERSTORE", "d", 2, "a", "b", "AGGREGATE", "MIN") == 1
    assert listed(room, "d") == [(b"y", 2.0)]
    assert room("ZDIFFSTORE", "a", 2, "a", "a") == 0
    assert room("EXISTS", "a") == 0


def test_unions_refuse(room: Room) -> None:
    room("ZADD", "a", 1, "x")
    room("SET", "str", "v")
    assert says(room("ZUNION", 0, "a"), "ERR at least 1 input key is needed for 'zunion' command")
    assert says(room("ZUNION", 1, "a", "WEIGHTS", "x"), "ERR weight value is not a float")
    assert says(room("ZINTERCARD", 1, "a", "LIMIT", -1), "ERR LIMIT can't be negative")
    assert says(room("ZDIFF", 1, "a", "WEIGHTS", 1), "ERR syntax error")
    assert isinstance(room("ZUNION", 2, "a", "str", "NOSUCH"), WrongType)


def test_random_members(room: Room) -> None:
    room("ZADD", "z", 1, "a", 2, "b", 3, "c")
    assert room("ZRANDMEMBER", "z") in {b"a", b"b", b"c"}
    assert sorted(room("ZRANDMEMBER", "z", 9)) == [b"a", b"b", b"c"]
    assert len(room("ZRANDMEMBER", "z", -20)) == 20
    assert set(room("ZRANDMEMBER", "z", -50, "WITHSCORES").items) == {(b"a", 1.0), (b"b", 2.0), (b"c", 3.0)}
    assert room("ZRANDMEMBER", "none") is None
    assert room("ZRANDMEMBER", "none", 3) == []
    assert says(room("ZRANDMEMBER", "z", 1, "x"), "ERR syntax error")
    assert says(room("ZRANDMEMBER", "z", -(2**62) * 2 + 1, "WITHSCORES"), "ERR value is out of range")


def test_every_command_refuses_another_type(room: Room) -> None:
    room("SET", "s", "v")
    for words in (
        ("ZADD", "s", 1, "a"),
        ("ZADD", "s", "XX", 1, "a"),
        ("ZINCRBY", "s", 1, "a"),
        ("ZREM", "s", "a"),
        ("ZCARD", "s"),
        ("ZSCORE", "s", "a"),
        ("ZMSCORE", "s", "a"),
        ("ZRANK", "s", "a"),
        ("ZCOUNT", "s", 0, 1),
        ("ZRANGE", "s", 0, 1),
        ("ZPOPMIN", "s"),
        ("ZPOPMAX", "s", 2),
        ("ZREMRANGEBYSCORE", "s", 0, 1),
        ("ZRANDMEMBER", "s"),
        ("ZSCAN", "s", 0),
    ):
        assert isinstance(room(*words), WrongType), words
    room("ZADD", "z", 1, "a")
    assert isinstance(room("LPUSH", "z", "a"), WrongType)


def test_what_changes_nothing_breaks_no_watch(room: Room) -> None:
    room("ZADD", "z", 1, "a")
    other = room.connect()
    for words in (("ZADD", "z", 1, "a"), ("ZADD", "z", "NX", 5, "a"), ("ZREM", "z", "no"), ("ZINCRBY", "z", 0, "a")):
        room("WATCH", "z")
        room(*words, session=other)
        room("MULTI")
        assert room("EXEC") == [], words
    room("WATCH", "z")
    room("ZADD", "z", 2, "a", session=other)
    room("MULTI")
    assert room("EXEC") is NULL_ARRAY


def test_events_are_told_in_the_order_of_redis(room: Room) -> None:
    told: list[tuple[int, bytes, bytes]] = []
    room.dbs[0].notify = lambda kind, event, name: told.append((kind, event, name))
    for words, expected in (
        (("ZADD", "z", 1, "a", 2, "b"), [b"new", b"zadd"]),
        (("ZADD", "z", 1, "a"), []),
        (("ZADD", "z", "INCR", 1, "a"), [b"zincr"]),
        (("ZINCRBY", "z", 0, "a"), []),
        (("ZRANGESTORE", "d", "z", 0, -1), [b"new", b"zrangestore"]),
        (("ZREM", "z", "a"), [b"zrem"]),
        (("ZPOPMIN", "z"), [b"zpopmin", b"del"]),
        (("ZREMRANGEBYRANK", "d", 0, 0), [b"zremrangebyrank"]),
        (("ZUNIONSTORE", "d", 1, "z"), [b"del"]),
    ):
        told.clear()
        room(*words)
        assert [event for _, event, _ in told] == expected, words
        assert all((kind == events.SORTED_SET) == event.startswith(b"z") for kind, event, _ in told)


@pytest.mark.parametrize("count", [3, 300])
def test_dump_and_restore_keep_members_and_scores(room: Room, count: int) -> None:
    room("ZADD", "z", *(part for number in range(count) for part in (number / 3, f"m{number}")), "inf", LONG)
    assert room("RESTORE", "copy", 0, room("DUMP", "z")).text == b"OK"
    assert listed(room, "copy") == listed(room)
    assert room("OBJECT", "ENCODING", "z") == b"skiplist"
    room("ZREM", "z", LONG)
    assert room("OBJECT", "ENCODING", "z") == (b"listpack" if count == 3 else b"skiplist")
    room("DEL", "z", "copy")
    assert_nothing_is_left_over(room)
