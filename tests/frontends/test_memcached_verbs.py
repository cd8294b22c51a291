"""memcached's classic verbs, request by request; replies are memcached 1.6's unless a comment says otherwise."""

from __future__ import annotations

import pytest

from spoold.protocol.codec import Limits
from support.memcached import Client, Doorway
from support.room import Room

BAD_FORMAT = "CLIENT_ERROR bad command line format"
NOT_NUMERIC = "CLIENT_ERROR cannot increment or decrement non-numeric value"
MAX_UINT64 = 2**64 - 1
MONTH_S = 60 * 60 * 24 * 30


def put(client: Client, key: str, value: str, flags: int = 0, exptime: int = 0) -> None:
    assert client.ask(f"set {key} {flags} {exptime} {len(value)}", value) == "STORED"


def value_of(client: Client, key: str) -> str | None:
    lines = client.ask(f"get {key}").split("\r\n")
    return None if lines == ["END"] else "\r\n".join(lines[1:-1])


def cas_id(client: Client, key: str) -> int:
    return int(client.ask(f"gets {key}").split("\r\n")[0].split()[4])


# -- get, gets ------------------------------------------------------------------------------------------------------


def test_a_value_comes_back_with_its_flags(client: Client) -> None:
    put(client, "k", "hello", flags=4_294_967_295)
    assert client.ask("get k") == "VALUE k 4294967295 5\r\nhello\r\nEND"


def test_any_bytes_are_a_value(client: Client) -> None:
    value = bytes(range(256)) + b"\r\nEND\r\n"
    assert client(b"set k 0 0 %d\r\n%b\r\n" % (len(value), value)) == b"STORED\r\n"
    assert client(b"get k\r\n") == b"VALUE k 0 %d\r\n%b\r\nEND\r\n" % (len(value), value)


def test_an_empty_value_is_a_value(client: Client) -> None:
    put(client, "k", "")
    assert client.ask("get k") == "VALUE k 0 0\r\n\r\nEND"


def test_only_the_keys_that_have_a_value_are_answered(client: Client) -> None:
    put(client, "a", "1")
    put(client, "b", "2")
    assert client.ask("get x") == "END"
    assert client.ask("get b x a b") == "VALUE b 0 1\r\n2\r\nVALUE a 0 1\r\n1\r\nVALUE b 0 1\r\n2\r\nEND"


def test_gets_answers_an_id_that_changes_with_the_value_only(client: Client, room: Room) -> None:
    put(client, "k", "1")
    first = cas_id(client, "k")
    assert client.ask("gets k x") == f"VALUE k 0 1 {first}\r\n1\r\nEND"
    client.ask("touch k 100", "get k")
    assert cas_id(client, "k") == first
    for change in ("incr k 1", "append k 0 0 1\r\n0", "prepend k 0 0 1\r\n1", "set k 0 0 3\r\n120"):
        client.ask(change)
        assert cas_id(client, "k") > first
        first = cas_id(client, "k")
    room("SETRANGE", "k", 0, "9")
    assert cas_id(client, "k") > first


@pytest.mark.parametrize("line", ["get", "gets", "gat", "gats", "bget", "get ", "GET k", "ge k"])
def test_a_reading_verb_without_key_is_an_error(client: Client, line: str) -> None:
    assert client.ask(line) == "ERROR"


def test_a_request_for_very_many_keys_is_answered_in_several_turns(client: Client, room: Room) -> None:
    put(client, "a", "1")
    keys = ["a", *(f"missing{number}" for number in range(20_000)), "a"]
    turns = room.turn.turns
    assert client.ask("get " + " ".join(keys), "mn") == "VALUE a 0 1\r\n1\r\n" * 2 + "END\r\nMN"
    assert room.turn.turns - turns > 4
    assert client.ask("gats 100 " + " ".join(keys)).count("VALUE a 0 1 ") == 2


def test_a_request_for_large_values_is_answered_in_several_turns(client: Client, room: Room) -> None:
    value = b"v" * 400_000
    assert client(b"set k 7 0 400000\r\n%b\r\n" % value) == b"STORED\r\n"
    turns = room.turn.turns
    assert client(b"get" + b" k" * 10 + b"\r\nmn\r\n") == b"VALUE k 7 400000\r\n%b\r\n" % value * 10 + b"END\r\nMN\r\n"
    assert room.turn.turns - turns >= 3


def test_a_client_that_does_not_take_its_replies_is_not_sent_more(client: Client) -> None:
    assert client(b"set k 0 0 400000\r\n%b\r\n" % (b"v" * 400_000)) == b"STORED\r\n"
    client.frontend.session.choked = True
    assert client(b"get" + b" k" * 10 + b"\r\n") == b""
    client.frontend.session.choked = False
    client.frontend.session.dispatcher.go_on(client.frontend.session)
    assert client(b"mn\r\n").endswith(b"END\r\nMN\r\n")


# -- keys -----------------------------------------------------------------------------------------------------------


def test_a_key_has_250_bytes_at_most(client: Client) -> None:
    put(client, "k" * 250, "v")
    assert value_of(client, "k" * 250) == "v"
    long = "k" * 251
    for verb in ("set", "add", "replace", "append", "prepend"):
        assert client.ask(f"{verb} {long} 0 0 1", "v") == BAD_FORMAT
    assert client.ask(f"cas {long} 0 0 1 5", "v") == BAD_FORMAT
    lines = ("get {}", "gets {}", "get a {}", "gat 0 {}", "delete {}", "incr {} 1", "decr {} 1", "touch {} 1")
    for line in lines:
        assert client.ask(line.format(long)) == BAD_FORMAT


def test_a_key_may_hold_what_is_no_space_and_no_line_end(client: Client, room: Room) -> None:
    key = b"\x01\t\xff\x80:/{}%"
    assert client(b"set %b 0 0 1\r\nv\r\n" % key) == b"STORED\r\n"
    assert client(b"get %b\r\n" % key) == b"VALUE %b 0 1\r\nv\r\nEND\r\n" % key
    assert room("GET", key) == b"v"


# -- set and its kin ------------------------------------------------------------------------------------------------


def test_set_replaces_value_flags_and_expiry(client: Client, room: Room) -> None:
    put(client, "k", "1", flags=5, exptime=100)
    put(client, "k", "22")
    assert client.ask("get k") == "VALUE k 0 2\r\n22\r\nEND"
    assert room("TTL", "k") == -1


def test_add_stores_only_what_is_not_there(client: Client) -> None:
    assert client.ask("add k 3 0 1", "1") == "STORED"
    assert client.ask("add k 4 0 1", "2") == "NOT_STORED"
    assert client.ask("get k") == "VALUE k 3 1\r\n1\r\nEND"


def test_replace_stores_only_what_is_there(client: Client) -> None:
    assert client.ask("replace k 0 0 1", "1") == "NOT_STORED"
    put(client, "k", "1", exptime=100)
    assert client.ask("replace k 6 0 1", "2") == "STORED"
    assert client.ask("get k") == "VALUE k 6 1\r\n2\r\nEND"


def test_append_and_prepend_keep_flags_and_expiry(client: Client, room: Room) -> None:
    assert client.ask("append k 0 0 1", "x") == "NOT_STORED"
    assert client.ask("prepend k 0 0 1", "x") == "NOT_STORED"
    put(client, "k", "b", flags=9, exptime=100)
    assert client.ask("append k 1 -1 1", "c") == "STORED"
    assert client.ask("prepend k 2 50 1", "a") == "STORED"
    assert client.ask("get k") == "VALUE k 9 3\r\nabc\r\nEND"
    assert room("TTL", "k") == 100


def test_cas_stores_only_what_no_one_has_changed(client: Client) -> None:
    assert client.ask("cas k 0 0 1 1", "x") == "NOT_FOUND"
    put(client, "k", "1")
    seen = cas_id(client, "k")
    assert client.ask(f"cas k 2 0 1 {seen}", "2") == "STORED"
    assert client.ask(f"cas k 3 0 1 {seen}", "3") == "EXISTS"
    assert client.ask("get k") == "VALUE k 2 1\r\n2\r\nEND"


@pytest.mark.parametrize("verb", ["set", "add", "replace", "append", "prepend"])
@pytest.mark.parametrize(
    "words", ["x 0", "-1 0", "4294967296 0", "1.5 0", "0 x", "0 1.5", "0 --1", "0 9007199254740992"]
)
def test_words_that_are_no_numbers_are_refused_and_the_block_is_skipped(client: Client, verb: str, words: str) -> None:
    put(client, "k", "old")
    # memcached reads the block as the next request here.
    assert client.ask(f"{verb} k {words} 9", "flush_all", "mn") == f"{BAD_FORMAT}\r\nMN"
    assert value_of(client, "k") == "old"


def test_a_bad_cas_id_is_refused(client: Client) -> None:
    put(client, "k", "old")
    for word in ("x", "-1", "18446744073709551616"):
        assert client.ask(f"cas k 0 0 1 {word}", "v") == BAD_FORMAT
    assert client.ask("cas k x 0 1 1", "v") == BAD_FORMAT
    assert value_of(client, "k") == "old"


def test_numbers_may_have_a_sign_and_zeros_in_front(client: Client) -> None:
    assert client.ask("set k +1 +0 1", "x", "get k") == "STORED\r\nVALUE k 1 1\r\nx\r\nEND"
    assert client.ask("set k 010 000 01", "x", "get k") == "STORED\r\nVALUE k 10 1\r\nx\r\nEND"


@pytest.mark.parametrize(
    "line", ["set", "set k", "set k 0", "set k 0 0", "set k 0 0 1 2 3", "cas k 0 0 1", "cas k 0 0 1 2 3 4"]
)
def test_a_storing_verb_with_a_wrong_number_of_words_is_an_error(client: Client, line: str) -> None:
    assert client.ask(line) == "ERROR"


@pytest.mark.parametrize("length", ["-1", "x", "99999999999", "2147483647"])
def test_a_length_that_is_none_is_refused(client: Client, length: str) -> None:
    assert client.ask(f"set k 0 0 {length}", "mn") == f"{BAD_FORMAT}\r\nMN"
    assert client.ask(f"set k 0 0 {length} noreply", "mn") == "MN"


def test_a_block_that_does_not_end_where_it_should_changes_nothing(client: Client) -> None:
    put(client, "k", "old")
    assert client.ask("set k 0 0 3", "abcdef") == "CLIENT_ERROR bad data chunk\r\nERROR"
    assert client.ask("set k 0 0 3 noreply", "abcdef") == "ERROR"
    assert value_of(client, "k") == "old"


def test_a_value_above_the_limit_is_refused_and_what_it_should_have_replaced_is_gone(room: Room) -> None:
    client = Doorway(room, Limits(bulk_bytes=1000)).client()
    refusal = "SERVER_ERROR object too large for cache"
    put(client, "k", "v" * 1000)
    assert client.ask("add k 0 0 1001", "v" * 1001) == refusal
    assert client.ask("append k 0 0 1", "v") == refusal
    assert value_of(client, "k") == "v" * 1000
    assert client.ask("set k 0 0 1001", "v" * 1001, "mn") == f"{refusal}\r\nMN"
    assert value_of(client, "k") is None
    assert client.ask("set k 0 0 1001 noreply", "v" * 1001, "mn") == "MN"


# -- noreply --------------------------------------------------------------------------------------------------------


def test_noreply_says_nothing_whatever_comes_of_it(client: Client) -> None:
    put(client, "n", "5")
    lines = [
        *("set k 0 0 1 noreply", "1", "add k 0 0 1 noreply", "1", "replace k 0 0 1 noreply", "1"),
        *("append k 0 0 1 noreply", "1", "prepend k 0 0 1 noreply", "1", "cas k 0 0 1 7 noreply", "1"),
        *("incr n 1 noreply", "decr n 3 noreply", "touch n 100 noreply", "delete missing noreply"),
        *("incr k x noreply", "incr missing 1 noreply", "touch n x noreply", "set k x 0 1 noreply", "1"),
        *("verbosity 1 noreply", "delete k noreply", "delete n 0 noreply", "delete n 5 noreply"),
        *("flush_all x noreply", "flush_all 100 noreply", "flush_all noreply", "mn"),
    ]
    assert client.ask(*lines) == "MN"


def test_noreply_does_what_it_says(client: Client) -> None:
    client.ask("set k 0 0 1 noreply", "1", "append k 0 0 1 noreply", "2", "incr k 1 noreply")
    assert value_of(client, "k") == "13"
    client.ask("delete k noreply")
    assert value_of(client, "k") is None


def test_another_word_at_its_place_is_ignored(client: Client) -> None:
    assert client.ask("set k 0 0 1 quickly", "1") == "STORED"
    assert client.ask("incr k 1 now") == "2"
    assert client.ask("touch k 0 please") == "TOUCHED"


# -- delete, incr, decr, touch, gat ---------------------------------------------------------------------------------


def test_delete(client: Client) -> None:
    put(client, "k", "1")
    assert client.ask("delete k", "delete k", "get k") == "DELETED\r\nNOT_FOUND\r\nEND"


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("delete", "ERROR"),
        ("delete k 0", "NOT_FOUND"),
        ("delete k 1", f"{BAD_FORMAT}.  Usage: delete <key> [noreply]"),
        ("delete k 0 0", f"{BAD_FORMAT}.  Usage: delete <key> [noreply]"),
        ("delete k 0 noreply x", "ERROR"),
        ("incr k", "ERROR"),
        ("incr k 1 2 3", "ERROR"),
        ("incr k -1", "CLIENT_ERROR invalid numeric delta argument"),
        ("decr k x", "CLIENT_ERROR invalid numeric delta argument"),
        ("incr k 18446744073709551616", "CLIENT_ERROR invalid numeric delta argument"),
        ("incr k 1", "NOT_FOUND"),
        ("touch k", "ERROR"),
        ("touch k 1 2 3", "ERROR"),
        ("touch k x", "CLIENT_ERROR invalid exptime argument"),
        ("touch k 1", "NOT_FOUND"),
        ("gat x k", "CLIENT_ERROR invalid exptime argument"),
        ("gat 0", "END"),
        ("flush_all x", "CLIENT_ERROR invalid exptime argument"),
        ("flush_all 0 0", "OK"),
        ("flush_all 0 0 0", "ERROR"),
        ("verbosity", "ERROR"),
        ("verbosity 1", "OK"),
        ("verbosity x", BAD_FORMAT),
        ("verbosity 1 2 3", "ERROR"),
        ("verbosity noreply", ""),
        ("version", "VERSION 1.6.18"),
        ("version please", "VERSION 1.6.18"),
        ("shutdown", "ERROR: shutdown not enabled"),
        ("what", "ERROR"),
        ("", "ERROR"),
        ("slabs automove 0", "ERROR"),
    ],
)
def test_replies_to_single_lines(client: Client, line: str, reply: str) -> None:
    assert client.ask(line) == reply


def test_increment_and_decrement(client: Client) -> None:
    put(client, "n", "10", flags=3)
    assert client.ask("incr n 5", "decr n 3", "decr n 100", "incr n 18446744073709551615", "incr n 2") == (
        f"15\r\n12\r\n0\r\n{MAX_UINT64}\r\n1"
    )
    assert client.ask("get n") == "VALUE n 3 1\r\n1\r\nEND"


def test_a_number_that_becomes_shorter_is_not_padded(client: Client, room: Room) -> None:
    put(client, "n", "100")
    assert client.ask("decr n 1") == "99"
    # memcached pads it to three bytes, which Redis's INCR would not read.
    assert [room("GET", "n"), room("INCR", "n")] == [b"99", 100]


@pytest.mark.parametrize(
    ("value", "reply"),
    [
        ("7", "8"),
        ("007", "8"),
        ("+7", "8"),
        (" 7", "8"),
        ("7 ", "8"),
        ("99  ", "100"),
        ("0" * 20 + "1", "2"),
        (str(MAX_UINT64), "0"),
        (str(MAX_UINT64 + 1), NOT_NUMERIC),
        ("7a", NOT_NUMERIC),
        ("7 a", NOT_NUMERIC),  # 7 for memcached
        ("", NOT_NUMERIC),
        (" ", NOT_NUMERIC),
        ("-7", NOT_NUMERIC),
        ("1.5", NOT_NUMERIC),
        ("0x10", NOT_NUMERIC),
        ("9" * 5000, NOT_NUMERIC),
    ],
)
def test_what_counts_as_a_number(client: Client, value: str, reply: str) -> None:
    put(client, "n", value)
    assert client.ask("incr n 1") == reply


def test_touch_and_gat_give_a_new_expiry(client: Client, room: Room) -> None:
    put(client, "k", "v", flags=2)
    assert client.ask("touch k 100") == "TOUCHED"
    assert room("TTL", "k") == 100
    assert client.ask("gat 200 k missing") == "VALUE k 2 1\r\nv\r\nEND"
    assert room("TTL", "k") == 200
    assert client.ask("touch k 0") == "TOUCHED"
    assert room("TTL", "k") == -1
    assert client.ask("gats 0 k") == f"VALUE k 2 1 {cas_id(client, 'k')}\r\nv\r\nEND"
    assert client.ask("gat -1 k", "get k") == "VALUE k 2 1\r\nv\r\nEND\r\nEND"


# -- time -----------------------------------------------------------------------------------------------------------


def test_an_expiry_counts_from_now_up_to_thirty_days(client: Client, room: Room) -> None:
    put(client, "k", "v", exptime=MONTH_S)
    assert room("PTTL", "k") == MONTH_S * 1000
    room.clock.advance_ms(MONTH_S * 1000 - 1)
    assert value_of(client, "k") == "v"
    room.clock.advance_ms(1)
    assert value_of(client, "k") is None


def test_a_larger_expiry_is_a_time_of_day(client: Client, room: Room) -> None:
    now_s = room.clock.unix_ms() // 1000
    put(client, "k", "v", exptime=now_s + 100)
    assert room("EXPIRETIME", "k") == now_s + 100
    put(client, "k", "v", exptime=MONTH_S + 1)  # in 1970
    assert value_of(client, "k") is None


def test_a_negative_expiry_is_due_at_once(client: Client, room: Room) -> None:
    put(client, "k", "old")
    put(client, "k", "v", exptime=-1)
    assert value_of(client, "k") is None
    assert room("DBSIZE") == 0
    put(client, "k", "v")
    assert client.ask("touch k -1", "get k") == "TOUCHED\r\nEND"


def test_what_has_fallen_due_is_not_there_for_any_verb(client: Client, room: Room) -> None:
    put(client, "k", "5", exptime=1)
    room.clock.advance_ms(1000)
    assert client.ask(
        "replace k 0 0 1", "x", "append k 0 0 1", "x", "incr k 1", "touch k 1", "delete k"
    ) == "\r\n".join(["NOT_STORED", "NOT_STORED", "NOT_FOUND", "NOT_FOUND", "NOT_FOUND"])
    assert client.ask("add k 0 0 1", "x") == "STORED"


# -- flush_all ------------------------------------------------------------------------------------------------------


def test_flush_all_drops_all_values_and_nothing_else(client: Client, room: Room) -> None:
    put(client, "k", "v")
    room("RPUSH", "queue", "job")
    assert (
        client.ask("flush_all", "get k", "set n 0 0 1", "1", "get n")
        == "OK\r\nEND\r\nSTORED\r\nVALUE n 0 1\r\n1\r\nEND"
    )
    assert room("LRANGE", "queue", 0, -1) == [b"job"]


def test_flush_all_with_a_delay_drops_what_is_there_then(client: Client, room: Room) -> None:
    put(client, "before", "1")
    assert client.ask("flush_all 10") == "OK"
    put(client, "meanwhile", "1")
    room.clock.advance_ms(9_999)
    assert client.ask("get before meanwhile").count("VALUE") == 2
    room.clock.advance_ms(1)
    put(client, "after", "1")
    assert client.ask("get before meanwhile after") == "VALUE after 0 1\r\n1\r\nEND"


def test_a_second_flush_all_takes_the_place_of_the_first(client: Client, room: Room) -> None:
    client.ask("flush_all 10", "flush_all 1000")
    put(client, "k", "1")
    room.clock.advance_ms(20_000)
    assert value_of(client, "k") == "1"
    client.ask("flush_all")
    put(client, "k", "1")
    room.clock.advance_ms(1_000_000)
    assert value_of(client, "k") == "1"


def test_flush_all_takes_a_time_of_day_and_one_that_is_past(client: Client, room: Room) -> None:
    put(client, "k", "1")
    now_s = room.clock.unix_ms() // 1000
    client.ask(f"flush_all {now_s + 100}")
    assert value_of(client, "k") == "1"
    client.ask(f"flush_all {now_s - 100}")
    assert value_of(client, "k") is None
    put(client, "k", "1")
    client.ask("flush_all -1")
    assert value_of(client, "k") is None


# -- the connection -------------------------------------------------------------------------------------------------


def test_quit_closes_behind_the_replies_before_it(client: Client) -> None:
    assert client.ask("version", "quit", "version") == "VERSION 1.6.18"
    assert client.closed


@pytest.mark.parametrize(
    ("data", "farewell"),
    [
        (b"\x80" + b"\0" * 23, b""),
        (b"x" * 3000, b"CLIENT_ERROR line too long\r\n"),
        (b"GET / HTTP/1.1\r\nget k\r\n", b""),
        (b"POST k\r\n", b"ERROR\r\n"),
    ],
)
def test_a_stream_that_is_none_of_memcacheds_is_closed(client: Client, data: bytes, farewell: bytes) -> None:
    assert client(data) == farewell
    assert client.closed


def test_an_exception_answers_every_request_of_the_turn_with_an_error(client: Client, room: Room) -> None:
    def fail(*arguments: object) -> bytes:
        raise RuntimeError("planted")

    client.frontend.session.run.__self__._verb.__self__.table[b"fail"] = fail  # type: ignore[attr-defined]
    error = "SERVER_ERROR internal error: the turn was rolled back, see the server's log"
    assert client.ask("set k 0 0 1", "v", "fail", "version") == f"{error}\r\n{error}\r\nVERSION 1.6.18"
    assert value_of(client, "k") is None


def test_while_the_disk_refuses_writes_values_can_be_read(client: Client, room: Room) -> None:
    put(client, "k", "5")
    room.turn.commit.refusing = True
    room.turn.commit.failing = "no space left"
    error = "SERVER_ERROR MISCONF Errors writing to the journal: no space left"
    for lines in (
        ["set k 0 0 1", "x"],
        ["delete k"],
        ["incr k 1"],
        ["touch k 9"],
        ["gat 9 k"],
        ["flush_all"],
        ["md k"],
    ):
        assert client.ask(*lines) == error
    for lines in (["ms k 1", "x"], ["ma k"], ["mg k T9"], ["mg new N9"]):
        assert client.ask(*lines) == error
    assert client.ask("get k", "mg k v") == "VALUE k 0 1\r\n5\r\nEND\r\nVA 1\r\n5"
