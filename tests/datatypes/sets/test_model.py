"""Set commands against lists without repetition: replies after every command, alone and in transactions.

Order counts where spoold promises it: the oldest member first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from spoold.core.errors import WrongType
from spoold.core.reply import SetReply
from support.machine import STRING, TransactionMachine

LONG = b"n" * 500
MEMBERS = [b"", b"m" * 480, b"m" * 481, b"m" * 481 + b"x", *(b"%d" % number for number in range(30))]

names = st.sampled_from([b"a", b"b", LONG, STRING])
members = st.sampled_from(MEMBERS)
some = st.lists(members, min_size=1, max_size=20)


class SetsMachine(TransactionMachine):
    """Sets as lists, the oldest member first."""

    def __init__(self) -> None:
        super().__init__()
        self.sets: dict[bytes, list[bytes]] = {}

    @staticmethod
    def compare(words: tuple[Any, ...], reply: Any, expected: Any) -> None:
        """A set: members in any order; a SetReply: in this order."""
        if isinstance(expected, set):
            assert isinstance(reply, SetReply)
            assert len(reply.items) == len(expected), words
            assert set(reply.items) == expected, words
        elif isinstance(expected, SetReply):
            assert reply.items == expected.items, words
        else:
            TransactionMachine.compare(words, reply, expected)

    def model(self, name: bytes) -> list[bytes]:
        """The members under a name, to read."""
        return self.sets.get(name, [])

    def keep(self, name: bytes, given: list[bytes]) -> None:
        """Make the name a set of these members."""
        if given:
            self.sets[name] = given
        else:
            self.sets.pop(name, None)

    # -- commands on one set ------------------------------------------------------------------------------------

    @rule(name=names, given=some)
    def add(self, name: bytes, given: list[bytes]) -> None:
        if name == STRING:
            return self.expect(WrongType, "SADD", name, *given)
        new = [member for member in dict.fromkeys(given) if member not in self.model(name)]
        self.keep(name, self.model(name) + new)
        return self.expect(len(new), "SADD", name, *given)

    @rule(name=names, given=some)
    def remove(self, name: bytes, given: list[bytes]) -> None:
        if name == STRING:
            return self.expect(WrongType, "SREM", name, *given)
        left = [member for member in self.model(name) if member not in given]
        removed = len(self.model(name)) - len(left)
        self.keep(name, left)
        return self.expect(removed, "SREM", name, *given)

    @rule(name=names)
    def remove_the_oldest(self, name: bytes) -> None:
        """So that there are holes at the head."""
        for member in self.model(name)[:5]:
            self.remove(name, [member])

    @rule(name=names, count=st.none() | st.integers(0, 25))
    def pop(self, name: bytes, count: int | None) -> None:
        words = ["SPOP", name, *([] if count is None else [count])]
        if name == STRING:
            return self.expect(WrongType, *words)
        there = self.model(name)
        taken = there[: 1 if count is None else count]
        self.keep(name, there[len(taken) :])
        if count is None:
            return self.expect(taken[0] if taken else None, *words)
        return self.expect(SetReply(taken), *words)

    @rule(source=names, other=names, member=members)
    def move(self, source: bytes, other: bytes, member: bytes) -> None:
        words = ("SMOVE", source, other, member)
        if source == STRING:
            return self.expect(WrongType, *words)
        if source not in self.sets:
            return self.expect(0, *words)
        if other == STRING:
            return self.expect(WrongType, *words)
        found = member in self.model(source)
        if found and source != other:
            self.keep(source, [one for one in self.model(source) if one != member])
            self.keep(other, list(dict.fromkeys([*self.model(other), member])))
        return self.expect(int(found), *words)

    # -- commands on several ------------------------------------------------------------------------------------

    @rule(given=st.lists(names, min_size=1, max_size=4), word=st.sampled_from(["SINTER", "SUNION", "SDIFF"]))
    def combine(self, given: list[bytes], word: str) -> None:
        expected = WrongType if STRING in given else set(_combined(word, [self.model(name) for name in given]))
        self.expect(expected, word, *given)

    @rule(
        to=names,
        given=st.lists(names.filter(lambda name: name != STRING), min_size=1, max_size=4),
        word=st.sampled_from(["SINTER", "SUNION", "SDIFF"]),
    )
    def combine_and_store(self, to: bytes, given: list[bytes], word: str) -> None:
        if to == STRING:
            return
        result = _combined(word, [self.model(name) for name in given])
        self.expect(len(result), word + "STORE", to, *given)
        self.keep(to, result)

    @rule(given=st.lists(names, min_size=1, max_size=4), limit=st.integers(0, 5))
    def count_common(self, given: list[bytes], limit: int) -> None:
        common = len(_combined("SINTER", [self.model(name) for name in given]))
        expected = WrongType if STRING in given else min(common, limit or common)
        self.expect(expected, "SINTERCARD", len(given), *given, "LIMIT", limit)

    # -- reading ------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.queued is None)
    @rule(name=names, count=st.integers(-20, 40))
    def pick(self, name: bytes, count: int) -> None:
        if name == STRING:
            return
        there = self.model(name)
        one = self.room("SRANDMEMBER", name)
        assert one in there if there else one is None
        picked = self.room("SRANDMEMBER", name, count)
        assert set(picked) <= set(there)
        if count < 0:
            assert len(picked) == (-count if there else 0)
        else:
            assert len(picked) == len(set(picked)) == min(count, len(there))

    @precondition(lambda self: self.queued is None)
    @rule(name=names, count=st.integers(1, 7), given=some)
    def scan_while_it_changes(self, name: bytes, count: int, given: list[bytes]) -> None:
        """What stays from the beginning to the end is returned exactly once; every pass ends."""
        if name == STRING:
            return
        stays = [member for member in self.model(name) if member not in given]
        cursor, seen = self.room("SSCAN", name, 0, "COUNT", count)
        for step in range(1000):
            if cursor == b"0":
                break
            self.remove(name, [given[step % len(given)]])
            self.add(name, [given[step % len(given)]])
            cursor, more = self.room("SSCAN", name, cursor, "COUNT", count)
            seen += more
        assert cursor == b"0"
        assert sorted(member for member in seen if member in stays) == sorted(stays)

    @invariant()
    def every_set_is_as_the_model_has_it(self) -> None:
        if self.queued is not None:
            return
        for name in (b"a", b"b", LONG):
            there = self.model(name)
            assert self.room("SMEMBERS", name).items == there
            assert self.room("SCARD", name) == len(there)
            assert self.room("EXISTS", name) == (name in self.sets)
            assert self.room("SMISMEMBER", name, *MEMBERS) == [int(member in there) for member in MEMBERS]

    def check(self) -> None:
        super().check()
        self.every_set_is_as_the_model_has_it()


class SetsInSmallPieces(SetsMachine):
    """The same, where a handful of members are many: every loop over pieces has several of them."""

    small: ClassVar[Mapping[str, object]] = {
        "spoold.datatypes.sets.store.FEW": 2,
        "spoold.datatypes.sets.store._HOLES": 1,
        "spoold.datatypes.sets.store.MANY": 3,
        "spoold.datatypes.sets.scan._WHOLE": 2,
        "spoold.datatypes.sets.scan._LISTED": 4,
        "spoold.datatypes.sets.scan._LIKELY": 2,
        "spoold.datatypes.sets.scan._WINDOW": 3,
        "spoold.datatypes.sets.algebra._LOOKUP": 1,
    }


def _combined(word: str, given: list[list[bytes]]) -> list[bytes]:
    """The result in the order in which it is stored."""
    if word == "SUNION":
        return list(dict.fromkeys(member for each in given for member in each))
    if word == "SDIFF":
        return [member for member in given[0] if not any(member in each for each in given[1:])]
    return [member for member in min(given, key=len) if all(member in each for each in given)]


TestSets = SetsMachine.TestCase
TestSets.settings = settings(stateful_step_count=40)
TestSetsInSmallPieces = SetsInSmallPieces.TestCase
TestSetsInSmallPieces.settings = settings(max_examples=4 * settings.default.max_examples, stateful_step_count=50)
