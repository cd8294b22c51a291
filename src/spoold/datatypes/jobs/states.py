"""What may happen to an item of a queue, as a table: state × event → state.

    WAITING ──granted──▶ LEASED ──confirmed──▶ GONE
       ▲                   │ │ ▲
       │                   │ └─┘ extended
       └── given back ─────┘
           expired: the lease's deadline has passed
           orphaned: its owner is gone

An item of a plain list is WAITING; a lease holds one that is LEASED. To add an event, give it its lines in `_AFTER`.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final


class State(Enum):
    """Where an item is."""

    WAITING = auto()
    LEASED = auto()
    GONE = auto()


class Event(Enum):
    """What happens to it."""

    GRANTED = auto()
    EXTENDED = auto()
    CONFIRMED = auto()
    GIVEN_BACK = auto()
    EXPIRED = auto()
    ORPHANED = auto()


_AFTER: Final = {
    (State.WAITING, Event.GRANTED): State.LEASED,
    (State.LEASED, Event.EXTENDED): State.LEASED,
    (State.LEASED, Event.CONFIRMED): State.GONE,
    (State.LEASED, Event.GIVEN_BACK): State.WAITING,
    (State.LEASED, Event.EXPIRED): State.WAITING,
    (State.LEASED, Event.ORPHANED): State.WAITING,
}


def after(state: State, event: Event) -> State | None:
    """The state that follows; None where the event can't happen in this state."""
    return _AFTER.get((state, event))
