"""What the engine holds must lead back to a name: the check behind every test that deletes, replaces or expires."""

from __future__ import annotations

from spoold.keyspace import layout
from spoold.keyspace.packing import is_long, pack_name
from spoold.keyspace.record import (
    Collection,
    HashRecord,
    ListRecord,
    ScheduleRecord,
    SetRecord,
    StreamRecord,
    TaggedListRecord,
    ZsetRecord,
    decode,
)
from support.upkeep import Upkeep

# Engine keys of one element: a set keeps each member twice.
_KEYS_OF_AN_ELEMENT = {
    ListRecord: 1,
    TaggedListRecord: 1,
    SetRecord: 2,
    HashRecord: 1,
    ScheduleRecord: 1,
    ZsetRecord: 2,
}


def assert_nothing_is_left_over(room: Upkeep) -> None:
    """Expire and reclaim all that can be, then compare the engine with what the records say is there.

    Counts, expiry index and elements must be exact, and no engine key may be left that no name leads to.
    """
    while room.expire():
        pass
    room.reclaim()
    state = room.state()
    unexplained = {key for key in state if key[:1] not in b"slfp"}  # counters, leases, fan-outs
    for ks in room.dbs.all:
        prefix = layout.names_prefix(ks.database_id)
        names = 0
        for key in [key for key in state if key.startswith(prefix)]:
            record, full_name = decode(state[key])
            name = key[len(prefix) :] if full_name is None else full_name
            assert key == prefix + pack_name(name)
            names += 1
            unexplained.remove(key)
            if record.expire_ms:
                entry = layout.expiry_key(record.expire_ms, ks.database_id, name)
                assert state[entry] == (name if is_long(name) else b"")
                unexplained.remove(entry)
            if isinstance(record, StreamRecord):
                unexplained -= _elements_of_stream(record, state)
            elif isinstance(record, Collection):
                elements = {key for key in state if key.startswith(record.prefix)}
                assert len(elements) == record.count() * _KEYS_OF_AN_ELEMENT[type(record)] > 0
                unexplained -= elements
            if isinstance(record, TaggedListRecord):
                tags = {key for key in state if key.startswith(record.tags_prefix)}
                assert len(tags) == record.tags <= record.count()
                unexplained -= tags
                if record.alarm_ms:
                    entry = layout.alarm_key(record.alarm_ms, ks.database_id, name)
                    assert state[entry] == (name if is_long(name) else b"")
                    unexplained.remove(entry)
        assert ks.count == names
    assert not unexplained


def _elements_of_stream(record: StreamRecord, state: dict[bytes, bytes]) -> set[bytes]:
    """All engine keys of a stream; its counters, and those of its groups and consumers, must be exact."""
    found = {key for key in state if key.startswith(record.prefix)}
    kinds: dict[bytes, list[bytes]] = {}
    for key in sorted(found):
        kinds.setdefault(key[9:10], []).append(key)
    entries = [key[10:] for key in kinds.pop(b"e", [])]
    assert len(entries) == record.length
    assert record.first == (entries[0] if entries else bytes(16))
    assert record.last >= (entries[-1] if entries else bytes(16))
    groups = kinds.pop(b"g", [])
    assert len(groups) == record.groups
    for key in groups:
        number = state[key][:8]
        pending, consumers = (int.from_bytes(state[key][at : at + 8], "big") for at in (48, 56))
        names = [key for key in kinds.get(b"n", []) if key[10:18] == number]
        assert len(names) == consumers
        owned = {key[18:] for key in kinds.get(b"o", []) if key[10:18] == number}
        given = {state[key][:8] + key[18:] for key in kinds.get(b"p", []) if key[10:18] == number}
        assert owned == given
        assert len(given) == pending
        assert all(id_ <= state[key][32:48] for id_ in (each[8:] for each in given))
        for name in names:
            stored = state[record.prefix + b"c" + number + pack_name(state[name])]
            assert stored[:8] == name[18:]
            assert int.from_bytes(stored[16:24], "big") == sum(each[:8] == name[18:] for each in given)
    numbers = {state[key][:8] for key in groups}
    assert all(key[10:18] in numbers for keys in kinds.values() for key in keys)
    assert len(kinds.get(b"c", [])) == len(kinds.get(b"n", []))
    return found
