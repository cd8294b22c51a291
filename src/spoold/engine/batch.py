"""The turn's transaction and its ordered mutations.

A mutation goes into the **fresh** dict of the turn; at the end of the turn the fresh dict is the batch, and joins the
**buffer** of committed turns that the open LMDB transaction does not hold yet. Both are read before LMDB, and are
applied to it in sorted bulk when a range is read or the buffer has grown: a queue whose consumers keep up never
touches the tree, and a bulk of sorted puts costs a tenth of single ones (docs/benchmarks.md).

    get(key):  fresh ─▶ buffer ─▶ LMDB transaction (the turn's child where one is open)

Only a turn that reads a range after it wrote, or one that deletes a range, opens a child transaction: the child holds
what this turn has applied so far, so that the turn can be rolled back alone.

Invariants: while the child is open the buffer is empty. The open transaction holds whole turns only. `_sections` holds
what the child holds, in order; the batch of the turn is `_sections` and then `fresh`. A value of None in either dict is
a deletion.

A full map ends the transaction that meets it. Where that is the turn's child, what the open transaction holds is
committed under the number of its last turn, and the child's work is done again in a larger map. Where it is the open
transaction itself, or that commit fails, the log has what was lost: `recover`. Applying a batch twice gives the same
state as applying it once, since mutations are blind.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any, Final, TypeAlias, cast

import lmdb

from spoold.core.errors import EngineError
from spoold.engine.env import SYSTEM_TURN, Environment, write_turn

Mutations: TypeAlias = "dict[bytes, bytes | None]"
RangeDelete: TypeAlias = "tuple[bytes, bytes]"
Section: TypeAlias = "Mutations | RangeDelete"

MISSING: Final[Any] = object()


class NoRoom(EngineError):
    """The map is full while turns are brought back from the log: begin again in a larger one."""


# Applying is a bulk: larger is cheaper a mutation, but blocks the loop longer (8,192 mutations: about 2 ms).
BUFFER_MUTATIONS: Final = 8192


# Pairs that a scan reads before it looks whether it has left its range; five times as many with each further look.
FIRST_BLOCK: Final = 16


class Batch:
    """Reads and writes of the current turn over ordered byte keys.

    fresh: this turn's mutations that LMDB does not hold; hot paths write into it directly.
    applied: mutations that the open transaction has taken since it was opened.
    on_commit: told the turn number of each LMDB commit.
    lost: the transaction can't be used any more, and what it held is gone: `restart`, then `replay` from the log.
    restoring: that is going on.
    recover: does it in the middle of a turn; told what the disk said, None if only the map was full.
    source: shared design, sections 3 and 4.
    """

    __slots__ = (
        "_applied_turn",
        "_buffer",
        "_child",
        "_env",
        "_kept_turn",
        "_sections",
        "_txn",
        "_txn_get",
        "applied",
        "fresh",
        "lost",
        "on_commit",
        "recover",
        "restoring",
    )

    _txn: lmdb.Transaction
    applied: int
    lost: bool

    def __init__(self, env: Environment) -> None:
        """Open the first transaction on `env`."""
        self._env = env
        self.fresh: Mutations = {}
        self.on_commit: Callable[[int], None] = _ignore
        self.recover: Callable[[str | None], None] = _cannot_recover
        self.restoring = False
        self._buffer: Mutations = {}
        self._sections: list[Section] = []
        self._child: lmdb.Transaction | None = None
        self._kept_turn = env.turn
        self._applied_turn = env.turn
        self._open()

    # -- reading ------------------------------------------------------------------------------------------------

    def get(self, key: bytes) -> bytes | None:
        """The value under `key`, or None. cost: two dict look-ups, and one LMDB get if neither has it."""
        value: bytes | None = self.fresh.get(key, MISSING)
        if value is MISSING:
            value = self._buffer.get(key, MISSING)
            if value is MISSING:
                return self._txn_get(key)
        return value

    def get_many(self, prefix: bytes, stems: Iterable[bytes]) -> list[bytes | None]:
        """The value under each `prefix + stem`, or None. cost: as `get`, without a call for each."""
        fresh, buffer, read = self.fresh, self._buffer, self._txn_get
        values: list[bytes | None] = []
        for stem in stems:
            key = prefix + stem
            value = fresh.get(key, MISSING)
            if value is MISSING:
                value = buffer.get(key, MISSING)
                if value is MISSING:
                    value = read(key)
            values.append(value)
        return values

    @property
    def written(self) -> bool:
        """Whether this turn has mutations."""
        return bool(self.fresh or self._sections)

    @property
    def settled(self) -> bool:
        """Whether nothing is pending, so that a scan is cheaper than two single reads."""
        return not (self.fresh or self._buffer)

    def scan(self, start: bytes, stop: bytes, limit: int, *, reverse: bool = False) -> list[tuple[bytes, bytes]]:
        """Up to `limit` pairs with start <= key < stop, ascending or (reverse) descending from the end.

        cost: O(limit), and the pending mutations are applied first.
        """
        self._settle()
        with self._current().cursor() as cursor:
            if not reverse:
                if not cursor.set_range(start):
                    return []
                pairs = _take(cast("Iterator[tuple[bytes, bytes]]", cursor.iternext()), limit, lambda key: key >= stop)
                if pairs and pairs[-1][0] >= stop:
                    del pairs[bisect_left(pairs, (stop,)) :]
                return pairs
            if not (cursor.prev() if cursor.set_range(stop) else cursor.last()):
                return []
            pairs = _take(cast("Iterator[tuple[bytes, bytes]]", cursor.iterprev()), limit, lambda key: key < start)
            if pairs and pairs[-1][0] < start:
                cut = next(i for i, pair in enumerate(pairs) if pair[0] < start)
                del pairs[cut:]
            return pairs

    def scan_keys(self, start: bytes, stop: bytes, limit: int, *, reverse: bool = False) -> list[bytes]:
        """Up to `limit` keys with start <= key < stop, ascending or (reverse) descending; values are not read."""
        self._settle()
        with self._current().cursor() as cursor:
            if reverse:
                if not (cursor.prev() if cursor.set_range(stop) else cursor.last()):
                    return []
                keys = cast("list[bytes]", list(islice(cursor.iterprev(keys=True, values=False), limit)))
                return [key for key in keys if key >= start]
            if not cursor.set_range(start):
                return []
            keys = cast("list[bytes]", list(islice(cursor.iternext(keys=True, values=False), limit)))
            if keys and keys[-1] >= stop:
                del keys[bisect_left(keys, stop) :]
            return keys

    def scan_values(self, start: bytes, count: int) -> list[bytes]:
        """The values of `count` keys from `start` on, of which the caller knows that they are there."""
        self._settle()
        with self._current().cursor() as cursor:
            cursor.set_range(start)
            return cast("list[bytes]", list(islice(cursor.iternext(keys=False, values=True), count)))

    # -- writing ------------------------------------------------------------------------------------------------

    def put(self, key: bytes, value: bytes) -> None:
        """Note that `key` holds `value`."""
        self.fresh[key] = value

    def delete(self, key: bytes) -> None:
        """Note that `key` is gone; no error if it was not there."""
        self.fresh[key] = None

    def take(self, key: bytes) -> bytes | None:
        """Read and delete in one call, for pops. returns: the value, None if there was none."""
        fresh = self.fresh
        value: bytes | None = fresh.get(key, MISSING)
        if value is MISSING:
            value = self._buffer.get(key, MISSING)
            if value is MISSING:
                value = self._txn_get(key)
        fresh[key] = None
        return value

    def delete_range(self, start: bytes, stop: bytes, limit: int) -> int:
        """Delete up to `limit` keys with start <= key < stop, as one mutation.

        returns: how many were deleted; fewer than `limit` means that the range is empty now.
        """
        keys = self.scan_keys(start, stop, limit + 1)
        if not keys:
            return 0
        end = keys.pop() if len(keys) > limit else stop
        self._in_child(lambda child: _delete_all(child, keys))
        self._sections.append((start, end))
        return len(keys)

    # -- the end of a turn --------------------------------------------------------------------------------------

    def sections(self) -> list[Section]:
        """This turn's mutations in order; empty if it wrote nothing. The caller must not change them.

        raises: EngineError: the caller must abort the turn.
        """
        if self._child is None:
            return [self.fresh] if self.fresh else []
        self._settle()  # so that what the child brings into the transaction is the whole turn
        return list(self._sections)

    def keep(self, turn: int) -> None:
        """The turn is committed under the number `turn`: its mutations stay. `sections` comes before it.

        raises: EngineError: see `lost`; the turn itself may be in doubt, and must be brought back from the log.
        """
        self._kept_turn = turn
        if self._child is None:
            self._buffer.update(self.fresh)
            self.fresh = {}
            if len(self._buffer) >= BUFFER_MUTATIONS:
                self.apply()
            return
        try:
            self._child.commit()
        except lmdb.Error as error:
            self.lost = True
            raise EngineError(f"LMDB: {error}") from error
        self._child = None
        self._txn_get = cast("Callable[[bytes], bytes | None]", self._txn.get)
        self.applied += sum(len(s) if isinstance(s, dict) else 1 for s in self._sections)
        self._sections = []
        self._applied_turn = turn

    def abort(self) -> None:
        """The turn did not happen: drop all that it wrote. Sets `lost` where its failure broke the transaction."""
        self.fresh = {}
        self._sections = []
        self._abort_child()
        self._check()

    # -- applying -----------------------------------------------------------------------------------------------

    def apply(self) -> None:
        """Bring the committed turns' mutations into the open transaction.

        raises: EngineError: see `lost`.
        """
        if not self._buffer:
            self._applied_turn = self._kept_turn
            return
        self._in_bulk(lambda txn: _write(txn, self._buffer))
        self.applied += len(self._buffer)
        self._buffer = {}
        self._applied_turn = self._kept_turn

    def commit(self, turn: int) -> None:
        """Apply, commit the LMDB transaction as holding all up to `turn`, and open the next one. Between turns only.

        raises: EngineError: see `lost`.
        """
        while True:
            self.apply()
            self._kept_turn = self._applied_turn = turn
            try:
                self._commit()
            except EngineError as error:
                if not isinstance(error.__cause__, lmdb.MapFullError):
                    raise
                self.recover(None)
            else:
                return

    def commit_alone(self, turn: int, sections: list[Section]) -> None:
        """Commit `turn`, which no log holds, whole or not at all. A `commit` comes directly before it.

        raises: EngineError: see `lost`; the turn did not happen.
        """
        self.lost = True  # until the next transaction is open
        try:
            while not self._commits_whole(turn, sections):
                self._txn.abort()
                self._env.double()
                self._txn = self._env.begin()
        except lmdb.Error as error:
            raise EngineError(f"LMDB commit: {self._env.explain(error)}") from error
        self._kept_turn = self._applied_turn = turn
        self._begin_next(turn)

    def restart(self, turn: int, *, larger: bool = False) -> None:
        """Throw the open transaction away and begin anew behind the last LMDB commit, which holds `turn`.

        The open turn, if there is one, stays: it is brought into the new transaction when that is needed.
        larger: the map was too small.
        raises: EngineError: LMDB can't go on.
        """
        self._abort_child()
        self._buffer = {}
        self._txn.abort()
        self._kept_turn = self._applied_turn = turn
        if larger:
            self._env.double()
        self._open()

    def replay(self, turn: int, sections: list[Section]) -> None:
        """Bring in the batch of the committed `turn`: at start, after a failed commit, behind a checkpoint.

        raises: EngineError.
        """
        for section in sections:
            if isinstance(section, dict):
                self._buffer.update(section)
            else:
                self.apply()
                start, stop = section
                self._in_bulk(lambda txn: _delete_range(txn, start, stop))  # noqa: B023 - runs at once
        self._kept_turn = turn
        if len(self._buffer) >= BUFFER_MUTATIONS:
            self.apply()

    def close(self) -> None:
        """Drop the open transaction; what was not committed stays in the journal."""
        self._abort_child()
        self._txn.abort()

    # -- inside -------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        try:
            self._txn = self._env.begin()
        except lmdb.Error as error:
            self.lost = True
            raise EngineError(f"LMDB: {error}") from error
        self._txn_get = cast("Callable[[bytes], bytes | None]", self._txn.get)
        self.applied = 0
        self.lost = False

    def _current(self) -> lmdb.Transaction:
        return self._txn if self._child is None else self._child

    def _settle(self) -> None:
        """Bring all pending mutations into LMDB, so that a cursor sees them."""
        if self._buffer:
            self.apply()
        if self.fresh:
            fresh = self.fresh
            self.fresh = {}
            self._in_child(lambda child: _write(child, fresh))
            self._sections.append(fresh)

    def _open_child(self) -> lmdb.Transaction:
        if self._child is None:
            self._child = self._env.begin(self._txn)
            self._txn_get = cast("Callable[[bytes], bytes | None]", self._child.get)
        return self._child

    def _in_child(self, work: Callable[[lmdb.Transaction], None]) -> None:
        """Run `work` in this turn's child; where the map is full, make room and run it again.

        raises: EngineError (the disk failed); the caller must abort the turn.
        """
        while True:
            try:
                work(self._open_child())
                return
            except lmdb.MapFullError:
                self._abort_child()
                self._grow()
                for section in self._sections:
                    self._in_child(partial(_redo, section))
            except lmdb.Error as error:
                raise EngineError(f"LMDB: {error}") from error

    def _in_bulk(self, work: Callable[[lmdb.Transaction], None]) -> None:
        """Run `work` for committed turns.

        It runs in the open transaction itself, without a child: a child copies each page that it touches, which would
        double the cost. So a failure spoils the transaction, and what it held comes back from the log, these turns too.
        raises: EngineError: see `lost`.
        """
        try:
            work(self._txn)
        except lmdb.MapFullError as error:
            self.lost = True
            if self.restoring:
                raise NoRoom("the map is full") from error
            self.recover(None)
        except lmdb.Error as error:
            self.lost = True
            raise EngineError(f"LMDB: {error}") from error

    def _check(self) -> None:
        """Set `lost` if LMDB gave the open transaction up: it does so when it meets a damaged page."""
        try:
            self._txn.get(SYSTEM_TURN)
        except lmdb.Error:
            self.lost = True

    def _abort_child(self) -> None:
        if self._child is not None:
            self._child.abort()
            self._child = None
            self._txn_get = cast("Callable[[bytes], bytes | None]", self._txn.get)

    def _grow(self) -> None:
        """Make the map larger; what the transaction holds (whole turns) is committed, or brought back from the log."""
        if self.restoring:
            raise NoRoom("the map is full")
        try:
            self._commit(double=True)
        except EngineError as error:
            self.recover(None if isinstance(error.__cause__, lmdb.MapFullError) else str(error))

    def _commit(self, *, double: bool = False) -> None:
        turn = self._applied_turn
        self.lost = True  # until the next transaction is open
        try:
            write_turn(self._txn, turn)
            self._txn.commit()
        except lmdb.Error as error:
            raise EngineError(f"LMDB commit: {self._env.explain(error)}") from error
        self._begin_next(turn, double=double)

    def _commits_whole(self, turn: int, sections: list[Section]) -> bool:
        """Apply and commit; returns whether the map had room for it."""
        try:
            for section in sections:
                _redo(section, self._txn)
            write_turn(self._txn, turn)
            self._txn.commit()
        except lmdb.MapFullError:
            return False
        return True

    def _begin_next(self, turn: int, *, double: bool = False) -> None:
        """A commit that holds `turn` was made: make room for what follows."""
        self.on_commit(turn)
        self._env.forget_dead_readers()
        if double:
            self._env.double()
        else:
            self._env.grow()
        self._open()


def walk(
    batch: Batch, start: bytes, stop: bytes, size: int, *, first: int = 0, reverse: bool = False
) -> Iterator[tuple[bytes, bytes]]:
    """All pairs with start <= key < stop, as `scan` gives them; the range must not change before the last is taken.

    batch: or what is read as one is (snapshot.py). size: pairs that are read at once. first: fewer for the beginning,
        where most callers take no more; 0 = `size`.
    cost: O(pairs taken); pending mutations, also those of whoever takes them, are applied before each read.
    """
    limit = first or size
    while True:
        found = batch.scan(start, stop, limit, reverse=reverse)
        yield from found
        if len(found) < limit:
            return
        if reverse:
            stop = found[-1][0]
        else:
            start = found[-1][0] + b"\0"
        limit = size


def _take(
    pairs: Iterator[tuple[bytes, bytes]], limit: int, is_outside: Callable[[bytes], bool]
) -> list[tuple[bytes, bytes]]:
    """Up to `limit` pairs, and not many behind the first key outside the range: their values may be large."""
    size = FIRST_BLOCK
    taken = list(islice(pairs, min(size, limit)))
    while size <= len(taken) < limit and not is_outside(taken[-1][0]):
        size += size * 4
        taken += islice(pairs, min(size, limit) - len(taken))
    return taken


def _ignore(turn: int) -> None:
    """No one waits for LMDB commits yet."""


def _cannot_recover(reason: str | None) -> None:
    raise EngineError(f"LMDB commit: {reason or 'the map is full'}")


def _write(txn: lmdb.Transaction, mutations: Mutations) -> None:
    """Apply puts and deletes in key order: neighbours share tree pages."""
    keys = sorted(mutations)
    deletes = [key for key in keys if mutations[key] is None]
    if deletes:
        keys = [key for key in keys if mutations[key] is not None]
    if keys:
        values = cast("Iterable[bytes]", map(mutations.__getitem__, keys))
        with txn.cursor() as cursor:
            cursor.putmulti(zip(keys, values, strict=True))
    _delete_all(txn, deletes)


def _delete_all(txn: lmdb.Transaction, keys: list[bytes]) -> None:
    """Delete what is there of some keys, which are in order.

    cost: 0.25 µs a key, 0.06 µs one that is not there: an item that was taken before it reached the tree.
    """
    with txn.cursor() as cursor:
        find, delete = cursor.set_key, cursor.delete
        for key in keys:
            if find(key):
                delete()


def _delete_range(txn: lmdb.Transaction, start: bytes, stop: bytes) -> None:
    with txn.cursor() as cursor:
        found = cursor.set_range(start)
        while found and cast("bytes", cursor.key()) < stop:
            found = cursor.delete()


def _redo(section: Section, txn: lmdb.Transaction) -> None:
    if isinstance(section, dict):
        _write(txn, section)
    else:
        _delete_range(txn, *section)
