"""The room of strings against a plain dict of bytes: random commands, time that passes, a cache that forgets."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from spoold.core.errors import CommandError
from spoold.core.reply import OK
from spoold.keyspace.record import StringRecord
from support.machine import RoomMachine

INT64_MAX = 2**63 - 1

names = st.sampled_from([b"a", b"b", b"", b"n" * 600])
values = st.one_of(
    st.binary(max_size=12),
    st.integers(-20, 20).map(lambda number: b"%d" % number),
    st.sampled_from([b"9223372036854775807", b"v" * 3000, b"\xff" * 5, b"01"]),
)
times_ms = st.one_of(st.none(), st.integers(1, 40))
positions = st.integers(-15, 15)
offsets = st.integers(0, 100)


class Strings(RoomMachine):
    """A model: name → (value, when it falls due in Unix ms or None), and the stamps that were seen."""

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[bytes, tuple[bytes, int | None]] = {}
        self.last_stamp = 0

    # -- the model ----------------------------------------------------------------------------------------------

    def due_at(self, in_ms: int | None) -> int | None:
        return None if in_ms is None else self.now_ms + in_ms

    def value(self, name: bytes) -> bytes | None:
        return self.model[name][0] if name in self.model else None

    def edit(self, name: bytes, value: bytes) -> None:
        """Change the value, keep the expiry, and look at the stamp."""
        self.model[name] = (value, self.model[name][1] if name in self.model else None)
        self.look_at_stamp(name)

    def put(self, name: bytes, value: bytes, due_ms: int | None = None) -> None:
        """Set value and expiry."""
        self.model[name] = (value, due_ms)
        self.look_at_stamp(name)

    def look_at_stamp(self, name: bytes) -> None:
        record = self.room.dbs[0].find(name)
        assert isinstance(record, StringRecord)
        assert record.stamp > self.last_stamp
        self.last_stamp = record.stamp

    @invariant()
    def all_values_and_expiries_are_the_models(self) -> None:
        for name, (value, due_ms) in self.model.items():
            assert self.room("GET", name) == value
            assert self.room("PEXPIRETIME", name) == (due_ms or -1)
        assert self.room.dbs[0].count == len(self.model)

    # -- what happens around ------------------------------------------------------------------------------------

    @rule(ms=st.integers(1, 30))
    def time_passes(self, ms: int) -> None:
        self.room.clock.advance_ms(ms)
        now_ms = self.now_ms
        self.model = {name: (value, due) for name, (value, due) in self.model.items() if due is None or due > now_ms}
        self.room.expire()

    @rule()
    def the_cache_forgets(self) -> None:
        self.room.dbs[0].cache.clear()

    # -- whole values -------------------------------------------------------------------------------------------

    @rule(
        name=names,
        value=values,
        in_ms=times_ms,
        condition=st.sampled_from(["", "NX", "XX"]),
        wants_old=st.booleans(),
        keeps=st.booleans(),
        absolute=st.booleans(),
    )
    def set(
        self, name: bytes, value: bytes, in_ms: int | None, condition: str, wants_old: bool, keeps: bool, absolute: bool
    ) -> None:
        old = self.value(name)
        due_ms = self.due_at(in_ms)
        options: list[Any] = [condition] if condition else []
        options += ["GET"] if wants_old else []
        if due_ms is not None:
            options += ["PXAT", due_ms] if absolute else ["PX", in_ms]
        elif keeps:
            options.append("KEEPTTL")
            due_ms = self.model.get(name, (b"", None))[1]
        reply = self.room("SET", name, value, *options)
        done = not condition or (condition == "NX") == (old is None)
        assert reply is (OK if done else None) if not wants_old else reply == old
        if done:
            self.put(name, value, due_ms)

    @rule(name=names, value=values, before_ms=st.integers(0, 1000))
    def set_with_a_past_expiry(self, name: bytes, value: bytes, before_ms: int) -> None:
        assert self.room("SET", name, value, "PXAT", self.now_ms - before_ms) is OK
        self.model.pop(name, None)

    @rule(name=names, in_ms=times_ms, persists=st.booleans())
    def getex(self, name: bytes, in_ms: int | None, persists: bool) -> None:
        options: list[Any] = ["PX", in_ms] if in_ms is not None else ["PERSIST"] if persists else []
        assert self.room("GETEX", name, *options) == self.value(name)
        if name in self.model and options:
            self.model[name] = (self.model[name][0], self.due_at(in_ms))

    @rule(name=names, value=values)
    def getset_and_setnx(self, name: bytes, value: bytes) -> None:
        missing = name not in self.model
        assert self.room("SETNX", name, value) == missing
        if missing:
            self.put(name, value)
        assert self.room("GETSET", name, value) == self.value(name)
        self.put(name, value)

    @rule(name=names)
    def getdel(self, name: bytes) -> None:
        assert self.room("GETDEL", name) == self.value(name)
        self.model.pop(name, None)

    @rule(pairs=st.lists(st.tuples(names, values), min_size=1, max_size=3), only_new=st.booleans())
    def mset(self, pairs: list[tuple[bytes, bytes]], only_new: bool) -> None:
        words = [word for pair in pairs for word in pair]
        if only_new:
            blocked = any(name in self.model for name, _ in pairs)
            assert self.room("MSETNX", *words) == (not blocked)
            if blocked:
                return
        else:
            assert self.room("MSET", *words) is OK
        for name, value in pairs:
            self.model[name] = (value, None)
        self.last_stamp = self.room.dbs.stamp
        chosen = [name for name, _ in pairs]
        assert self.room("MGET", *chosen) == [self.value(name) for name in chosen]

    # -- parts --------------------------------------------------------------------------------------------------

    @rule(name=names, data=values)
    def append(self, name: bytes, data: bytes) -> None:
        new = (self.value(name) or b"") + data
        assert self.room("APPEND", name, data) == len(new)
        self.edit(name, new)
        assert self.room("STRLEN", name) == len(new)

    @rule(name=names, offset=st.integers(0, 20), data=values)
    def setrange(self, name: bytes, offset: int, data: bytes) -> None:
        old = self.value(name) or b""
        new = old
        if data:
            new = old[:offset].ljust(offset, b"\0") + data + old[offset + len(data) :]
        assert self.room("SETRANGE", name, offset, data) == len(new)
        if data:
            self.edit(name, new)

    @rule(name=names, first=positions, last=positions)
    def getrange(self, name: bytes, first: int, last: int) -> None:
        value = self.value(name) or b""
        start = max(first + len(value), 0) if first < 0 else first
        stop = max(last + len(value), 0) if last < 0 else last
        backwards = first < 0 and last < 0 and first > last
        assert self.room("GETRANGE", name, first, last) == (b"" if backwards else value[start : stop + 1])

    # -- numbers ------------------------------------------------------------------------------------------------

    @rule(name=names, amount=st.integers(-30, 30), word=st.sampled_from(["INCRBY", "DECRBY", "INCR", "DECR"]))
    def count(self, name: bytes, amount: int, word: str) -> None:
        step = {"INCR": 1, "DECR": -1, "INCRBY": amount, "DECRBY": -amount}[word]
        reply = self.room(word, name, *([amount] if word.endswith("BY") else []))
        old = self.value(name)
        try:
            number = int(old or b"x") if old is not None else 0
        except ValueError:
            number = None
        if number is None or (old is not None and b"%d" % number != old) or number + step > INT64_MAX:
            assert isinstance(reply, CommandError)
            return
        assert reply == number + step
        self.edit(name, b"%d" % (number + step))

    # -- bits ---------------------------------------------------------------------------------------------------

    def bits(self, name: bytes) -> str:
        return "".join(f"{byte:08b}" for byte in self.value(name) or b"")

    def edit_bits(self, name: bytes, text: str) -> None:
        text = text.ljust(-(-len(text) // 8) * 8, "0")
        if text != self.bits(name):
            self.edit(name, bytes(int(text[at : at + 8], 2) for at in range(0, len(text), 8)))

    @rule(name=names, offset=offsets, bit=st.integers(0, 1))
    def setbit(self, name: bytes, offset: int, bit: int) -> None:
        text = self.bits(name).ljust(offset + 1, "0")
        assert self.room("GETBIT", name, offset) == int(text[offset])
        assert self.room("SETBIT", name, offset, bit) == int(text[offset])
        self.edit_bits(name, text[:offset] + str(bit) + text[offset + 1 :])

    @rule(name=names, offset=offsets, bits=st.integers(1, 63), number=st.integers(-(2**63), INT64_MAX))
    def bitfield(self, name: bytes, offset: int, bits: int, number: int) -> None:
        text = self.bits(name).ljust(offset + bits, "0")
        old = int(text[offset : offset + bits], 2)
        new = (old + number) % 2**bits
        type_ = f"u{bits}"
        assert self.room("BITFIELD_RO", name, "GET", type_, offset) == [old]
        replies = self.room("BITFIELD", name, "SET", type_, offset, old, "INCRBY", type_, offset, number)
        assert replies == [old, new]
        self.edit_bits(name, text[:offset] + f"{new:0{bits}b}" + text[offset + bits :])

    @rule(name=names, first=st.integers(-60, 60), last=st.integers(-60, 60), bit=st.integers(0, 1))
    def look_for_bits(self, name: bytes, first: int, last: int, bit: int) -> None:
        text = self.bits(name)
        assert self.room("BITCOUNT", name) == text.count("1")
        start = max(first + len(text), 0) if first < 0 else first
        stop = max(last + len(text), 0) if last < 0 else last
        inside = text[start : stop + 1]
        backwards = first < 0 and last < 0 and first > last
        assert self.room("BITCOUNT", name, first, last, "BIT") == (0 if backwards else inside.count("1"))
        found = inside.find(str(bit))
        expected = start + found if found >= 0 else -1
        if name not in self.model:
            expected = -1 if bit else 0
        assert self.room("BITPOS", name, bit, first, last, "BIT") == expected

    @rule(
        target_name=names, sources=st.lists(names, min_size=1, max_size=3), word=st.sampled_from(["AND", "OR", "XOR"])
    )
    def bitop(self, target_name: bytes, sources: list[bytes], word: str) -> None:
        texts = [self.bits(name) for name in sources]
        length = max(map(len, texts))
        numbers = [int(text.ljust(length, "0") or "0", 2) for text in texts]
        result = numbers[0]
        for number in numbers[1:]:
            result = {"AND": result & number, "OR": result | number, "XOR": result ^ number}[word]
        assert self.room("BITOP", word, target_name, *sources) == length // 8
        if length:
            self.put(target_name, result.to_bytes(length // 8, "big"))
        else:
            self.model.pop(target_name, None)


TestStrings = Strings.TestCase
