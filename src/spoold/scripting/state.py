"""One Lua state: the sandbox, its limits, and the way in and out.

Scripts run in Lua 5.1 (lupa). What they may see is made in `lua/sandbox.lua`; here is what stands around it:

- **Memory.** The state may hold `limit_bytes`; beyond it Lua raises "not enough memory", which a script may catch. What
  is pushed into the state from Python is outside of Lua's protection (a failure there ends the process), so `room_for`
  is asked before, and `HEADROOM_BYTES` above the limit are kept for what is too small to ask about.
- **Time.** A hook calls `Host.tick` about every millisecond; it may answer with an error that the script can't survive.

A value crosses as bytes, int, float, bool, None or a Lua table; never as a Python object that a script could hold.
To add a library to the sandbox, add its file to `_FILES` and a line to `libraries` in sandbox.lua.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol

from lupa import lua51

from spoold.core.errors import CommandError

LuaError = lua51.LuaError
LuaMemoryError = lua51.LuaMemoryError
lua_type = lua51.lua_type

DEFAULT_LIMIT_BYTES: Final = 256 * 1024 * 1024
HEADROOM_BYTES: Final = 16 * 1024 * 1024
# What a string, or a place in a table, costs beside its bytes.
_EACH_BYTES: Final = 64
# The Lua stack holds 8,000 values: words beyond this many travel in a table.
_STACK_WORDS: Final = 7000
# What a text has that calls with many words.
_GIVES_MANY: Final = b"unpack"
# A state that holds more than this, and twice what was left last time, is tidied up before the next script.
_TIDY_BYTES: Final = 32 * 1024 * 1024

# Lua gives its buffer for strings back by halves, one in each collection.
_TIDY_ROUNDS: Final = 16

_SOURCES: Final = Path(__file__).parent / "lua"
_FILES: Final = ("random", "bit", "cjson", "cmsgpack", "struct", "calls")
_CHUNK_NAME: Final = b"=spoold"

_FLOAT: Final = struct.Struct(">f")
_DOUBLE: Final = struct.Struct(">d")
_UINT32: Final = 0xFFFFFFFF
# Added to a number, it leaves the whole part of it in the lower bits of the sum (2^52 + 2^51).
_ROUNDING: Final = 6755399441055744.0


class Host(Protocol):
    """What the sandbox calls. Whatever it raises reaches the script as an error with the text of `problem`."""

    def call(self, *words: Any) -> Any:
        """redis.call."""
        ...

    def pcall(self, *words: Any) -> Any:
        """redis.pcall."""
        ...

    def call_waiting(self) -> Any:
        """redis.call with words that are to be fetched."""
        ...

    def pcall_waiting(self) -> Any:
        """redis.pcall with words that are to be fetched."""
        ...

    def acl_check_cmd(self, *words: Any) -> Any:
        """redis.acl_check_cmd."""
        ...

    def log(self, *words: Any) -> None:
        """redis.log."""
        ...

    def sha1hex(self, *words: Any) -> Any:
        """redis.sha1hex."""
        ...

    def setresp(self, *words: Any) -> None:
        """redis.setresp."""
        ...

    def set_repl(self, *words: Any) -> None:
        """redis.set_repl."""
        ...

    def tick(self) -> bytes | None:
        """About a millisecond went by: an error that ends the script, or nothing."""
        ...

    def problem(self) -> bytes:
        """The text of what was raised last."""
        ...


class LuaState:
    """A sandbox with scripts and functions in it.

    limit_bytes: memory of the state. table: makes a Lua table of a list or dict.
    widen: what runs has called with many words: lets them wait to be fetched from now on.
    """

    def __init__(self, host: Host, limit_bytes: int, version: str) -> None:
        """Make the state. version: of Redis, as scripts see it. cost: some milliseconds."""
        self.limit_bytes = limit_bytes
        self._tidy_at = min(_TIDY_BYTES, limit_bytes // 2)
        self._lua: Any = lua51.LuaRuntime(
            encoding=None,
            unpack_returned_tuples=True,
            register_eval=False,
            register_builtins=False,
            attribute_filter=_no_attribute,
            max_memory=limit_bytes + HEADROOM_BYTES,
        )
        self.table: Callable[[Any], Any] = self._lua.table_from
        self.used: Callable[[], int] = self._lua.get_memory_used
        files = {name.encode(): self._lua.compile(_source(name), name=_CHUNK_NAME) for name in _FILES}
        setup = self._lua.compile(_source("sandbox"), name=_CHUNK_NAME)
        sandbox = setup(self.table(_callbacks(host, version)), self.table(files))
        self._eval = sandbox[b"eval"]
        self._eval_tables = sandbox[b"eval_tables"]
        self._call = sandbox[b"call"]
        self._call_tables = sandbox[b"call_tables"]
        self._compile = sandbox[b"compile"]
        self._load_library = sandbox[b"load_library"]
        self._more = sandbox[b"more"]
        self._collect = sandbox[b"collect"]
        self.widen: Callable[[], None] = sandbox[b"widen"]
        self._expect_many = sandbox[b"expect_many"]
        self._fetch = sandbox[b"fetch"]
        self.set_protocol: Callable[[int], None] = sandbox[b"set_protocol"]
        self._collect()
        self._empty_bytes = self.used()

    def live_bytes(self) -> int:
        """What scripts and functions hold, beyond the sandbox itself; garbage too where there is much of it."""
        if self.used() < _TIDY_BYTES:
            self.tidy()
        return int(max(0, self.used() - self._empty_bytes))

    def room_for(self, count: int, size: int) -> bool:
        """Whether `count` values of `size` bytes in all fit in beside what is there."""
        return bool(self.used() + size + count * _EACH_BYTES <= self.limit_bytes)

    def compile(self, text: bytes) -> Any:
        """A script as a Lua function. raises: CommandError: the compiler's text."""
        self._make_room(1, 8 * len(text))
        found = self._compile(text)
        if isinstance(found, tuple):
            raise CommandError(b"Error compiling script (new function): " + found[1])
        if _GIVES_MANY in text:
            self._expect_many(found, text)
        return found

    def expect_of(self, text: bytes, callbacks: Iterable[Any]) -> None:
        """A library was loaded: let the words of calls wait to be fetched, if its text is such. text: its code."""
        if _GIVES_MANY in text:
            for callback in callbacks:
                self._expect_many(callback)

    def load_library(self, text: bytes, register: Callable[..., None]) -> None:
        """Run a library's code; `register` takes what it gives to redis.register_function.

        raises: CommandError: the compiler's text, or that of what went wrong.
        """
        self._make_room(1, 8 * len(text))
        found = self._load_library(text, register)
        if found is not None:
            problem, compiled = found
            raise CommandError(
                (b"Error registering functions: " if compiled else b"Error compiling function: ") + problem
            )

    def eval(self, chunk: Any, keys: int, words: Sequence[bytes]) -> Any:
        """Run a script. returns: a plain value, or a tuple as `finish` in sandbox.lua makes it."""
        if len(words) > _STACK_WORDS:
            return self._eval_tables(chunk, *self._tables(keys, words))
        if words:
            self._make_room(len(words), sum(map(len, words)))
        return self._eval(chunk, keys, *words)

    def call(self, callback: Any, keys: int, words: Sequence[bytes]) -> Any:
        """Run a function of a library. returns: as `eval`."""
        if len(words) > _STACK_WORDS:
            return self._call_tables(callback, *self._tables(keys, words))
        if words:
            self._make_room(len(words), sum(map(len, words)))
        return self._call(callback, keys, *words)

    def waiting_words(self) -> list[Any]:
        """The words of a call that wait to be fetched."""
        words: list[Any]
        total, *words = self._fetch(1)
        while len(words) < total:
            words += self._fetch(len(words) + 1)[1:]
        return words

    def tokens(self, first: tuple[Any, ...]) -> list[Any]:
        """All tokens of a result. first: (how many are left, the first of them)."""
        left = first[0]
        tokens = list(first[1:])
        while left:
            found = self._more(len(tokens) + 1)
            left = found[0]
            tokens += found[1:]
        return tokens

    def tidy(self) -> None:
        """Give back what no one holds any more. cost: O(what is held)."""
        for _ in range(_TIDY_ROUNDS):
            before = self.used()
            self._collect()
            if self.used() > before * 0.9:
                break
        self._tidy_at = min(max(_TIDY_BYTES, 2 * self.used()), self.limit_bytes // 2)

    def tidy_if_large(self) -> None:
        """Tidy up if there is much more than last time."""
        if self.used() > self._tidy_at:
            self.tidy()

    def _tables(self, keys: int, words: Sequence[bytes]) -> tuple[Any, Any]:
        self._make_room(len(words), sum(map(len, words)))
        return self.table(list(words[:keys])), self.table(list(words[keys:]))

    def _make_room(self, count: int, size: int) -> None:
        """raises: CommandError: there is none for these values."""
        if self.used() + size > self._tidy_at:
            self.tidy()
            if not self.room_for(count, size):
                raise CommandError("not enough memory for the script's arguments")


@cache
def _source(name: str) -> bytes:
    return (_SOURCES / f"{name}.lua").read_bytes()


def _no_attribute(obj: object, name: object, is_setting: bool) -> object:
    """No Python object shows anything of itself in Lua."""
    raise AttributeError("not accessible")


def _callbacks(host: Host, version: str) -> dict[bytes, Any]:
    major, minor, patch = map(int, version.split("."))
    return {
        b"version": version.encode(),
        b"version_number": major << 16 | minor << 8 | patch,
        b"seed": secrets.randbits(31),
        b"call": host.call,
        b"pcall": host.pcall,
        b"call_waiting": host.call_waiting,
        b"pcall_waiting": host.pcall_waiting,
        b"acl_check_cmd": host.acl_check_cmd,
        b"log": host.log,
        b"sha1hex": host.sha1hex,
        b"setresp": host.setresp,
        b"set_repl": host.set_repl,
        b"tick": host.tick,
        b"problem": host.problem,
        b"pack_float": _pack_float,
        b"pack_double": lambda number: _DOUBLE.pack(number),
        b"unpack_float": lambda packed: _FLOAT.unpack(packed)[0],
        b"unpack_double": lambda packed: _DOUBLE.unpack(packed)[0],
        **_BITS,
    }


def _pack_float(number: float) -> bytes:
    """Four bytes; what is too large for them is infinite."""
    try:
        return _FLOAT.pack(number)
    except OverflowError:
        return _FLOAT.pack(float("inf") if number > 0 else float("-inf"))


def _bits(number: float) -> int:
    """The 32 bits of a number, rounded to even; unsigned. What is too large keeps the bits that a double has left."""
    return int.from_bytes(_DOUBLE.pack(number + _ROUNDING)[4:], "big")


def _signed(bits: int) -> int:
    bits &= _UINT32
    return bits - (1 << 32) if bits >> 31 else bits


def _rotated(bits: int, by: int) -> int:
    by &= 31
    return _signed(bits << by | bits >> (32 - by))


_BITS: Final[dict[bytes, Callable[..., int]]] = {
    b"tobit": lambda a: _signed(_bits(a)),
    b"bnot": lambda a: _signed(~_bits(a)),
    b"bswap": lambda a: _signed(int.from_bytes(_bits(a).to_bytes(4, "little"), "big")),
    b"band": lambda a, b: _signed(_bits(a) & _bits(b)),
    b"bor": lambda a, b: _signed(_bits(a) | _bits(b)),
    b"bxor": lambda a, b: _signed(_bits(a) ^ _bits(b)),
    b"lshift": lambda a, by: _signed(_bits(a) << (_bits(by) & 31)),
    b"rshift": lambda a, by: _signed(_bits(a) >> (_bits(by) & 31)),
    b"arshift": lambda a, by: _signed(_signed(_bits(a)) >> (_bits(by) & 31)),
    b"rol": lambda a, by: _rotated(_bits(a), _bits(by)),
    b"ror": lambda a, by: _rotated(_bits(a), -_bits(by)),
}
