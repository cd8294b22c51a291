"""The queue door, row by row of the dialect: replies, errors, what Redis sees of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from spoold import __version__
from spoold.protocol.codec import Limits
from support.queue_server import QueueClient, QueueServer
from support.server import Client

END = "END"
OPEN_ALREADY = "CLIENT_ERROR an item of this queue is open on this connection already"


# -- set, get ---------------------------------------------------------------------------------------------------------


def test_items_come_in_the_order_in_which_they_were_set(queue: QueueClient) -> None:
    assert queue("set q 0 0 3", "one") == "STORED"
    assert queue("set q 0 0 3", "two") == "STORED"
    assert queue("get q") == "VALUE q 0 3 one END"
    assert queue("get q") == "VALUE q 0 3 two END"
    assert queue("get q") == END


def test_the_session_that_the_old_server_documents(queue: QueueClient) -> None:
    assert queue("get niki") == END
    assert queue("set niki 0 0 3", "123") == "STORED"
    assert queue("get niki") == "VALUE niki 0 3 123 END"


def test_an_item_may_hold_any_bytes_and_none(queue: QueueClient, redis: Client) -> None:
    value = bytes(range(256)) + b"\r\nEND\r\n"
    assert queue.send(b"set q 0 0 %d\r\n%b\r\nset q 0 0 0\r\n\r\n" % (len(value), value)) == b"STORED\r\n" * 2
    assert redis("LRANGE", "q", 0, -1) == [value, b""]
    assert queue.send(b"get q\r\n") == b"VALUE q 0 %d\r\n%b\r\nEND\r\n" % (len(value), value)
    assert queue.send(b"get q\r\n") == b"VALUE q 0 0\r\n\r\nEND\r\n"


@pytest.mark.parametrize("flags", [1, 16, 2**32 - 1])
def test_flags_are_kept_and_redis_sees_plain_bytes(queue: QueueClient, redis: Client, flags: int) -> None:
    queue.put("q", "a", flags)
    queue.put("q", "b", flags)
    assert redis("LRANGE", "q", 0, -1) == [b"a", b"b"]
    assert queue("get q") == f"VALUE q {flags} 1 a END"
    assert redis("LPOP", "q") == b"b"


def test_what_redis_pushes_comes_out_here_and_the_other_way_round(queue: QueueClient, redis: Client) -> None:
    redis("RPUSH", "q", "a", "b")
    queue.put("q", "c")
    queue.put("q", "d", 5)
    redis("LPUSH", "q", "z")
    assert [queue("get q"), queue("get q")] == ["VALUE q 0 1 z END", "VALUE q 0 1 a END"]
    assert [redis("LPOP", "q"), redis("RPOP", "q")] == [b"b", b"d"]
    assert queue("get q") == "VALUE q 0 1 c END"
    assert redis("EXISTS", "q") == 0


def test_a_get_of_several_names_takes_one_item_of_each(queue: QueueClient) -> None:
    for name in ("a", "a", "c"):
        queue.put(name, name.upper())
    assert queue("get a b c") == "VALUE a 0 1 A VALUE c 0 1 C END"
    assert queue("get a a") == "VALUE a 0 1 A END"
    assert queue("get") == "ERROR"


def test_a_get_of_several_names_takes_all_or_nothing(queue: QueueClient, redis: Client) -> None:
    redis("RPUSH", "a", "1", "2")
    redis("SET", "s", "v")
    assert queue("get a s").startswith("SERVER_ERROR WRONGTYPE")
    assert queue("get a/open a/open") == OPEN_ALREADY
    assert queue("get a/open b/t=1") == "CLIENT_ERROR only a get of one queue may wait"
    assert queue("get a b/c").startswith("CLIENT_ERROR options of get are")
    assert redis("LLEN", "a") == 2
    assert queue("get a/open b/open") == "VALUE a/open 0 1 1 END"
    assert queue("get a/close b/abort a") == "VALUE a 0 1 2 END"
    assert redis("EXISTS", "a") == 0


@pytest.mark.parametrize("name", ["q" * 251, "a/b", "/", "/t=5"])
def test_a_name_that_no_queue_can_have_is_refused(queue: QueueClient, redis: Client, name: str) -> None:
    assert queue(f"set {name} 0 0 1", "x").startswith("CLIENT_ERROR a queue's name")
    assert queue(f"add {name} 0 0 1", "x").startswith("CLIENT_ERROR a queue's name")
    assert queue(f"monitor {name} 1").startswith("CLIENT_ERROR a queue's name")
    assert queue(f"get {name}").startswith("CLIENT_ERROR")
    assert redis("DBSIZE") == 0


@pytest.mark.parametrize("words", ["x 0", "-1 0", "4294967296 0", "0 x", "0 1.5", "0 99999999999999999999999"])
def test_numbers_that_are_none_are_refused(queue: QueueClient, words: str) -> None:
    assert queue(f"set q {words} 1", "x") == "CLIENT_ERROR bad command line format"
    assert queue("get q") == END


def test_a_key_of_another_type_is_an_error_and_stays(queue: QueueClient, redis: Client) -> None:
    redis("SET", "q", "v")
    for line in ("get q", "get q/open", "get q/peek", "get q/t=10", "monitor q 1", "flush q"):
        assert queue(line).startswith("SERVER_ERROR WRONGTYPE"), line
    assert queue("set q 0 0 1", "x").startswith("SERVER_ERROR WRONGTYPE")
    assert queue("add q 0 0 1", "x").startswith("SERVER_ERROR WRONGTYPE")
    assert queue("set q 0 0 1 noreply", "x") == ""
    assert queue("delete q") == "NOT_FOUND"
    assert redis("GET", "q") == b"v"


# -- exptime ----------------------------------------------------------------------------------------------------------


def test_an_item_that_no_one_takes_in_time_is_dropped(server: QueueServer, queue: QueueClient, redis: Client) -> None:
    queue.put("q", "a", exptime=10)
    queue.put("q", "b")
    queue.put("q", "c", flags=3, exptime=10)
    server.clock.advance_ms(9_999)
    assert queue("get q/peek") == "VALUE q/peek 0 1 a END"
    server.clock.advance_ms(1)
    assert queue("get q/peek") == "VALUE q/peek 0 1 b END"
    assert queue("get q") == "VALUE q 0 1 b END"
    assert redis("LLEN", "q") == 1  # c is overdue, and no one looked at it
    assert redis("LPOP", "q") is None
    assert redis("EXISTS", "q") == 0


def test_what_is_overdue_is_dropped_though_no_one_asks(server: QueueServer, queue: QueueClient, redis: Client) -> None:
    for number in range(5):
        queue.put("q", str(number), exptime=number + 1)
    server.advance_ms(3000)
    assert redis("LLEN", "q") == 2
    server.advance_ms(2000)
    assert redis("EXISTS", "q") == 0


def test_a_negative_exptime_is_over_at_once(queue: QueueClient, redis: Client) -> None:
    assert queue("set q 0 -1 1", "x") == "STORED"
    assert redis("EXISTS", "q") == 0


def test_a_large_exptime_is_a_unix_time(server: QueueServer, queue: QueueClient) -> None:
    now_s = server.clock.unix_ms() // 1000
    queue.put("q", "a", exptime=now_s + 5)
    queue.put("q", "b", exptime=now_s - 5)
    assert queue("get q/peek") == "VALUE q/peek 0 1 a END"
    server.clock.advance_ms(6000)
    assert queue("get q") == END


# -- add --------------------------------------------------------------------------------------------------------------


def test_add_adds_unless_an_equal_item_waits(server: QueueServer, queue: QueueClient, redis: Client) -> None:
    assert queue("add q 0 0 1", "a") == "STORED"
    assert queue("add q 0 0 1", "b") == "STORED"
    assert queue("add q 7 0 1", "a") == "NOT_STORED"
    assert queue("get q") == "VALUE q 0 1 a END"
    assert queue("add q 7 5 1", "a") == "STORED"
    redis("RPUSH", "q", "c")
    assert queue("add q 0 0 1", "c") == "NOT_STORED"
    server.clock.advance_ms(5000)
    assert queue("add q 0 0 1", "a") == "STORED"
    assert queue("add q 0 0 1", "a") == "NOT_STORED"


def test_an_open_item_does_not_wait(queue: QueueClient) -> None:
    queue.put("q", "a")
    queue("get q/open")
    assert queue("add q 0 0 1", "a") == "STORED"


# -- open, close, abort, peek -----------------------------------------------------------------------------------------


def test_an_open_item_is_no_ones_until_it_is_closed(server: QueueServer, queue: QueueClient, redis: Client) -> None:
    queue.put("q", "a", 9)
    queue.put("q", "b")
    assert queue("get q/open") == "VALUE q/open 9 1 a END"
    assert redis("LRANGE", "q", 0, -1) == [b"b"]
    assert server.queue()("get q/open") == "VALUE q/open 0 1 b END"
    assert queue("get q/close") == END
    queue.leave()
    server.settle()
    assert redis("EXISTS", "q") == 0


def test_an_aborted_item_is_back_at_the_head_with_its_flags(queue: QueueClient, redis: Client) -> None:
    queue.put("q", "a", 9)
    queue.put("q", "b")
    queue("get q/open")
    assert queue("get q/abort") == END
    assert redis("LRANGE", "q", 0, -1) == [b"a", b"b"]
    assert queue("get q/open") == "VALUE q/open 9 1 a END"


def test_close_and_abort_without_an_open_read_do_nothing(queue: QueueClient, redis: Client) -> None:
    queue.put("q", "a")
    assert [queue("get q/close"), queue("get q/abort"), queue("get r/close"), queue("get r/abort")] == [END] * 4
    assert redis("LLEN", "q") == 1


def test_a_second_open_read_of_a_queue_is_an_error_and_changes_nothing(queue: QueueClient, redis: Client) -> None:
    for value in "abc":
        queue.put("q", value)
    queue.put("r", "x")
    queue("get q/open")
    assert queue("get q/open") == OPEN_ALREADY
    assert queue("get q/t=10/open") == OPEN_ALREADY
    assert redis("LLEN", "q") == 2
    assert queue("get r/open") == "VALUE r/open 0 1 x END"
    assert queue("get q") == "VALUE q 0 1 b END"  # a plain get beside it is none
    assert queue("get q/close/open") == "VALUE q/close/open 0 1 c END"
    assert queue("get q/close/open") == END
    assert queue("get q/abort") == END
    assert redis("EXISTS", "q") == 0


@pytest.mark.parametrize("key", ["q/close/open", "q/open/close", "q/t=500/close/open", "q/close/t=500/open"])
def test_close_comes_first_in_whatever_order_the_options_stand(queue: QueueClient, key: str) -> None:
    for value in "ab":
        queue.put("q", value)
    assert queue(f"get {key}") == f"VALUE {key} 0 1 a END"
    assert queue(f"get {key}") == f"VALUE {key} 0 1 b END"
    queue("get q/abort")
    assert queue("get q") == "VALUE q 0 1 b END"


@pytest.mark.parametrize(
    "key", ["q/peek/open", "q/peek/close", "q/peek/abort", "q/abort/open", "q/abort/close", "q/close/open/peek"]
)
def test_options_that_contradict_each_other_are_refused(queue: QueueClient, redis: Client, key: str) -> None:
    queue.put("q", "a")
    queue("get q/open")
    assert queue(f"get {key}") == "CLIENT_ERROR peek and abort go with no other option but a time"
    assert queue("get q/open") == OPEN_ALREADY


@pytest.mark.parametrize("option", ["x", "t", "t=", "t=x", "t=-1", "t=99999999999", "OPEN", "t=1.5", "openx"])
def test_an_unknown_option_is_refused(queue: QueueClient, redis: Client, option: str) -> None:
    queue.put("q", "a")
    assert queue(f"get q/{option}").startswith("CLIENT_ERROR options of get are /t=MILLISECONDS")
    assert redis("LLEN", "q") == 1


def test_peek_looks_and_leaves(queue: QueueClient, redis: Client) -> None:
    assert queue("get q/peek") == END
    queue.put("q", "a", 3)
    assert queue("get q/peek") == "VALUE q/peek 3 1 a END"
    assert queue("get q/peek") == "VALUE q/peek 3 1 a END"
    assert redis("LLEN", "q") == 1


def test_a_slash_without_an_option_asks_for_nothing(queue: QueueClient) -> None:
    queue.put("q", "a")
    assert queue("get q/") == "VALUE q/ 0 1 a END"


# -- delete, flush ----------------------------------------------------------------------------------------------------


def test_delete_drops_a_queue_with_its_open_items(server: QueueServer, queue: QueueClient, redis: Client) -> None:
    queue.put("q", "a")
    queue.put("q", "b")
    other = server.queue()
    other("get q/open")
    assert queue("delete q") == "DELETED"
    assert queue("delete q") == "NOT_FOUND"
    other.leave()
    server.settle()
    assert redis("EXISTS", "q") == 0


def test_an_open_item_of_a_deleted_queue_is_no_obstacle(queue: QueueClient) -> None:
    queue.put("q", "a")
    queue("get q/open")
    assert queue("delete q") == "DELETED"
    queue.put("q", "b")
    assert queue("get q/open") == "VALUE q/open 0 1 b END"
    assert queue("get q/abort") == END
    assert queue("get q") == "VALUE q 0 1 b END"


def test_flush_drops_what_waits_and_leaves_what_is_open(queue: QueueClient, redis: Client) -> None:
    for value in "abc":
        queue.put("q", value)
    queue("get q/open")
    assert queue("flush q") == END
    assert queue("flush q") == END
    assert queue("get q") == END
    queue("get q/abort")
    assert redis("LRANGE", "q", 0, -1) == [b"a"]


def test_flush_all_empties_queues_and_nothing_else(queue: QueueClient, redis: Client) -> None:
    for number in range(2500):
        redis("RPUSH", f"q{number}", "x")
    redis("SET", "s", "v")
    redis("SADD", "u", "m")
    redis("SELECT", 1)
    redis("RPUSH", "q", "x")
    assert queue("flush_all") == "OK"
    assert redis("DBSIZE") == 1
    redis("SELECT", 0)
    assert redis("DBSIZE") == 2
    assert queue("flush_all 0") == "OK"
    assert queue("flush_all noreply") == ""
    assert queue("flush_all 10").startswith("CLIENT_ERROR")


def test_flushall_of_redis_forgets_what_is_open(server: QueueServer, queue: QueueClient, redis: Client) -> None:
    queue.put("q", "a")
    queue("get q/open")
    redis("FLUSHALL")
    assert queue("get q/open") == END
    queue.leave()
    server.settle()
    assert redis("DBSIZE") == 0


# -- children ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mention", ["get q+x", "get q+x/peek", "get q+x/t=1", "monitor q+x 0", "get a q+x"])
def test_a_child_gets_copies_from_its_first_mention_on(server: QueueServer, queue: QueueClient, mention: str) -> None:
    queue.put("q", "before")
    queue(mention)
    server.advance_ms(10)
    queue.read()
    assert queue("set q 5 0 5", "after") == "STORED"
    assert queue("get q+x") == "VALUE q+x 5 5 after END"
    assert queue("get q+x") == END
    assert queue("get q") == "VALUE q 0 6 before END"
    assert queue("get q") == "VALUE q 5 5 after END"


def test_an_item_for_a_child_is_not_one_for_its_parent(queue: QueueClient) -> None:
    queue.put("q+x", "a")
    queue.put("q", "b")
    assert queue("get q") == "VALUE q 0 1 b END"
    assert queue("get q") == END
    assert [queue("get q+x"), queue("get q+x")] == ["VALUE q+x 0 1 a END", "VALUE q+x 0 1 b END"]


def test_each_child_has_its_own_copy_with_its_expiry(server: QueueServer, queue: QueueClient) -> None:
    queue("get q+x q+y")
    queue.put("q", "a", exptime=5)
    assert queue("get q+x/open") == "VALUE q+x/open 0 1 a END"
    server.clock.advance_ms(5000)
    assert queue("get q+y") == END
    assert queue("get q") == END
    assert queue("get q+x/close") == END


def test_a_deleted_child_gets_no_more(queue: QueueClient, redis: Client) -> None:
    queue("get q+x")
    assert queue("delete q+x") == "DELETED"
    assert queue("delete q+x") == "NOT_FOUND"
    queue.put("q", "a")
    assert redis("KEYS", "*") == [b"q"]


def test_children_outlive_the_parents_items_and_the_server(tmp_path: Path) -> None:
    with QueueServer(tmp_path, "interval") as server:
        server.queue()("get q+x")
        server.queue()("delete q")
    with QueueServer(tmp_path, "interval") as server:
        queue = server.queue()
        queue.put("q", "a")
        assert queue("get q+x") == "VALUE q+x 0 1 a END"


def test_redis_pushes_for_one_queue_only(queue: QueueClient, redis: Client) -> None:
    queue("get q+x")
    redis("RPUSH", "q", "a")
    assert queue("get q+x") == END


def test_a_child_of_another_type_refuses_the_item_for_all(queue: QueueClient, redis: Client) -> None:
    queue("get q+x")
    redis("SET", "q+x", "v")
    assert queue("set q 0 0 1", "a").startswith("SERVER_ERROR WRONGTYPE")
    assert redis("EXISTS", "q") == 0


@pytest.mark.parametrize("name", ["+x", "q+"])
def test_half_a_childs_name_is_a_queue_like_any_other(queue: QueueClient, redis: Client, name: str) -> None:
    queue.put(name, "a")
    queue.put("q", "b")
    assert redis("LLEN", name) == 1
    assert queue(f"get {name}") == f"VALUE {name} 0 1 a END"


# -- the connection ---------------------------------------------------------------------------------------------------


def test_noreply_says_nothing(queue: QueueClient, redis: Client) -> None:
    assert queue("set q 3 0 1 noreply", "a") == ""
    assert queue("add q 0 0 1 noreply", "a") == ""
    assert queue("set q 0 0 1 loudly", "a") == "ERROR"
    assert queue("get q") == "VALUE q 3 1 a END"
    queue.put("q", "b")
    assert queue("delete q noreply") == ""
    assert queue("delete q 0 noreply") == ""
    assert queue("delete q 1") == "CLIENT_ERROR bad command line format"
    assert redis("EXISTS", "q") == 0


def test_version_verbosity_and_quit(queue: QueueClient) -> None:
    assert queue("version") == f"VERSION {__version__}"
    assert queue("verbosity 1") == "OK"
    assert queue("verbosity 1 noreply") == ""
    assert queue.send(b"version\r\nquit\r\nversion\r\n").count(b"VERSION") == 1
    assert queue.closed


@pytest.mark.parametrize(
    "line", ["", "frob", "GET q", "incr q 1", "touch q 1", "gets q", "get", "delete", "flush", "monitor q", "confirm q"]
)
def test_what_is_no_request_of_this_protocol_is_an_error(queue: QueueClient, line: str) -> None:
    assert queue(line) == "ERROR"
    assert queue("get q") == END


@pytest.mark.parametrize("verb", ["replace", "append", "prepend"])
def test_storing_verbs_that_make_no_sense_for_a_queue_are_errors(queue: QueueClient, verb: str) -> None:
    assert queue(f"{verb} q 0 0 1", "a") == "ERROR"
    assert queue("get q") == END


def test_faulty_blocks_are_answered_and_skipped(server: QueueServer, queue: QueueClient) -> None:
    assert queue.send(b"set q 0 0 3\r\nabcd\r\n").startswith(b"CLIENT_ERROR bad data chunk\r\n")
    assert queue.send(b"set q 0 0 x\r\n") == b"CLIENT_ERROR bad command line format\r\n"
    assert queue.send(b"set q 0 0\r\n") == b"ERROR\r\n"
    server.door.limits = Limits(bulk_bytes=10)
    other = server.queue()
    assert other("set q 0 0 11", "x" * 11) == "SERVER_ERROR object too large for cache"
    assert other("set q 0 0 11 noreply", "x" * 11) == ""
    assert other("get q") == END


def test_stats_tell_what_waits_and_what_is_open(server: QueueServer, queue: QueueClient, redis: Client) -> None:
    queue.put("q", "abc", 1)
    queue.put("q", "de")
    queue("get q+x")
    queue("get q/open")
    queue("get q/abort")
    queue("get q/open")
    queue("get q/close")
    queue("add q 0 0 2", "de")
    queue.put("r", "x")
    queue("get r/open")
    redis("SET", "s", "v")
    redis("RPUSH", "a b", "unreachable")
    waiter = server.queue()
    waiter("get w/t=100")
    server.clock.advance_ms(250)
    stats = dict(line.split(" ")[1:] for line in _lines(queue, "stats") if line != END)
    of_q = {name.removeprefix("queue_q_"): int(n) for name, n in stats.items() if name.startswith("queue_q_")}
    assert of_q == {
        "items": 1,
        "bytes": 2,
        "open_transactions": 0,
        "waiters": 0,
        "children": 1,
        "total_items": 2,
        "total_taken": 0,
        "total_opened": 2,
        "total_confirmed": 1,
        "total_aborted": 1,
    }
    assert stats["queue_r_items"] == "0"
    assert stats["queue_r_open_transactions"] == "1"
    assert "queue_s_items" not in stats
    assert not [name for name in stats if "a b" in name]
    general = ("curr_connections", "total_connections", "curr_queues", "curr_items", "open_transactions")
    assert [stats[name] for name in general] == ["2", "2", "3", "2", "1"]
    assert (stats["total_items"], stats["cmd_set"], stats["get_hits"], stats["version"]) == ("3", "4", "3", __version__)
    assert queue("stats queue w").startswith("STAT queue_w_items 0 ")
    assert "queue_w_waiters 1" in queue("stats queue w")


def test_age_is_known_of_items_with_a_tag(server: QueueServer, queue: QueueClient) -> None:
    queue.put("q", "a", 1)
    queue.put("q", "b")
    server.clock.advance_ms(250)
    assert "STAT queue_q_age 250" in _lines(queue, "stats queue q")
    queue("get q")
    assert not [line for line in _lines(queue, "stats queue q") if "age" in line]


def test_bytes_of_a_long_queue_are_estimated(queue: QueueClient, redis: Client) -> None:
    redis("RPUSH", "q", *[b"x" * 10] * 5000)
    assert "STAT queue_q_bytes 50000" in _lines(queue, "stats queue q")


def test_stats_of_very_many_queues_come_whole(queue: QueueClient, redis: Client) -> None:
    for number in range(1500):
        redis("RPUSH", f"q{number}", "x")
    lines = _lines(queue, "stats")
    assert len([line for line in lines if line.endswith("_items 1")]) == 1500
    assert "STAT curr_queues 1500" in lines
    assert lines[-1] == END


def test_stats_can_be_reset(queue: QueueClient) -> None:
    queue.put("q", "a")
    assert queue("stats reset") == "RESET"
    assert "STAT total_items 0" in _lines(queue, "stats")
    assert queue("stats items") == END
    assert queue("stats a b c") == "ERROR"


def _lines(queue: QueueClient, line: str) -> list[str]:
    return queue.send(line.encode() + b"\r\n").decode().removesuffix("\r\n").split("\r\n")
