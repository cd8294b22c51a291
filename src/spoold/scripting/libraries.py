"""Libraries of functions, across restarts.

    l name    change counter 8 | length of the name 2 | name | code

A library is its code: at start it is run again, when functions are first asked for. Names of functions are unique over
all libraries, in any case of letters; those of libraries are not the same in another case.

Invariants: `_libraries` is what is stored, oldest first, and `_functions` has their functions; None before it was read.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from spoold.core.errors import CommandError
from spoold.core.script_errors import NoSuchFunction, NoSuchLibrary
from spoold.engine.batch import walk
from spoold.keyspace import layout
from spoold.keyspace.keyspace import Databases
from spoold.keyspace.packing import pack_u64, unpack_u64
from spoold.scripting.runner import Runner
from spoold.scripting.shebang import FLAGS, NO_FLAGS, ScriptFlag, check_name, library_head
from spoold.scripting.state import lua_type

log = logging.getLogger("spoold.script")

_BLOCK: Final = 64


@dataclass(frozen=True)
class Function:
    """One function. callback: the Lua function. description: None if it has none."""

    name: bytes
    callback: Any
    flags: ScriptFlag
    description: bytes | None


@dataclass(frozen=True)
class Library:
    """A library, its code, and what it registered, in that order."""

    name: bytes
    code: bytes
    functions: dict[bytes, Function]


class Libraries:
    """All libraries and functions."""

    def __init__(self, dbs: Databases, runner: Runner) -> None:
        """Nothing is read before it is needed."""
        self._dbs = dbs
        self.runner = runner
        self._libraries: dict[bytes, Library] | None = None
        self._functions: dict[bytes, Function] = {}
        dbs.on_rollback.append(self._forget)

    def __iter__(self) -> Iterator[Library]:
        """All libraries, oldest first."""
        return iter(list(self._all().values()))

    def __len__(self) -> int:
        """How many libraries there are."""
        return len(self._all())

    @property
    def function_count(self) -> int:
        """How many functions they have."""
        self._all()
        return len(self._functions)

    def function(self, name: bytes) -> Function:
        """The function of a name in any case. raises: NoSuchFunction."""
        if self._libraries is None:
            self._all()
        found = self._functions.get(name) or self._functions.get(name.lower())  # mostly it is in lower case
        if found is None:
            raise NoSuchFunction
        return found

    def may_write(self, name: bytes) -> bool:
        """Whether a function, if there is one of this name, may write."""
        try:
            return not self.function(name).flags & ScriptFlag.NO_WRITES
        except NoSuchFunction:
            return True

    def load(self, code: bytes, *, replace: bool) -> bytes:
        """Run a library's code and keep it. returns: its name.

        raises: CommandError: no sound code, names that are taken; nothing is changed then.
        """
        name, _ = library_head(code)
        if not replace and name in self._all():
            raise CommandError(b"Library '" + name + b"' already exists")
        library = self._run(code)
        self._add_all([library], replace=replace)
        return library.name

    def restore(self, codes: list[bytes], policy: bytes) -> None:
        """Take in the libraries of a dump, all of them or none. policy: FLUSH, APPEND or REPLACE, upper case.

        raises: CommandError: as `load`.
        """
        libraries = [self._run(code) for code in codes]
        self._add_all(libraries, replace=policy == b"REPLACE", flush=policy == b"FLUSH")

    def delete(self, name: bytes) -> None:
        """Drop a library. raises: NoSuchLibrary."""
        library = self._all().pop(name, None)
        if library is None:
            raise NoSuchLibrary
        self._drop(library)

    def flush(self) -> None:
        """Drop all libraries."""
        for library in self:
            self._drop(library)
        self._libraries = {}

    # -- inside -------------------------------------------------------------------------------------------------

    def _add_all(self, libraries: list[Library], *, replace: bool, flush: bool = False) -> None:
        """Check everything, then change: `libraries` come in, those that they replace go."""
        present = {} if flush else dict(self._all())
        leaving = list(self) if flush else []
        for library in libraries:
            old = present.pop(library.name, None)
            if old is not None:
                if not replace:
                    raise CommandError(b"Library " + library.name + b" already exists")
                leaving.append(old)
            taken = {name.lower() for other in present.values() for name in other.functions}
            for name in library.functions:
                if name.lower() in taken:
                    raise CommandError(b"Function " + name + b" already exists")
            present[library.name] = library
        for library in leaving:
            self._drop(library)
        for library in libraries:
            stamp = pack_u64(self._dbs.new_stamp())
            head = stamp + len(library.name).to_bytes(2, "big") + library.name
            self._dbs.batch.put(layout.library_key(library.name), head + library.code)
            self._enter(library)
        self._libraries = present

    def _drop(self, library: Library) -> None:
        self._dbs.batch.delete(layout.library_key(library.name))
        for name in library.functions:
            self._functions.pop(name.lower(), None)

    def _enter(self, library: Library) -> None:
        # Of two that differ in case only, the later one is found, as in Redis.
        self._functions.update((name.lower(), function) for name, function in library.functions.items())

    def _run(self, code: bytes) -> Library:
        """Run the code, and collect what it registers. raises: CommandError."""
        name, text = library_head(code)
        functions: dict[bytes, Function] = {}

        def register(*given: Any) -> str | None:
            try:
                function = _registration(given)
            except _Refused as refusal:
                return str(refusal)
            except CommandError as error:
                return error.message.decode("latin-1").removeprefix("ERR ")
            if function.name in functions:
                return "Function already exists in the library"
            functions[function.name] = function
            return None

        self.runner.load_library(text, register)
        if not functions:
            raise CommandError("No functions registered")
        self.runner.state.expect_of(text, [function.callback for function in functions.values()])
        return Library(name, code, functions)

    def _all(self) -> dict[bytes, Library]:
        if self._libraries is None:
            self._libraries = {}
            self._functions = {}
            for name, code in self._read():
                try:
                    library = self._run(code)
                except CommandError as error:
                    log.error("library %s can't be loaded any more: %s", name.decode("latin-1"), error)
                    continue
                self._libraries[library.name] = library
                self._enter(library)
        return self._libraries

    def _read(self) -> list[tuple[bytes, bytes]]:
        """(name, code) of each stored library, oldest first."""
        found = []
        for _, value in walk(self._dbs.batch, layout.LIBRARY_FIRST, layout.LIBRARY_STOP, _BLOCK):
            behind = 10 + int.from_bytes(value[8:10], "big")
            found.append((unpack_u64(value[:8]), value[10:behind], value[behind:]))
        return [(name, code) for _, name, code in sorted(found)]

    def _forget(self) -> None:
        """The turn was rolled back: read again what is stored."""
        self._libraries = None
        self._functions = {}


class _Refused(Exception):
    """What is wrong with the arguments of redis.register_function."""


def _registration(given: tuple[Any, ...]) -> Function:
    """The function that redis.register_function was called for. raises: _Refused, CommandError."""
    if not 1 <= len(given) <= 2:
        raise _Refused("wrong number of arguments to redis.register_function")
    if len(given) == 1:
        if not _is_table(given[0]):
            raise _Refused(
                "calling redis.register_function with a single argument is only applicable to Lua table"
                " (representing named arguments)."
            )
        return _named(given[0])
    name, callback = given
    text = _text(name)
    if text is None:
        raise _Refused("first argument to redis.register_function must be a string")
    if not _is_function(callback):
        raise _Refused("second argument to redis.register_function must be a function")
    check_name(text)
    return Function(text, callback, NO_FLAGS, None)


def _named(table: Any) -> Function:
    """The form with named arguments."""
    name: bytes | None = None
    callback: Any = None
    description: bytes | None = None
    flags = NO_FLAGS
    for key, value in table.items():
        word = key.lower() if isinstance(key, bytes) else b""
        if word == b"function_name":
            name = _text(value)
            if name is None:
                raise _Refused("function_name argument given to redis.register_function must be a string")
        elif word == b"description":
            description = _text(value)
            if description is None:
                raise _Refused("description argument given to redis.register_function must be a string")
        elif word == b"callback":
            if not _is_function(value):
                raise _Refused("callback argument given to redis.register_function must be a function")
            callback = value
        elif word == b"flags":
            if not _is_table(value):
                raise _Refused("flags argument to redis.register_function must be a table representing function flags")
            flags = _flags(value)
        else:
            raise _Refused("unknown argument given to redis.register_function")
    if name is None:
        raise _Refused("redis.register_function must get a function name argument")
    if callback is None:
        raise _Refused("redis.register_function must get a callback argument")
    check_name(name)
    return Function(name, callback, flags, description)


def _flags(table: Any) -> ScriptFlag:
    flags = NO_FLAGS
    position = 1
    while (name := table[position]) is not None:
        if name not in FLAGS:
            raise _Refused("unknown flag given")
        flags |= FLAGS[name]
        position += 1
    return flags


def _text(value: Any) -> bytes | None:
    if isinstance(value, bytes):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return b"%d" % value if value == int(value) else b"%.14g" % value
    return None


def _is_table(value: Any) -> bool:
    return bool(lua_type(value) == "table")


def _is_function(value: Any) -> bool:
    return bool(lua_type(value) == "function")
