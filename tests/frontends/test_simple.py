"""The verbs of the simple protocol: replies, errors, types, what is shared with Redis and what is not."""

from __future__ import annotations

import pytest

from spoold.core.errors import Misconf, WrongType
from spoold.frontends.simple_verbs import VERBS, BadTimestamp, OddPairs, ValueTooLong
from spoold.protocol.codec import Limits
from spoold.protocol.simple import MAX_DEPTH, Fault, Value, encode
from spoold.protocol.typed import ESCAPE, BadName, Unstorable
from support.reachable import assert_nothing_is_left_over
from support.room import Room
from support.simple_link import SimpleLink, refusal

TYPED: list[Value] = [
    *(b"", b"text", "naïv".encode(), b"\r\n", b"\0\xff", ESCAPE, ESCAPE + b":1\r\n"),
    *(0, -1, 2**70, 1.5, -0.0, 1e300, 3.0, None),
    *([], {}, [1, b"1", 1.5, None, [[]]], {b"a": 1, 1: b"a", None: {1.5: [{}]}}),
]


# -- requests ---------------------------------------------------------------------------------------------------------


def test_a_line_is_split_on_white_space(link: SimpleLink) -> None:
    assert link.send(b"+ENQUEUE q first\r\n") == b":1\r\n"
    assert link.send(b"+  enqueue \t q  second \r\n") == b":1\r\n"
    assert link.send(b"$8\r\nLENGTH q\r\n") == b":2\r\n"
    assert link("DEQUEUE", "q") == b"first"


def test_names_of_commands_are_of_any_case(link: SimpleLink) -> None:
    assert link("set", "k", 1) == 1
    assert link("gEt", "k") == 1
    assert link("shutDOWN") == 1


@pytest.mark.parametrize("request_", [1, 1.5, None, {b"GET": b"k"}, Fault(b"x")])
def test_a_request_of_another_type_is_an_error(link: SimpleLink, request_: Value) -> None:
    assert link.error(request_) == "a request is a list, or a line of words"
    assert link.open
    assert link("LENGTH_KV") == 0


@pytest.mark.parametrize("request_", [[], b"", b" \t ", [1, b"GET"], [None], [[b"GET"]], [{}], [Fault(b"GET")]])
def test_a_first_element_that_is_no_string_is_an_error(link: SimpleLink, request_: Value) -> None:
    assert link.error(request_) == "the first element of a request must be the name of a command"
    assert link.open
    assert link("LENGTH_KV") == 0


def test_an_unknown_command_is_an_error(link: SimpleLink) -> None:
    assert link.error([b"FROB", b"x"]) == "unrecognized command: FROB"
    assert link.error([b""]) == "unrecognized command: "
    assert link.error([b"a\r\nb" + b"x" * 1000]) == "unrecognized command: a  b" + "x" * 60
    assert link.open
    assert link("LENGTH_KV") == 0


@pytest.mark.parametrize("name", [name.decode() for name in VERBS] + ["SHUTDOWN"])
def test_a_wrong_number_of_arguments_is_an_error(link: SimpleLink, name: str) -> None:
    least, most = (VERBS[name.encode()].least, VERBS[name.encode()].most) if name != "SHUTDOWN" else (0, 0)
    text = f"wrong number of arguments for {name}"
    if most != float("inf"):
        assert link.error([name.lower(), *[b"x"] * (int(most) + 1)]) == text
    if least:
        assert link.error([name, *[b"x"] * (least - 1)]) == text
    assert not link.stopped


def test_every_command_of_the_protocol_is_there() -> None:
    commands = """ENQUEUE DEQUEUE REMOVE LENGTH FLUSH ADD READ LENGTH_SCHEDULE FLUSH_SCHEDULE SET GET POP DELETE EXISTS
        SETNX MSET MGET MPOP LENGTH_KV FLUSH_KV FLUSHALL
        ITEMS SCHEDULED ITEMS_KV WAIT INCR DELETE_COUNTER FLUSH_COUNTERS USE"""
    assert {name.decode() for name in VERBS} == {*commands.split()}


@pytest.mark.parametrize("data", [b"PING\r\n", b"*1\r\n$3\r\nabcd\r\n", b"*x\r\n", b"*2\r\n:1\r\n?", b"GET / HTTP/1.1"])
def test_a_malformed_message_is_answered_and_ends_the_connection(link: SimpleLink, data: bytes) -> None:
    answer = link.send(encode([b"SET", b"k", b"v"]) + data + encode([b"SET", b"k", b"changed"]))
    assert answer.startswith(b":1\r\n-protocol error: ")
    assert answer.count(b"\r\n") == 2
    assert not link.open
    assert SimpleLink(link.room)("GET", "k") == b"v"


def test_requests_in_one_piece_are_answered_in_order(link: SimpleLink) -> None:
    requests = [[b"SET", b"k", number] for number in range(50)] + [[b"GET", b"k"], [b"NONE"], [b"POP", b"k"]]
    assert (
        link.send(b"".join(map(encode, requests))) == b":1\r\n" * 50 + b":49\r\n-unrecognized command: NONE\r\n:49\r\n"
    )


def test_limits_break_the_connection_and_change_nothing(room: Room) -> None:
    link = SimpleLink(room, Limits(bulk_bytes=100, args=10, request_bytes=150))
    assert link("SET", "k", b"x" * 100) == 1
    assert b"a string is too long" in link.send(encode([b"SET", b"k", b"y" * 101]))
    assert SimpleLink(room)("GET", "k") == b"x" * 100


def test_a_value_is_bounded_as_a_whole(link: SimpleLink) -> None:
    link.room.dbs.value_limit_bytes = 1000
    fits: Value = [b"x" * 400, b"x" * 400]
    for words in (
        [b"SET", b"k"],
        [b"SETNX", b"k2"],
        [b"MSET", b"k3"],
        [b"ENQUEUE", b"q"],
        [b"ADD", b"2018-01-01 00:00:00"],
    ):
        assert link.ask([*words, fits]) == 1
        assert link.error([*words, [*fits, b"x" * 400]]) == refusal(ValueTooLong)
        assert link.error([*words, b"x" * 1001]) == refusal(ValueTooLong)
    assert link("MGET", "k", "k2", "k3") == [fits] * 3
    assert link("LENGTH", "q") == link("LENGTH_SCHEDULE") == 1


# -- queues -----------------------------------------------------------------------------------------------------------


def test_a_queue_hands_out_the_oldest_value_first(link: SimpleLink) -> None:
    assert [link("ENQUEUE", "q", number) for number in range(3)] == [1, 1, 1]
    assert link("LENGTH", "q") == 3
    assert [link("DEQUEUE", "q") for _ in range(4)] == [0, 1, 2, None]
    assert link("LENGTH", "q") == 0


@pytest.mark.parametrize("value", TYPED)
def test_types_survive_a_queue(link: SimpleLink, value: Value) -> None:
    assert link("ENQUEUE", "q", value) == 1
    assert link.send(encode([b"DEQUEUE", b"q"])) == encode(value)


def test_remove_takes_the_oldest_equal_value_only(link: SimpleLink) -> None:
    for value in (b"a", b"b", 1, [1], b"a", b"b"):
        link("ENQUEUE", "q", value)
    assert link("REMOVE", "q", b"b") == 1
    assert link("REMOVE", "q", b"c") == 0
    assert link("REMOVE", "none", b"b") == 0
    assert link("REMOVE", "none", 1) == 0
    assert [link("DEQUEUE", "q") for _ in range(5)] == [b"a", 1, [1], b"a", b"b"]


@pytest.mark.parametrize(
    ("stored", "wanted", "count"),
    [
        (1, b"1", 0),
        (b"1", 1, 0),
        (1, 1, 1),
        (1, 1.0, 1),
        (2.0, 2, 1),
        (None, None, 1),
        (None, b"", 0),
        ([1, [2.0]], [1.0, [2]], 1),
        ([1], [1, 1], 0),
        ({b"a": 1, b"b": 2}, {b"b": 2, b"a": 1}, 1),
        ({b"a": 1}, {b"a": b"1"}, 0),
        ([], {}, 0),
        (ESCAPE + b":1\r\n", ESCAPE + b":1\r\n", 1),
        (1, ESCAPE + b":1\r\n", 0),
        (ESCAPE + b":1\r\n", 1, 0),
    ],
)
def test_remove_compares_values(link: SimpleLink, stored: Value, wanted: Value, count: int) -> None:
    link("ENQUEUE", "q", stored)
    assert link("REMOVE", "q", wanted) == count
    assert link("LENGTH", "q") == 1 - count


def test_remove_finds_a_value_behind_thousands(link: SimpleLink) -> None:
    link.send(b"".join(encode([b"ENQUEUE", b"q", number]) for number in range(9000)))
    assert link("REMOVE", "q", 8999.0) == 1
    assert link("REMOVE", "q", 8999.0) == 0
    assert link("LENGTH", "q") == 8999


def test_flush_empties_one_queue(link: SimpleLink) -> None:
    link("ENQUEUE", "q", 1)
    link("ENQUEUE", "q", 2)
    link("ENQUEUE", "other", 3)
    assert link("FLUSH", "q") == 2
    assert link("FLUSH", "q") == 0
    assert link("LENGTH", "other") == 1


def test_queues_may_be_called_anything_but_a_list(link: SimpleLink) -> None:
    names: list[Value] = [
        b"",
        b"1",
        1,
        1.5,
        None,
        b"simple:kv",
        b"simple:schedule",
        b"simple:queues",
        ESCAPE,
        b"\0" * 600,
    ]
    link("SET", "k", "v")
    link("ADD", "2020-01-01 00:00:00", "due")
    for name in names:
        assert link("ENQUEUE", name, name) == 1
    for name in names:
        assert link("LENGTH", name) == 1
        assert link("DEQUEUE", name) == name
    for bad in ([], {}, [b"q"], Fault(b"q")):
        assert link.error([b"ENQUEUE", bad, 1]) == refusal(BadName)
    assert link("GET", "k") == b"v"
    assert link("LENGTH_SCHEDULE") == 1


# -- the schedule -----------------------------------------------------------------------------------------------------


def test_the_schedule_hands_out_what_is_due_earliest_first(link: SimpleLink) -> None:
    assert link("ADD", "2018-01-03 00:00:00", "c") == 1
    assert link("ADD", "2018-01-01 00:00:00", "a") == 1
    assert link("ADD", "2018-01-02 00:00:00", "b") == 1
    assert link("LENGTH_SCHEDULE") == 3
    assert link("READ", "2017-12-31 23:59:59") == []
    assert link("READ", "2018-01-02 00:00:00") == [b"a", b"b"]
    assert link("READ", "2018-01-02 00:00:00") == []
    assert link("LENGTH_SCHEDULE") == 1


def test_fractions_of_seconds_count(link: SimpleLink) -> None:
    for fraction in (".5", ".499999", ".50", ".000001", ""):
        link("ADD", f"2018-01-01 00:00:00{fraction}", fraction)
    assert link("READ", "2018-01-01 00:00:00") == [b""]
    assert link("READ", "2018-01-01 00:00:00.499999") == [b".000001", b".499999"]
    assert link("READ", "2018-01-01 00:00:00.5") == [b".5", b".50"]


def test_equal_times_come_in_the_order_of_adding(link: SimpleLink) -> None:
    values: list[Value] = [b"z", b"a", None, 3, {}, b"m", 1]
    for value in values:
        link("ADD", "2018-01-01 00:00:00.25", value)
    assert link("READ", "2018-01-01 00:00:00.25") == values


def test_any_time_of_the_calendar_can_be_scheduled(link: SimpleLink) -> None:
    times = ["0001-01-01 00:00:00", "1969-12-31 23:59:59.999999", "1970-01-01 00:00:00", "9999-12-31 23:59:59.999999"]
    for time in reversed(times):
        assert link("ADD", time, time) == 1
    for time in times:
        assert link("READ", time) == [time.encode()]


@pytest.mark.parametrize(
    "timestamp",
    [
        *("", "now", "2018-01-01", "2018-01-01T00:00:00", "2018-1-1 0:0:0", "2018-01-01 00:00", " 2018-01-01 00:00:00"),
        *(
            "2018-02-30 00:00:00",
            "2018-13-01 00:00:00",
            "2018-01-01 24:00:00",
            "2018-01-01 00:00:60",
            "0000-01-01 00:00:00",
        ),
        *("2018-01-01 00:00:00.", "2018-01-01 00:00:00.1234567", "2018-01-01 00:00:00+00:00", "2018-01-01 00:00:00\n"),
        *("٢٠١٨-01-01 00:00:00", "0000-01-01 00:00:00", 1, 1.5, None, [], {}),
    ],
)
def test_anything_else_is_no_timestamp(link: SimpleLink, timestamp: Value) -> None:
    assert link.error([b"ADD", timestamp, b"data"]) == refusal(BadTimestamp)
    assert link.error([b"READ", timestamp]) == refusal(BadTimestamp)
    assert link("LENGTH_SCHEDULE") == 0


@pytest.mark.parametrize("value", TYPED)
def test_types_survive_the_schedule(link: SimpleLink, value: Value) -> None:
    link("ADD", "2018-01-01 00:00:00", value)
    assert link.send(encode([b"READ", b"2018-01-01 00:00:00"])) == encode([value])


def test_flush_schedule_empties_it(link: SimpleLink) -> None:
    link("ADD", "2018-01-01 00:00:00", 1)
    link("ADD", "2019-01-01 00:00:00", 1)
    assert link("FLUSH_SCHEDULE") == 2
    assert link("FLUSH_SCHEDULE") == 0
    assert link("READ", "2020-01-01 00:00:00") == []


# -- keys and values --------------------------------------------------------------------------------------------------


def test_keys_and_values(link: SimpleLink) -> None:
    assert link("GET", "k") is None
    assert link("EXISTS", "k") == 0
    assert link("SET", "k", b"v1") == 1
    assert link("SET", "k", b"v2") == 1
    assert link("GET", "k") == b"v2"
    assert link("EXISTS", "k") == 1
    assert link("SETNX", "k", b"v3") == 0
    assert link("SETNX", "k2", b"v3") == 1
    assert link("LENGTH_KV") == 2
    assert link("POP", "k") == b"v2"
    assert link("POP", "k") is None
    assert link("DELETE", "k2") == 1
    assert link("DELETE", "k2") == 0
    assert link("LENGTH_KV") == 0


@pytest.mark.parametrize("value", TYPED)
def test_types_survive_the_store(link: SimpleLink, value: Value) -> None:
    link("SET", "k", value)
    assert link.send(encode([b"GET", b"k"])) == encode(value)
    assert link.send(encode([b"MGET", b"k", b"none"])) == encode([value, None])
    assert link.send(encode([b"POP", b"k"])) == encode(value)


def test_a_key_that_is_a_number_differs_from_the_text_of_its_digits(link: SimpleLink) -> None:
    assert link("MSET", 1, "integer", b"1", "text", None, "null", b"", "empty", 1.5, "float", b"1.5", "digits") == 6
    assert link("LENGTH_KV") == 6
    assert link("MGET", 1, 1.0, b"1", None, b"", 1.5, b"1.5") == [
        *(b"integer", b"integer", b"text", b"null", b"empty", b"float", b"digits")
    ]


def test_a_stored_null_is_there(link: SimpleLink) -> None:
    link("SET", "k", None)
    assert link("GET", "k") is None
    assert link("EXISTS", "k") == 1
    assert link("SETNX", "k", 1) == 0
    assert link("LENGTH_KV") == 1


def test_mset_answers_the_number_of_pairs(link: SimpleLink) -> None:
    assert link("MSET", "a", 1, "b", 2, "a", 3) == 3
    assert link("MGET", "a", "b", "c", "a") == [3, 2, None, 3]
    assert link("MSET") == 0
    assert link("MGET") == []
    assert link("MPOP") == []
    assert link.error([b"MSET", b"a"]) == refusal(OddPairs)
    assert link.error([b"MSET", b"a", 4, b"b"]) == refusal(OddPairs)
    assert link("MPOP", "a", "a", "c", "b") == [3, None, None, 2]


def test_mset_sets_all_or_nothing(link: SimpleLink) -> None:
    assert link.error([b"MSET", b"a", 1, b"b", Fault(b"x")]) == refusal(Unstorable)
    assert link.error([b"MSET", b"a", 1, [], 2]) == refusal(BadName)
    assert link("LENGTH_KV") == 0


def test_lists_and_dictionaries_are_no_keys(link: SimpleLink) -> None:
    for name in (b"GET", b"POP", b"DELETE", b"EXISTS", b"MGET", b"MPOP"):
        for key in ([], {}, [b"k"], {b"k": b"k"}, Fault(b"k")):
            assert link.error([name, key]) == refusal(BadName)
    assert link.error([b"SET", [], 1]) == refusal(BadName)
    assert link.error([b"SETNX", {}, 1]) == refusal(BadName)


def test_errors_are_not_stored(link: SimpleLink) -> None:
    for value in (Fault(b"x"), [Fault(b"x")], {b"k": Fault(b"x")}):
        assert link.error([b"SET", b"k", value]) == refusal(Unstorable)
        assert link.error([b"ENQUEUE", b"q", value]) == refusal(Unstorable)
        assert link.error([b"ADD", b"2018-01-01 00:00:00", value]) == refusal(Unstorable)
    assert link("LENGTH_KV") + link("LENGTH", "q") + link("LENGTH_SCHEDULE") == 0


def test_flush_kv_deletes_all_keys(link: SimpleLink) -> None:
    link("MSET", *range(2000))
    assert link("FLUSH_KV") == 1000
    assert link("FLUSH_KV") == 0
    assert link("GET", 0) is None


def test_the_deepest_value_that_can_be_sent_comes_back(link: SimpleLink) -> None:
    value: Value = 1
    for _ in range(MAX_DEPTH - 1):
        value = [value]
    assert link("SET", "k", value) == 1
    assert link("GET", "k") == value
    assert link("MGET", "k") == [value]
    assert b"nested too deep" in link.send(b"*3\r\n+SET\r\n+k\r\n" + b"*1\r\n" * MAX_DEPTH)


# -- all of it, and the other doors -----------------------------------------------------------------------------------


def test_the_three_stores_have_name_spaces_of_their_own(link: SimpleLink) -> None:
    link("SET", "x", 1)
    link("ENQUEUE", "x", 2)
    assert link("FLUSH_KV") == 1
    assert link("LENGTH", "x") == 1
    link("SET", "x", 1)
    assert link("FLUSH", "x") == 1
    assert link("GET", "x") == 1


def test_flushall_empties_what_is_this_protocols(link: SimpleLink) -> None:
    room = link.room
    room("RPUSH", "redis-only", "x")
    room("RPUSH", "shared", "x", "y")
    room("SET", "string", "x")
    assert link("DEQUEUE", "shared") == b"x"
    for number in range(2500):
        link("ENQUEUE", f"q{number}", number)
    link("SET", "k", 1)
    link("ADD", "2018-01-01 00:00:00", 1)
    room("RPUSH", "q0", "from redis")
    room("DEL", "q1")
    room("SET", "q1", "another type now")
    assert link("FLUSHALL") == 1
    assert sorted(room("KEYS", "*")) == [b"q1", b"redis-only", b"string"]
    assert (link("LENGTH", "q0"), link("LENGTH_KV"), link("LENGTH_SCHEDULE")) == (0, 0, 0)
    assert link("FLUSHALL") == 1
    assert_nothing_is_left_over(room)


def test_a_string_is_the_same_bytes_for_redis(link: SimpleLink) -> None:
    room = link.room
    for value in (b"", b"text", b"\0\xff\r\n", b"\0simple"):
        link("ENQUEUE", "q", value)
        assert room("LPOP", "q") == value
        room("RPUSH", "q", value)
        assert link("DEQUEUE", "q") == value


def test_bytes_that_redis_pushed_are_a_string_whatever_they_look_like(link: SimpleLink) -> None:
    link.room("RPUSH", "q", ESCAPE + b"no value", ESCAPE + b":1", b":1\r\n", ESCAPE + b"*1\r\n" * 500 + b":1\r\n")
    assert link("DEQUEUE", "q") == ESCAPE + b"no value"
    assert link("DEQUEUE", "q") == ESCAPE + b":1"
    assert link("DEQUEUE", "q") == b":1\r\n"
    assert link("DEQUEUE", "q") == ESCAPE + b"*1\r\n" * 500 + b":1\r\n"


def test_values_and_fields_of_the_store_are_seen_over_redis(link: SimpleLink) -> None:
    link("SET", "k", "v")
    link("ADD", "2018-01-01 00:00:00", 1)
    link("ENQUEUE", "q", 1)
    kinds = {name: link.room("TYPE", name).text for name in link.room("KEYS", "*")}
    assert kinds == {b"simple:kv": b"hash", b"simple:schedule": b"schedule", b"simple:queues": b"hash", b"q": b"list"}
    link.room("FLUSHDB")
    assert (link("GET", "k"), link("LENGTH_SCHEDULE"), link("LENGTH", "q")) == (None, 0, 0)
    assert link("SET", "k", "v") == 1


def test_enqueue_wakes_who_waits_over_redis(link: SimpleLink) -> None:
    room = link.room
    waiting = room.connect()
    replies: list[object] = []
    waiting.encode = lambda reply: replies.append(reply) or b""
    room.turn.receive(waiting, [[b"BLPOP", b"q", b"0"]])
    room.turn.end()
    assert waiting.waiter is not None
    assert link("ENQUEUE", "q", b"job") == 1
    assert waiting.waiter is None
    assert replies == [[b"q", b"job"]]
    assert link("LENGTH", "q") == 0


def test_a_key_of_another_type_is_an_error_and_stays(link: SimpleLink) -> None:
    room = link.room
    for name in ("q", "simple:kv", "simple:schedule", "simple:queues"):
        room("SET", name, "string")
    for words in (
        *(
            ("ENQUEUE", "q", 1),
            ("DEQUEUE", "q"),
            ("REMOVE", "q", 1),
            ("REMOVE", "q", b"x"),
            ("LENGTH", "q"),
            ("FLUSH", "q"),
        ),
        *(("ENQUEUE", "other", 1), ("FLUSHALL",)),
        *(
            ("ADD", "2018-01-01 00:00:00", 1),
            ("READ", "2018-01-01 00:00:00"),
            ("LENGTH_SCHEDULE",),
            ("FLUSH_SCHEDULE",),
        ),
        *(("SET", "k", 1), ("SETNX", "k", 1), ("GET", "k"), ("POP", "k"), ("DELETE", "k"), ("EXISTS", "k")),
        *(("MSET", "k", 1), ("MSET",), ("MGET", "k"), ("MPOP", "k"), ("LENGTH_KV",), ("FLUSH_KV",)),
    ):
        assert link.error([*words]) == refusal(WrongType), words
    assert sorted(room("KEYS", "*")) == [b"q", b"simple:kv", b"simple:queues", b"simple:schedule"]


def test_writes_are_refused_while_the_disk_refuses_them(link: SimpleLink, monkeypatch: pytest.MonkeyPatch) -> None:
    link("SET", "k", "v")
    monkeypatch.setattr(link.room.turn.commit, "refusing", True)
    monkeypatch.setattr(link.room.turn.commit, "failing", "no space", raising=False)
    refused = Misconf("no space").message.decode()
    for name, verb in VERBS.items():
        if verb.writes:
            words = [b"x"] * (2 if verb.most == float("inf") else verb.least)
            assert link.error([name, *words]) == refused
    assert link("GET", "k") == b"v"
    assert link("LENGTH_KV") == 1


def test_a_verb_that_fails_in_a_way_that_no_one_expected_changes_nothing(
    link: SimpleLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(ctx: object, *words: object) -> int:
        VERBS[b"SET"].run(ctx, *words)
        raise ZeroDivisionError

    monkeypatch.setitem(VERBS, b"SETNX", VERBS[b"SETNX"]._replace(run=fail))
    answer = link.send(encode([b"ENQUEUE", b"q", 1]) + encode([b"SETNX", b"k", 1]))
    assert answer.count(b"-internal error") == 2
    assert link.open
    assert link("GET", "k") is None
    assert link("LENGTH", "q") == 0
    assert_nothing_is_left_over(link.room)


def test_shutdown_is_answered_and_stops_the_server(link: SimpleLink) -> None:
    assert link.error([b"SHUTDOWN", b"now"]) == "wrong number of arguments for SHUTDOWN"
    assert not link.stopped
    assert link("SHUTDOWN") == 1
    assert link.stopped


def test_nothing_is_left_behind(link: SimpleLink) -> None:
    link("ENQUEUE", "q", 1)
    link("DEQUEUE", "q")
    link("SET", "k", 1)
    link("POP", "k")
    link("ADD", "2018-01-01 00:00:00", 1)
    link("READ", "2018-01-01 00:00:00")
    assert link.room("KEYS", "*") == [b"simple:queues"]
    assert_nothing_is_left_over(link.room)
