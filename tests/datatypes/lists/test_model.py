"""List commands against plain Python lists: replies after every command, alone and in transactions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from spoold.core.errors import IndexOutOfRange, NoSuchKey, WrongType
from spoold.core.reply import NULL_ARRAY, OK
from support.machine import STRING, TransactionMachine

LONG = b"n" * 500

names = st.sampled_from([b"a", b"b", LONG, STRING])
values = st.sampled_from([b"x", b"y", b"z", b"", b"v" * 600])
indexes = st.integers(-25, 25)
counts = st.integers(-4, 12)
sides = st.sampled_from(["LEFT", "RIGHT"])


class ListsMachine(TransactionMachine):
    """Lists of the same names."""

    def __init__(self) -> None:
        super().__init__()
        self.lists: dict[bytes, list[bytes]] = {}

    def model(self, name: bytes) -> list[bytes]:
        """The list under a name, to read."""
        return self.lists.get(name, [])

    def settle(self, *given: bytes) -> None:
        """Forget the lists that have become empty."""
        for name in given:
            if name in self.lists and not self.lists[name]:
                del self.lists[name]

    # -- commands -----------------------------------------------------------------------------------------------

    @rule(name=names, side=sides, given=st.lists(values, min_size=1, max_size=12), only=st.booleans())
    def push(self, name: bytes, side: str, given: list[bytes], only: bool) -> None:
        word = ("LPUSH" if side == "LEFT" else "RPUSH") + ("X" if only else "")
        if name == STRING:
            return self.expect(WrongType, word, name, *given)
        if only and name not in self.lists:
            return self.expect(0, word, name, *given)
        there = self.lists.setdefault(name, [])
        there[:] = given[::-1] + there if side == "LEFT" else there + given
        return self.expect(len(there), word, name, *given)

    @rule(name=names, side=sides, count=st.none() | st.integers(0, 12))
    def pop(self, name: bytes, side: str, count: int | None) -> None:
        words = ["LPOP" if side == "LEFT" else "RPOP", name, *([] if count is None else [count])]
        if name == STRING:
            return self.expect(WrongType, *words)
        if name not in self.lists:
            return self.expect(None if count is None else NULL_ARRAY, *words)
        taken = self._take(name, side, 1 if count is None else count)
        return self.expect(taken[0] if count is None else taken, *words)

    def _take(self, name: bytes, side: str, count: int) -> list[bytes]:
        there = self.lists[name]
        count = min(count, len(there))
        taken = there[:count] if side == "LEFT" else there[len(there) - count :][::-1]
        there[:] = there[count:] if side == "LEFT" else there[: len(there) - count]
        self.settle(name)
        return taken

    @rule(given=st.lists(names, min_size=1, max_size=3), side=sides, count=st.none() | st.integers(1, 5))
    def pop_from_several(self, given: list[bytes], side: str, count: int | None) -> None:
        words = ["LMPOP", len(given), *given, side, *([] if count is None else ["COUNT", count])]
        for name in given:
            if name == STRING:
                return self.expect(WrongType, *words)
            if name in self.lists:
                return self.expect([name, self._take(name, side, count or 1)], *words)
        return self.expect(NULL_ARRAY, *words)

    @rule(source=names, other=names, from_side=sides, to_side=sides)
    def move(self, source: bytes, other: bytes, from_side: str, to_side: str) -> None:
        words = ("LMOVE", source, other, from_side, to_side)
        if (from_side, to_side) == ("RIGHT", "LEFT"):
            words = ("RPOPLPUSH", source, other)
        if source == STRING:
            return self.expect(WrongType, *words)
        if source not in self.lists:
            return self.expect(None, *words)
        if other == STRING:
            return self.expect(WrongType, *words)
        there = self.lists[source]
        value = there.pop(0 if from_side == "LEFT" else -1)
        into = self.lists.setdefault(other, [])
        into.insert(0 if to_side == "LEFT" else len(into), value)
        self.settle(source)
        return self.expect(value, *words)

    @rule(name=names, index=indexes, value=values)
    def set_one(self, name: bytes, index: int, value: bytes) -> None:
        there = self.model(name)
        if name == STRING:
            expected: Any = WrongType
        elif not there:
            expected = NoSuchKey
        elif not -len(there) <= index < len(there):
            expected = IndexOutOfRange
        else:
            there[index] = value
            expected = OK
        self.expect(expected, "LSET", name, index, value)

    @rule(name=names, pivot=values, value=values, behind=st.booleans())
    def insert(self, name: bytes, pivot: bytes, value: bytes, behind: bool) -> None:
        there = self.model(name)
        if name == STRING:
            expected: Any = WrongType
        elif pivot in there:
            there.insert(there.index(pivot) + behind, value)
            expected = len(there)
        else:
            expected = -1 if there else 0
        self.expect(expected, "LINSERT", name, "AFTER" if behind else "BEFORE", pivot, value)

    @rule(name=names, count=counts, value=values)
    def remove(self, name: bytes, count: int, value: bytes) -> None:
        if name == STRING:
            return self.expect(WrongType, "LREM", name, count, value)
        there = self.model(name)
        matches = [index for index, element in enumerate(there) if element == value]
        gone = matches[count:] if count < 0 else matches[: count or None]
        there[:] = [element for index, element in enumerate(there) if index not in gone]
        self.settle(name)
        return self.expect(len(gone), "LREM", name, count, value)

    @rule(name=names, start=indexes, stop=indexes)
    def trim(self, name: bytes, start: int, stop: int) -> None:
        if name == STRING:
            return self.expect(WrongType, "LTRIM", name, start, stop)
        there = self.model(name)
        there[:] = _between(there, start, stop)
        self.settle(name)
        return self.expect(OK, "LTRIM", name, start, stop)

    # -- reading ------------------------------------------------------------------------------------------------

    @rule(name=names, start=indexes, stop=indexes)
    def list_some(self, name: bytes, start: int, stop: int) -> None:
        expected = WrongType if name == STRING else _between(self.model(name), start, stop)
        self.expect(expected, "LRANGE", name, start, stop)

    @rule(name=names, index=indexes)
    def show_one(self, name: bytes, index: int) -> None:
        there = self.model(name)
        found = there[index] if -len(there) <= index < len(there) else None
        self.expect(WrongType if name == STRING else found, "LINDEX", name, index)

    @rule(
        name=names,
        value=values,
        rank=st.integers(-4, 4).filter(bool),
        count=st.none() | st.integers(0, 4),
        most=st.integers(0, 20),
    )
    def find(self, name: bytes, value: bytes, rank: int, count: int | None, most: int) -> None:
        words = ["LPOS", name, value, "RANK", rank, "MAXLEN", most, *([] if count is None else ["COUNT", count])]
        if name == STRING:
            return self.expect(WrongType, *words)
        order = list(enumerate(self.model(name)))
        order = order[::-1] if rank < 0 else order
        found = [index for index, element in order[: most or None] if element == value][abs(rank) - 1 :]
        if count is None:
            return self.expect(found[0] if found else None, *words)
        return self.expect(found[: count or None], *words)

    @invariant()
    def every_list_is_as_the_model_has_it(self) -> None:
        if self.queued is not None:
            return
        for name in (b"a", b"b", LONG):
            assert self.room("LRANGE", name, 0, -1) == self.model(name)
            assert self.room("LLEN", name) == len(self.model(name))
            assert self.room("EXISTS", name) == (name in self.lists)

    def check(self) -> None:
        super().check()
        self.every_list_is_as_the_model_has_it()


class ListsInSmallPieces(ListsMachine):
    """The same, where a handful of elements are many: every loop over pieces has several of them."""

    small: ClassVar[Mapping[str, object]] = {
        "spoold.datatypes.lists.store.FEW": 2,
        "spoold.datatypes.lists.store.MANY": 3,
        "spoold.datatypes.lists.store.MOVE_FACTOR": 1,
        "spoold.datatypes.lists.editing.MANY": 3,
        "spoold.datatypes.lists.editing._FIRST": 2,
    }


def _between(there: list[bytes], start: int, stop: int) -> list[bytes]:
    first = max(start + len(there) if start < 0 else start, 0)
    last = stop + len(there) if stop < 0 else stop
    return there[first : max(last + 1, 0)]


TestLists = ListsMachine.TestCase
TestLists.settings = settings(stateful_step_count=40)
TestListsInSmallPieces = ListsInSmallPieces.TestCase
TestListsInSmallPieces.settings = settings(max_examples=4 * settings.default.max_examples, stateful_step_count=50)
