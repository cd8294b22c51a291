"""The scripts that the server knows by their SHA-1, across restarts.

    s sha1    how it came 1 (`l` SCRIPT LOAD, `e` EVAL) | change counter 8 | body

Those that came with SCRIPT LOAD stay until SCRIPT FLUSH. Those that came with EVAL are kept too, as clients of Redis
expect, but only so many of them: the oldest that was not used lately goes first. Compiled scripts are kept in memory,
a bounded number too; one that was dropped there is compiled again from what is stored.

Invariants: `_kept` has an entry for each stored script, in the order in which they came; None before it was read.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from spoold.core.errors import CommandError, Misconf
from spoold.core.script_errors import NoScript
from spoold.engine.batch import walk
from spoold.keyspace import layout
from spoold.keyspace.keyspace import Databases
from spoold.keyspace.packing import pack_u64, unpack_u64
from spoold.scripting.runner import Runner
from spoold.scripting.shebang import ScriptFlag, script_head

_LOADED: Final = b"l"
_EVALUATED: Final = b"e"
_HEAD_BYTES: Final = 9

# As in Redis 7.4 and later, which bounds them too.
EVAL_SCRIPTS: Final = 500
EVAL_BYTES: Final = 16 * 1024 * 1024
COMPILED_SCRIPTS: Final = 2000
_SHA_CHARS: Final = 40
_BLOCK: Final = 256


class Script:
    """A compiled script.

    sha: 40 hexadecimal digits. chunk: the Lua function. flags: of its first line, None if it has none.
    used: whether it ran since it was last asked to go.
    """

    __slots__ = ("chunk", "flags", "sha", "used")

    def __init__(self, sha: bytes, chunk: Any, flags: ScriptFlag | None) -> None:
        """Not used yet."""
        self.sha = sha
        self.chunk = chunk
        self.flags = flags
        self.used = False


class Kept:
    """What is known of a stored script. size: bytes of its body. loaded: it came with SCRIPT LOAD."""

    __slots__ = ("loaded", "size")

    def __init__(self, size: int, *, loaded: bool) -> None:
        """Of a script that was just stored, or read."""
        self.size = size
        self.loaded = loaded


class Scripts:
    """All scripts. compiled: by SHA-1 in lower case, for the hot path; not all that are stored."""

    def __init__(self, dbs: Databases, runner: Runner) -> None:
        """Nothing is read before it is needed."""
        self._dbs = dbs
        self.runner = runner
        self.compiled: dict[bytes, Script] = {}
        self._kept: dict[bytes, Kept] | None = None
        self._evaluated = 0
        self._evaluated_bytes = 0
        dbs.on_rollback.append(self._forget)

    def __len__(self) -> int:
        """How many scripts are stored."""
        return len(self._all())

    @property
    def stored_bytes(self) -> int:
        """Bytes of all bodies. cost: O(scripts)."""
        return sum(kept.size for kept in self._all().values())

    def find(self, sha: bytes) -> Script:
        """The script of a SHA-1 in any case. raises: NoScript. cost: one dict look-up if it is compiled."""
        script = self.compiled.get(sha)
        if script is not None:
            return script
        if len(sha) == _SHA_CHARS:
            sha = sha.lower()
            script = self.compiled.get(sha)
            if script is not None:
                return script
            if sha in self._all():
                raw = self._dbs.batch.get(layout.script_key(bytes.fromhex(sha.decode("latin-1"))))
                if raw is not None:
                    return self._compile(sha, raw[_HEAD_BYTES:])
        raise NoScript

    def of(self, body: bytes) -> Script:
        """The script of a body that came with EVAL. raises: CommandError: it can't be compiled."""
        sha = digest(body)
        return self.compiled.get(sha) or self._compile(sha, body)

    def keep(self, script: Script, body: bytes) -> None:
        """Store a script of EVAL if it is new.

        Called when it has run: while it runs, a turn that has written nothing can let others have their replies.
        """
        # A disk that refuses writes is no reason to refuse a script that may only read.
        if script.sha not in self._all() and not self._dbs.read_only:
            self._store(script.sha, body, loaded=False)

    def load(self, body: bytes) -> bytes:
        """Store a script without running it. returns: its SHA-1.

        raises: CommandError: it can't be compiled; Misconf: the disk refuses writes.
        """
        sha = digest(body)
        if sha not in self.compiled:
            self._compile(sha, body)
        kept = self._all().get(sha)
        if kept is None or not kept.loaded:
            if self._dbs.read_only:
                raise Misconf("scripts can't be kept")
            self._store(sha, body, loaded=True)
        return sha

    def exists(self, sha: bytes) -> bool:
        """Whether a script of this SHA-1, in any case, is stored."""
        return sha.lower() in self._all() or sha.lower() in self.compiled

    def flush(self) -> None:
        """Forget all scripts. cost: O(scripts)."""
        fresh = self._dbs.batch.fresh
        for sha in self._all():
            fresh[layout.script_key(bytes.fromhex(sha.decode()))] = None
        self._kept = {}
        self._evaluated = self._evaluated_bytes = 0
        self.compiled.clear()

    def may_write(self, name: bytes, word: bytes) -> bool:
        """Whether EVAL of the script `word`, or EVALSHA of its SHA-1, may write. name: the command, in any case."""
        try:
            flags = script_head(word)[0] if name.upper() == b"EVAL" else self.find(word).flags
        except CommandError:
            return True
        return flags is None or not flags & ScriptFlag.NO_WRITES

    # -- inside -------------------------------------------------------------------------------------------------

    def _compile(self, sha: bytes, body: bytes) -> Script:
        flags, text = script_head(body)
        script = Script(sha, self.runner.state.compile(text), flags)
        if len(self.compiled) >= COMPILED_SCRIPTS:
            del self.compiled[next(iter(self.compiled))]
        self.compiled[sha] = script
        return script

    def _store(self, sha: bytes, body: bytes, *, loaded: bool) -> None:
        kept = self._all()
        self._count(kept.pop(sha, None), -1)
        kept[sha] = Kept(len(body), loaded=loaded)
        self._count(kept[sha], 1)
        head = (_LOADED if loaded else _EVALUATED) + pack_u64(self._dbs.new_stamp())
        self._dbs.batch.put(layout.script_key(bytes.fromhex(sha.decode())), head + body)
        if self._evaluated > EVAL_SCRIPTS or self._evaluated_bytes > EVAL_BYTES:
            self._make_room(sha)

    def _make_room(self, newest: bytes) -> None:
        """Drop the oldest scripts of EVAL that were not used lately, until their bounds are kept."""
        kept = self._all()
        for sha in list(kept):
            if self._evaluated <= EVAL_SCRIPTS and self._evaluated_bytes <= EVAL_BYTES:
                return
            if kept[sha].loaded or sha == newest:
                continue
            script = self.compiled.get(sha)
            if script is not None and script.used:
                script.used = False
                kept[sha] = kept.pop(sha)
                continue
            self._count(kept.pop(sha), -1)
            self.compiled.pop(sha, None)
            self._dbs.batch.delete(layout.script_key(bytes.fromhex(sha.decode())))

    def _count(self, kept: Kept | None, by: int) -> None:
        if kept is not None and not kept.loaded:
            self._evaluated += by
            self._evaluated_bytes += by * kept.size

    def _all(self) -> dict[bytes, Kept]:
        if self._kept is None:
            self._kept = self._read()
        return self._kept

    def _read(self) -> dict[bytes, Kept]:
        """What is stored, oldest first. cost: O(scripts)."""
        found = []
        for key, value in walk(self._dbs.batch, layout.SCRIPT_FIRST, layout.SCRIPT_STOP, _BLOCK):
            sha = key[len(layout.SCRIPT_FIRST) :].hex().encode()
            kept = Kept(len(value) - _HEAD_BYTES, loaded=value[:1] == _LOADED)
            found.append((unpack_u64(value[1:_HEAD_BYTES]), sha, kept))
        found.sort(key=lambda item: item[0])
        self._evaluated = self._evaluated_bytes = 0
        for _, _, kept in found:
            self._count(kept, 1)
        return {sha: kept for _, sha, kept in found}

    def _forget(self) -> None:
        """The turn was rolled back: read again what is stored, and compile it again."""
        self._kept = None
        self.compiled.clear()


def digest(body: bytes) -> bytes:
    """The SHA-1 of a script as clients name it."""
    return hashlib.sha1(body, usedforsecurity=False).hexdigest().encode()
