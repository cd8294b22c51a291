"""How INFO is written: named sections of `field:value` lines, chosen as Redis chooses them.

What stands in the sections is collected by `admin/info.py`; this knows the wire text only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

Fields: TypeAlias = Mapping[str, object]
Collector: TypeAlias = Callable[[], Fields]

# Sections that a plain INFO leaves out.
_NOT_BY_DEFAULT: Final = frozenset({"commandstats", "latencystats"})
_ALL_WORDS: Final = frozenset({"all", "everything"})

_UNITS: Final = (("P", 1 << 50), ("T", 1 << 40), ("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10))


def render(sections: Mapping[str, Collector], wanted: Sequence[str]) -> bytes:
    """Write the wanted sections in their order.

    sections: title → what collects the fields; only those that are wanted are asked.
    wanted: names in any case; `default` (also if there is none), `all` and `everything` name groups; unknown ones are
        left out.
    source: Redis's INFO page; tried with redis 7.0.15.
    """
    words = {word.lower() for word in wanted} or {"default"}
    written = []
    for title, collect in sections.items():
        name = title.lower()
        if name in words or words & _ALL_WORDS or ("default" in words and name not in _NOT_BY_DEFAULT):
            lines = [f"# {title}", *(f"{field}:{_text(value)}" for field, value in collect().items()), ""]
            written.append("\r\n".join(lines))
    return "\r\n".join(written).encode("utf-8", "surrogateescape")


def human_bytes(count: int) -> str:
    """A number of bytes for people, as Redis writes it: `512B`, `1.50K`, `2.00G`."""
    for unit, size in _UNITS:
        if count >= size:
            return f"{count / size:.2f}{unit}"
    return f"{count}B"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return f"{value:.2f}"
    return str(value)
