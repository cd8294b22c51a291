"""memcached's meta commands, flag by flag; replies are memcached 1.6.18's unless a comment says otherwise."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from spoold.protocol.codec import Limits
from support.memcached import Client, Doorway
from support.room import Room

BAD_FORMAT = "CLIENT_ERROR bad command line format"
INVALID_FLAG = "CLIENT_ERROR invalid flag"
INVALID_OR_DUPLICATE = "CLIENT_ERROR invalid or duplicate flag"
OPAQUE_TOO_LONG = "CLIENT_ERROR opaque token too long"


def put(client: Client, key: str, value: str, *flags: str) -> None:
    assert client.ask(" ".join([f"ms {key} {len(value)}", *flags]), value) == "HD"


def cas_id(client: Client, key: str) -> int:
    return int(client.ask(f"mg {key} c").split()[1][1:])


# -- mn, mg ---------------------------------------------------------------------------------------------------------


def test_mn_answers_behind_all_that_says_nothing(client: Client) -> None:
    assert client.ask("mg missing q", "ms k 1 q", "v", "md k q", "mn", "mn again") == "MN\r\nMN"


def test_mg_answers_what_it_is_asked_for_in_that_order(client: Client, room: Room) -> None:
    put(client, "k", "hello", "F7", "T100")
    cas = cas_id(client, "k")
    assert client.ask("mg k") == "HD"
    assert client.ask("mg k v") == "VA 5\r\nhello"
    assert client.ask("mg k s k Oabc v t f c") == f"VA 5 s5 kk Oabc t100 f7 c{cas}\r\nhello"
    assert client.ask(f"mg k c f t Oabc k s q u P{'x' * 100} Ly") == f"HD c{cas} f7 t100 Oabc kk s5"
    room.clock.advance_ms(1)
    assert client.ask("mg k t") == "HD t100"
    room.clock.advance_ms(99_000)
    assert client.ask("mg k t") == "HD t1"


def test_mg_of_a_missing_key(client: Client) -> None:
    assert client.ask("mg k v", "mg k q v", "mg k k Oabc v s", "mn") == "EN\r\nEN kk Oabc\r\nMN"


def test_a_value_that_never_expires_has_a_time_of_minus_one(client: Client) -> None:
    put(client, "k", "v")
    assert client.ask("mg k t") == "HD t-1"


@pytest.mark.parametrize(
    ("flags", "reply"),
    [
        ("x", INVALID_FLAG),
        ("!", INVALID_FLAG),
        ("E1", INVALID_FLAG),
        ("S1", INVALID_FLAG),
        ("s t s", "CLIENT_ERROR duplicate flag"),
        ("T1 T2", "CLIENT_ERROR duplicate flag"),
        ("\x7f", "CLIENT_ERROR duplicate flag"),
        ("Tx", "CLIENT_ERROR bad token in command line format"),
        ("T", "CLIENT_ERROR bad token in command line format"),
        ("Nx", "CLIENT_ERROR bad token in command line format"),
        ("Rx", "CLIENT_ERROR bad token in command line format"),
        ("Cx", "CLIENT_ERROR bad token in command line format"),
        ("Fx", BAD_FORMAT),
        ("F4294967296", BAD_FORMAT),
        ("Mxx", "CLIENT_ERROR incorrect length for M token"),
        ("M", "CLIENT_ERROR incorrect length for M token"),
        ("Jx", "CLIENT_ERROR invalid numeric initial value"),
        ("Dx", "CLIENT_ERROR invalid numeric delta value"),
        ("O" + "1" * 31, "HD O" + "1" * 31),
        ("O" + "1" * 32, OPAQUE_TOO_LONG),
        ("b", "CLIENT_ERROR error decoding key"),
        ("F1 C1 Mx J1 D1 I", "HD"),
        (" ".join("bcdefghijklmnopqrstu"), "CLIENT_ERROR options flags are too long"),
    ],
)
def test_flags_of_mg_are_judged(client: Client, flags: str, reply: str) -> None:
    put(client, "k", "v")
    assert client.ask(f"mg k {flags}") == reply


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("mg", "ERROR"),
        ("md", "ERROR"),
        ("ma", "ERROR"),
        ("ms", "ERROR"),
        ("ms k", BAD_FORMAT),
        ("me", BAD_FORMAT),
        ("mq k", "ERROR"),
        (f"mg {'k' * 251}", BAD_FORMAT),
        (f"md {'k' * 251}", BAD_FORMAT),
        (f"ma {'k' * 251}", BAD_FORMAT),
        (f"me {'k' * 251}", BAD_FORMAT),
        (f"mg {'QUFB' * 63} b", BAD_FORMAT),
        (f"mg {'QUFB' * 62} b", "EN"),
        ("md k x", INVALID_OR_DUPLICATE),
        ("ma k x", INVALID_OR_DUPLICATE),
        ("md k q q", INVALID_OR_DUPLICATE),
        ("ma k Dx", INVALID_OR_DUPLICATE),
        ("md ! b", INVALID_OR_DUPLICATE),
        ("md k O" + "1" * 32, OPAQUE_TOO_LONG),
        ("ma k O" + "1" * 32, OPAQUE_TOO_LONG),
        ("md k " + " ".join("abcdefghijklmnopqrs"), "CLIENT_ERROR options flags too long"),
        ("ma k Mx", "CLIENT_ERROR invalid mode for ma M token"),
        ("ma k Mi", "CLIENT_ERROR invalid mode for ma M token"),
    ],
)
def test_lines_that_are_wrong(client: Client, line: str, reply: str) -> None:
    assert client.ask(line) == reply


def test_mg_touches(client: Client, room: Room) -> None:
    put(client, "k", "v", "T100")
    assert client.ask("mg k t T200 v") == "VA 1 t100\r\nv"
    assert client.ask("mg k T300 t") == "HD t300"
    assert room("TTL", "k") == 300
    assert client.ask("mg k T0 t", "mg k t") == "HD t-1\r\nHD t-1"
    assert client.ask("mg k T-1 v", "mg k v") == "VA 1\r\nv\r\nEN"
    assert client.ask("mg missing T100", "mg missing") == "EN\r\nEN"


# -- who renews a value ---------------------------------------------------------------------------------------------


def test_the_first_who_misses_creates_the_value_and_is_told_to_fill_it(client: Client, room: Room) -> None:
    assert client.ask("mg k N30 t v") == "VA 0 t30 W\r\n"
    assert client.ask("mg k N30 t v") == "VA 0 t30 Z\r\n"
    assert client.ask("mg k") == "HD Z"
    assert room("TTL", "k") == 30
    put(client, "k", "1")
    assert client.ask("mg k N30 v") == "VA 1\r\n1"


def test_one_of_those_who_see_the_end_near_is_told_to_renew(client: Client) -> None:
    put(client, "k", "v", "T30")
    assert client.ask("mg k R30", "mg k R0", "mg k R60 t", "mg k R60", "mg k R10") == "\r\n".join(
        ["HD", "HD", "HD t30 W", "HD Z", "HD Z"]
    )
    put(client, "k", "v")
    assert client.ask("mg k R60") == "HD"


def test_a_value_marked_stale_is_shown_so_and_one_client_renews_it(client: Client) -> None:
    put(client, "k", "v", "T100")
    before = cas_id(client, "k")
    assert client.ask("md k I T30 k") == "HD kk"
    assert cas_id(client, "k") > before
    # Asking for the cas id was the first look at it.
    assert client.ask("mg k v t") == "VA 1 t30 Z X\r\nv"
    assert client.ask("md k I", "mg k v t", "mg k") == "HD\r\nVA 1 t30 X W\r\nv\r\nHD Z X"
    put(client, "k", "new")
    assert client.ask("mg k v") == "VA 3\r\nnew"


def test_marks_survive_a_restart_and_stand_in_no_ones_way(tmp_path: Path) -> None:
    with Room(tmp_path, "interval") as room:
        client = Doorway(room).client()
        put(client, "k", "v")
        client.ask("md k I", "mg k")
        cas = cas_id(client, "k")
    with Room(tmp_path, "interval") as room:
        client = Doorway(room).client()
        assert client.ask("mg k c") == f"HD c{cas} Z X"
        assert client.ask("gets k") == f"VALUE k 0 1 {cas}\r\nv\r\nEND"
        assert room("GET", "k") == b"v"
        assert client.ask(f"cas k 0 0 1 {cas}", "w", "mg k") == "STORED\r\nHD"


def test_a_late_value_is_taken_as_a_stale_one(client: Client, room: Room) -> None:
    put(client, "k", "1", "T100")
    old = cas_id(client, "k")
    put(client, "k", "2", "T100")
    new = cas_id(client, "k")
    assert (
        client.ask(f"ms k 1 C{old}", "3", f"ms k 1 I C{new + 5}", "3", f"ms k 1 I C{old} T500", "3") == "EX\r\nEX\r\nHD"
    )
    assert room("TTL", "k") == 100
    assert client.ask("mg k v", "mg k v") == "VA 1 X W\r\n3\r\nVA 1 Z X\r\n3"


def test_a_late_value_leaves_the_one_who_renews_in_charge(client: Client) -> None:
    put(client, "k", "1", "T30")
    old = cas_id(client, "k")
    put(client, "k", "2", "T30")
    assert client.ask("mg k R60", f"ms k 1 I C{old}", "3", "mg k v") == "HD W\r\nHD\r\nVA 1 Z X\r\n3"


# -- ms -------------------------------------------------------------------------------------------------------------


def test_ms_answers_what_it_is_asked_for_in_that_order(client: Client, room: Room) -> None:
    reply = client.ask("ms k 2 c k O9 F7 T90", "xy")
    assert reply == f"HD c{cas_id(client, 'k')} kk O9"
    assert client.ask("get k") == "VALUE k 7 2\r\nxy\r\nEND"
    assert room("TTL", "k") == 90
    assert client.ask("ms k 1 s t f v q", "z", "get k") == "VALUE k 0 1\r\nz\r\nEND"


def test_modes_of_ms(client: Client) -> None:
    assert client.ask("ms k 1 MA O1", "x", "ms k 1 MP", "x", "ms k 1 MR", "x") == "NS O1\r\nNS\r\nNS"
    assert client.ask("ms k 2 ME F3", "bc", "ms k 2 ME k", "xx") == "HD\r\nNS kk"
    assert client.ask("ms k 1 MA F9", "d", "ms k 1 MP", "a", "mg k v f") == "HD\r\nHD\r\nVA 4 f3\r\nabcd"
    assert client.ask("ms k 1 MR", "r", "mg k v f") == "HD\r\nVA 1 f0\r\nr"
    assert client.ask("ms k 1 MS", "s", "mg k v") == "HD\r\nVA 1\r\ns"
    assert client.ask("ms k 1 Mx", "x", "ms k 1 Me", "x") == "\r\n".join(
        ["CLIENT_ERROR invalid mode for ms M token"] * 2
    )


def test_ms_with_a_cas_id(client: Client) -> None:
    assert client.ask("ms k 1 C5 O1 c", "x") == "NF O1 c0"
    put(client, "k", "1")
    cas = cas_id(client, "k")
    assert client.ask(f"ms k 1 C{cas + 1} c", "2", f"ms k 1 MA C{cas + 1}", "2") == "EX c0\r\nEX"
    assert client.ask(f"ms k 1 MA C{cas} c", "2", "mg k v") == f"HD c{cas + 1}\r\nVA 2\r\n12"
    assert client.ask(f"ms k 1 MR C{cas}", "3", f"ms k 1 MR C{cas + 1}", "3", "mg k v") == "EX\r\nHD\r\nVA 1\r\n3"
    assert client.ask("ms new 1 ME C5", "1") == "HD"


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        ("1 !", INVALID_FLAG),
        ("1 T1 T1", "CLIENT_ERROR duplicate flag"),
        ("1 Fx", BAD_FORMAT),
        ("1 Tx", "CLIENT_ERROR bad token in command line format"),
        ("1 O" + "1" * 32, OPAQUE_TOO_LONG),
        ("1 b", "CLIENT_ERROR error decoding key"),
        ("1 " + " ".join("abcdefghijklmnopqr"), "CLIENT_ERROR options flags too long"),
    ],
)
def test_what_is_wrong_with_ms_is_said_and_its_block_skipped(client: Client, words: str, reply: str) -> None:
    assert client.ask(f"ms ! {words} q", "x", "mn") == f"{reply}\r\nMN"


def test_a_block_of_ms_that_is_wrong_is_said_even_if_it_asks_for_quiet(room: Room) -> None:
    client = Doorway(room, Limits(bulk_bytes=100)).client()
    put(client, "k", "old")
    assert client.ask("ms k 3 q", "abcdef") == "CLIENT_ERROR bad data chunk\r\nERROR"
    assert client.ask("ms k x q", f"ms {'k' * 251} 1 q", "x") == f"{BAD_FORMAT}\r\n{BAD_FORMAT}"
    assert client.ask("mg k v") == "VA 3\r\nold"
    assert client.ask("ms k 101 q MA", "x" * 101, "mg k v") == "SERVER_ERROR object too large for cache\r\nVA 3\r\nold"
    assert client.ask("ms k 98 MA", "x" * 98) == "SERVER_ERROR object too large for cache"
    assert client.ask("ms k 101 q", "x" * 101, "mg k v") == "SERVER_ERROR object too large for cache\r\nEN"


# -- md, ma, me -----------------------------------------------------------------------------------------------------


def test_md(client: Client) -> None:
    put(client, "k", "v")
    cas = cas_id(client, "k")
    assert client.ask(f"md k C{cas + 1} O1 k", f"md k C{cas} O1 k", "md k k O1") == "EX O1 kk\r\nHD O1 kk\r\nNF kk O1"
    put(client, "k", "v")
    assert client.ask("md k q", "md k q") == "NF"


def test_ma(client: Client, room: Room) -> None:
    put(client, "n", "10", "F5")
    assert client.ask("ma n", "ma n v", "ma n v D5 k O7") == "HD\r\nVA 2\r\n12\r\nVA 2 kn O7\r\n17"
    assert client.ask("ma n MD D3 v", "ma n M- D300 v", "ma n M+ v", "ma n MI v") == "\r\n".join(
        ["VA 2", "14", "VA 1", "0", "VA 1", "1", "VA 1", "2"]
    )
    assert client.ask("ma n T60 t v", "ma n t q", "ma n s f") == "VA 1 t60\r\n3\r\nHD"
    assert client.ask("ma n c") == f"HD c{cas_id(client, 'n')}"
    cas = cas_id(client, "n")
    assert client.ask(f"ma n C{cas + 1} O1", f"ma n C{cas} v") == "EX O1\r\nVA 1\r\n7"
    assert client.ask("mg n f v") == "VA 1 f5\r\n7"
    assert room("INCR", "n") == 8


def test_ma_creates_a_number_if_asked_to(client: Client, room: Room) -> None:
    assert client.ask("ma n k O1") == "NF kn O1"
    assert client.ask("ma n N0 J13 v t", "ma m N60 J13 D9 v t q") == "VA 2 t-1\r\n13\r\nVA 2 t60\r\n13"
    assert client.ask("ma m N60 J13 D9 v") == "VA 2\r\n22"
    assert room("TTL", "m") == 60


def test_ma_of_what_is_no_number(client: Client) -> None:
    put(client, "k", "x")
    assert client.ask("ma k q") == "CLIENT_ERROR cannot increment or decrement non-numeric value"


def test_me_shows_what_is_known(client: Client) -> None:
    put(client, "k", "hello", "T100")
    line = f"ME k exp=-100 la=0 cas={cas_id(client, 'k')} fetch=yes cls=1 size=6"
    assert client.ask("me k", "me k x") == f"{line}\r\n{line}"
    put(client, "k", "hello")
    assert client.ask("me k").startswith("ME k exp=-1 la=0 cas=")
    assert client.ask("me missing", "me k b") == f"EN\r\n{BAD_FORMAT}"


# -- binary keys ----------------------------------------------------------------------------------------------------


def test_a_key_may_be_given_in_base64(client: Client, room: Room) -> None:
    key = b"a b\r\n\0\xff"
    word = base64.b64encode(key).decode()
    assert client.ask(f"ms {word} 3 b k c", "bar").startswith(f"HD k{word} b c")
    assert room("GET", key) == b"bar"
    assert client.ask(f"mg {word} b k v") == f"VA 3 k{word} b\r\nbar"
    assert client.ask(f"me {word} b").startswith(f"ME {word} exp=-1")
    assert (
        client.ask(f"md {word} k b", f"md {word} k b", f"mg {word} b k")
        == f"HD k{word} b\r\nNF k{word} b\r\nEN k{word} b"
    )
    assert client.ask(f"ma {word} b N0 k v") == f"VA 1 k{word} b\r\n0"


def test_a_key_is_the_same_however_it_is_given(client: Client) -> None:
    put(client, "foo", "v")
    assert client.ask("mg Zm9v b v k", "mg foo v k") == "VA 1 kZm9v b\r\nv\r\nVA 1 kfoo\r\nv"


@pytest.mark.parametrize("word", ["Zm9", "Z", "====", "Zm9v!", "Zm 9v"])
def test_what_is_no_base64_is_refused(client: Client, word: str) -> None:
    assert client.ask(f"mg {word} b").startswith("CLIENT_ERROR")
