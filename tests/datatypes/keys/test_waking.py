"""Whatever brings a list to a name wakes who waits for it, and whatever changes a key breaks the watches on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from spoold.core.reply import NULL_ARRAY, OK
from support.reachable import assert_nothing_is_left_over
from support.room import Room


@pytest.fixture(autouse=True)
def _leaves_nothing_over(room: Room) -> Iterator[None]:
    yield
    assert_nothing_is_left_over(room)


class Client:
    """A client whose requests go through the dispatcher; `replies` are the values that it was answered."""

    def __init__(self, room: Room, db: int = 0) -> None:
        """db: the database to work in."""
        self.room = room
        self.session = room.connect()
        self.session.ctx.select(db)
        self.replies: list[Any] = []
        self.session.encode = self._keep

    def _keep(self, reply: Any) -> bytes:
        self.replies.append(reply)
        return b""

    def __call__(self, *words: object) -> None:
        """Send one request in a turn of its own."""
        request = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self.room.turn.receive(self.session, [request])
        self.room.turn.end()

    @property
    def waits(self) -> bool:
        """Whether it is parked."""
        return self.session.waiter is not None


def waiter(room: Room, *names: str, db: int = 0) -> Client:
    """A client that is parked at `names`."""
    client = Client(room, db)
    client("BLPOP", *names, 0)
    assert client.waits
    return client


def prepared(room: Room) -> Client:
    """A client, with a list in database 0 and one in database 1."""
    client = Client(room)
    room("RPUSH", "l", "1", "2")
    room("SELECT", 1)
    room("RPUSH", "other", "3")
    room("SELECT", 0)
    return client


@pytest.mark.parametrize(
    ("request_", "element"),
    [
        ("RENAME l target", b"1"),
        ("RENAMENX l target", b"1"),
        ("COPY l target", b"1"),
        ("COPY l target REPLACE", b"1"),
        ("SORT l DESC STORE target", b"2"),
    ],
)
def test_a_list_that_comes_under_a_name_wakes_who_waits_for_it(room: Room, request_: str, element: bytes) -> None:
    client = prepared(room)
    first, second = waiter(room, "target"), waiter(room, "target", "elsewhere")
    client(*request_.split())
    assert first.replies == [[b"target", element]]
    assert second.replies == [[b"target", b"2" if element == b"1" else b"1"]]
    assert not first.waits
    assert not second.waits
    assert room("EXISTS", "target") == 0


def test_a_restored_list_wakes_who_waits_for_it(room: Room) -> None:
    client = prepared(room)
    waiting = waiter(room, "target")
    client("RESTORE", "target", 1000, room("DUMP", "l"))
    assert waiting.replies == [[b"target", b"1"]]
    assert room("PTTL", "target") == 1000
    room("DEL", "target")


@pytest.mark.parametrize("request_", ["MOVE l 1", "COPY l l DB 1"])
def test_a_list_that_comes_into_a_database_wakes_who_waits_there(room: Room, request_: str) -> None:
    client = prepared(room)
    there, here, elsewhere = waiter(room, "l", db=1), waiter(room, "nothing"), waiter(room, "l", db=2)
    client(*request_.split())
    assert there.replies == [[b"l", b"1"]]
    assert here.waits
    assert elsewhere.waits


@pytest.mark.parametrize("request_", ["SWAPDB 0 1", "SWAPDB 1 0"])
def test_swapped_databases_wake_who_waits_in_either(room: Room, request_: str) -> None:
    client = prepared(room)
    in_0, in_1 = waiter(room, "other", db=0), waiter(room, "l", db=1)
    still_0, still_1 = waiter(room, "none", db=0), waiter(room, "none", db=1)
    client(*request_.split())
    assert in_0.replies == [[b"other", b"3"]]
    assert in_1.replies == [[b"l", b"1"]]
    assert still_0.waits
    assert still_1.waits


def test_a_waiter_does_not_go_along_with_a_swapped_database(room: Room) -> None:
    client = prepared(room)
    waiting = waiter(room, "q", db=0)
    client("SWAPDB", 0, 1)
    client("SELECT", 1)
    client("RPUSH", "q", "in 1")
    assert waiting.waits
    client("SELECT", 0)
    client("RPUSH", "q", "in 0")
    assert waiting.replies == [[b"q", b"in 0"]]
    room("SELECT", 1)
    assert room("LPOP", "q") == b"in 1"


def test_who_waits_longest_is_served_first_also_by_a_swap(room: Room) -> None:
    client = prepared(room)
    first, second, third = (waiter(room, "l", db=1) for _ in range(3))
    client("SWAPDB", 0, 1)
    assert first.replies == [[b"l", b"1"]]
    assert second.replies == [[b"l", b"2"]]
    assert third.waits


def test_a_string_under_the_name_wakes_no_one(room: Room) -> None:
    client = prepared(room)
    waiting = waiter(room, "target")
    client("SET", "s", "v")
    client("RENAME", "s", "target")
    assert waiting.waits
    client("RENAME", "l", "target")
    assert waiting.replies == [[b"target", b"1"]]


def test_what_a_transaction_brings_wakes_only_after_its_end(room: Room) -> None:
    client = prepared(room)
    waiting = waiter(room, "target")
    client("MULTI")
    client("RENAME", "l", "target")
    client("LLEN", "target")
    client("EXEC")
    assert client.replies[-1] == [OK, 2]
    assert waiting.replies == [[b"target", b"1"]]


# What changes the key `k` of database 0, or leaves it as it is.
CHANGES = [
    ("DEL k", True),
    ("UNLINK k", True),
    ("RENAME k x", True),
    ("RENAME l k", True),
    ("RENAMENX l k", False),
    ("MOVE k 1", True),
    ("COPY l k", False),
    ("COPY l k REPLACE", True),
    ("COPY k x", False),
    ("EXPIRE k 100", True),
    ("EXPIRE k 100 XX", False),
    ("EXPIRE k -1", True),
    ("PERSIST k", False),
    ("SORT l STORE k", True),
    ("SORT missing STORE k", True),
    ("FLUSHDB", True),
    ("FLUSHALL", True),
    ("SWAPDB 0 1", True),
    ("SWAPDB 1 2", False),
    ("TOUCH k", False),
    ("SCAN 0", False),
]


@pytest.mark.parametrize(("request_", "breaks"), CHANGES)
def test_a_watch_is_broken_by_what_changes_the_key(room: Room, request_: str, breaks: bool) -> None:
    client = prepared(room)
    client("SET", "k", "v")
    watching = Client(room)
    watching("WATCH", "k")
    client(*request_.split())
    watching("MULTI")
    watching("EXEC")
    assert watching.replies[-1] == (NULL_ARRAY if breaks else [])


@pytest.mark.parametrize(
    ("request_", "breaks"),
    [
        ("FLUSHDB", False),
        ("FLUSHALL", False),
        ("SWAPDB 0 2", False),
        ("SWAPDB 0 1", True),
        ("DEL none", False),
        ("RENAME l none", True),
        ("SORT missing STORE none", False),
    ],
)
def test_a_watch_on_a_missing_key_is_broken_only_when_it_comes(room: Room, request_: str, breaks: bool) -> None:
    client = prepared(room)
    room("SELECT", 1)
    room("SET", "none", "v")
    watching = Client(room)
    watching("WATCH", "none")
    client(*request_.split())
    watching("MULTI")
    watching("EXEC")
    assert watching.replies[-1] == (NULL_ARRAY if breaks else [])
