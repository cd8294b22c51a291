"""memcached as a dict: the model that the random sequences of test_memcached_model.py are compared with.

It knows what a well-formed request does; how requests are read is for other tests. Time is in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_UINT64 = 2**64 - 1


@dataclass
class Item:
    """One value. due_s: 0 = never. won, stale: see the meta commands. read: whether it was, as it is now."""

    value: bytes
    flags: int
    due_s: int
    cas: int
    stale: bool = False
    won: bool = False
    read: bool = False


@dataclass
class Model:
    """Answers requests as memcached does; `time_s` is moved by the test."""

    time_s: int
    items: dict[bytes, Item] = field(default_factory=dict)
    last_cas: int = 0

    def item(self, key: bytes) -> Item | None:
        """The value of a key unless it is due."""
        item = self.items.get(key)
        if item is not None and 0 < item.due_s <= self.time_s:
            del self.items[key]
            return None
        return item

    def due(self, exptime: int) -> int:
        """When a value with this exptime falls due."""
        if exptime <= 0:
            return 1 if exptime else 0
        return exptime if exptime > 60 * 60 * 24 * 30 else self.time_s + exptime

    def next_cas(self) -> int:
        """A cas id that was never used."""
        self.last_cas += 1
        return self.last_cas

    def put(self, key: bytes, value: bytes, flags: int, exptime: int) -> Item:
        """Store a value anew."""
        item = self.items[key] = Item(value, flags, self.due(exptime), self.next_cas())
        return item

    # -- classic ------------------------------------------------------------------------------------------------

    def store(self, verb: bytes, key: bytes, value: bytes, flags: int, exptime: int, cas: int) -> bytes:
        """set, add, replace, append, prepend, cas."""
        item = self.item(key)
        if verb == b"cas":
            if item is None:
                return b"NOT_FOUND\r\n"
            if item.cas != cas:
                return b"EXISTS\r\n"
        elif verb == b"add":
            if item is not None:
                return b"NOT_STORED\r\n"
        elif verb != b"set" and item is None:
            return b"NOT_STORED\r\n"
        if verb in {b"append", b"prepend"}:
            assert item is not None
            self.extend(item, value, behind=verb == b"append")
        else:
            self.put(key, value, flags, exptime)
        return b"STORED\r\n"

    def extend(self, item: Item, value: bytes, *, behind: bool) -> None:
        """Add to a value."""
        item.value = item.value + value if behind else value + item.value
        item.cas = self.next_cas()
        item.stale = item.won = item.read = False

    def get(self, keys: list[bytes], exptime: int | None = None, *, with_cas: bool = False) -> bytes:
        """get, gets, gat, gats."""
        reply = b""
        for key in keys:
            item = self.item(key)
            if item is None:
                continue
            reply += b"VALUE %b %d %d" % (key, item.flags, len(item.value))
            reply += b" %d" % item.cas if with_cas else b""
            reply += b"\r\n%b\r\n" % item.value
            item.read = True
            if exptime is not None:
                item.due_s = self.due(exptime)
        return reply + b"END\r\n"

    def delete(self, key: bytes) -> bytes:
        """delete."""
        if self.item(key) is None:
            return b"NOT_FOUND\r\n"
        del self.items[key]
        return b"DELETED\r\n"

    def touch(self, key: bytes, exptime: int) -> bytes:
        """touch."""
        item = self.item(key)
        if item is None:
            return b"NOT_FOUND\r\n"
        item.read = True
        item.due_s = self.due(exptime)
        return b"TOUCHED\r\n"

    def count(self, key: bytes, delta: int, *, up: bool) -> bytes:
        """incr, decr."""
        item = self.item(key)
        if item is None:
            return b"NOT_FOUND\r\n"
        if not self.add(item, delta, up=up):
            return b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"
        return item.value + b"\r\n"

    def add(self, item: Item, delta: int, *, up: bool) -> bool:
        """Change a number; returns whether it is one."""
        if not item.value.isdigit() or int(item.value) > MAX_UINT64:
            return False
        number = int(item.value)
        text = b"%d" % ((number + delta) & MAX_UINT64 if up else max(number - delta, 0))
        if len(text) > len(item.value):
            item.stale = item.won = item.read = False
        item.value = text
        item.cas = self.next_cas()
        return True

    def flush_all(self) -> bytes:
        """flush_all."""
        self.items.clear()
        return b"OK\r\n"

    # -- meta ---------------------------------------------------------------------------------------------------

    def mg(self, key: bytes, flags: list[bytes]) -> bytes:
        """mg."""
        given = {flag[:1]: flag[1:] for flag in flags}
        item = self.item(key)
        created = item is None and b"N" in given
        if created:
            item = self.put(key, b"", 0, 0)
        if item is None:
            return b"" if b"q" in given else b"EN%b\r\n" % self.tail(key, flags)
        value, won, shown = item.value, created, b""
        for letter, token in given.items():
            if letter == b"T" or (letter == b"N" and created):
                item.due_s = self.due(int(token))
            elif letter == b"R":
                won = won or (not item.won and 0 < item.due_s < self.due(int(token)))
            elif letter == b"h":
                shown += b" h%d" % item.read
            else:
                shown += self.shown(letter, token, key, item)
        item.read = item.read or b"u" not in given
        shown += b" Z" if item.won else b""
        if item.stale:
            shown += b" X"
            won = won or not item.won
        if won:
            shown += b" W"
            item.won = True
        return b"VA %d%b\r\n%b\r\n" % (len(value), shown, value) if b"v" in given else b"HD%b\r\n" % shown

    def shown(self, letter: bytes, token: bytes, key: bytes, item: Item) -> bytes:
        """What one flag gives back."""
        left = max(item.due_s - self.time_s, 0) if item.due_s else -1
        return {
            b"t": b" t%d" % left,
            b"c": b" c%d" % item.cas,
            b"f": b" f%d" % item.flags,
            b"s": b" s%d" % len(item.value),
            b"O": b" O" + token,
            b"k": b" k" + key,
        }.get(letter, b"")

    def tail(self, key: bytes, flags: list[bytes], cas: int | None = None) -> bytes:
        """What replies without a value give back."""
        found = b""
        for flag in flags:
            if flag == b"k":
                found += b" k" + key
            elif flag[:1] == b"O":
                found += b" " + flag
            elif flag == b"c" and cas is not None:
                found += b" c%d" % cas
        return found

    def ms(self, key: bytes, value: bytes, flags: list[bytes]) -> bytes:
        """ms."""
        given = {flag[:1]: flag[1:] for flag in flags}
        code = self.ms_code(key, value, given)
        if code == b"HD" and b"q" in given:
            return b""
        stored = self.items.get(key) if code == b"HD" else None
        return b"%b%b\r\n" % (code, self.tail(key, flags, 0 if stored is None else stored.cas))

    def ms_code(self, key: bytes, value: bytes, given: dict[bytes, bytes]) -> bytes:
        """Store as the mode says."""
        item, mode = self.item(key), given.get(b"M", b"S")
        cas = int(given[b"C"]) if b"C" in given else None
        if mode == b"E":
            if item is not None:
                return b"NS"
        elif mode in {b"A", b"P"}:
            if item is None:
                return b"NS"
            if cas not in (None, item.cas):
                return b"EX"
            self.extend(item, value, behind=mode == b"A")
            return b"HD"
        elif cas is not None:
            if item is None:
                return b"NF"
            if cas != item.cas:
                if b"I" not in given or cas > item.cas:
                    return b"EX"
                late = self.put(key, value, int(given.get(b"F", 0)), 0)
                late.due_s, late.stale, late.won = item.due_s, True, item.won
                return b"HD"
        elif mode == b"R" and item is None:
            return b"NS"
        self.put(key, value, int(given.get(b"F", 0)), int(given.get(b"T", 0)))
        return b"HD"

    def md(self, key: bytes, flags: list[bytes]) -> bytes:
        """md."""
        given = {flag[:1]: flag[1:] for flag in flags}
        item = self.item(key)
        if item is None:
            code = b"NF"
        elif b"C" in given and int(given[b"C"]) != item.cas:
            code = b"EX"
        else:
            code = b"HD"
            if b"I" in given:
                item.cas, item.stale, item.won = self.next_cas(), True, False
                item.due_s = self.due(int(given[b"T"])) if b"T" in given else item.due_s
            else:
                del self.items[key]
            if b"q" in given:
                return b""
        return b"%b%b\r\n" % (code, self.tail(key, flags))

    def ma(self, key: bytes, flags: list[bytes]) -> bytes:
        """ma."""
        given = {flag[:1]: flag[1:] for flag in flags}
        item = self.item(key)
        created = item is None
        if item is None:
            if b"N" not in given:
                return b"NF%b\r\n" % self.tail(key, flags)
            item = self.put(key, given.get(b"J", b"0"), 0, 0)
        elif item.value and b"C" in given and int(given[b"C"]) != item.cas:
            return b"EX%b\r\n" % self.tail(key, flags)
        elif not self.add(item, int(given.get(b"D", 1)), up=given.get(b"M", b"I") in {b"I", b"+"}):
            return b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"
        value, shown = item.value, b""
        for letter, token in given.items():
            if letter == b"T" or (letter == b"N" and created):
                item.due_s = self.due(int(token))
            elif letter not in {b"s", b"f"}:
                shown += self.shown(letter, token, key, item)
        if b"q" in given and not created:
            return b""
        return b"VA %d%b\r\n%b\r\n" % (len(value), shown, value) if b"v" in given else b"HD%b\r\n" % shown
