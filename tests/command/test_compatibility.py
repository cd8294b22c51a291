"""The compatibility page: complete, and without reasons for what is there."""

from __future__ import annotations

import re

from spoold.admin.rooms import ADMIN
from spoold.command.compatibility import (
    NOT_YET,
    REASONS,
    REFUSED,
    Known,
    compatibility_page,
    missing_options,
    reason,
    redis_commands,
    refused,
)
from spoold.command.context import Context
from spoold.command.describe import section
from spoold.command.spec import READONLY, Keys, Spec, command
from spoold.command.table import CommandTable
from spoold.datatypes.rooms import ROOMS
from spoold.dispatch import multi

TABLE = CommandTable((*ROOMS, multi, *ADMIN))
PRESENT = {entry.spec.name for entry in TABLE.entries.values()} | {
    sub.spec.name for entry in TABLE.entries.values() for sub in entry.subs.values()
}


@command(
    "DEMO",
    flags=READONLY,
    keys=Keys(1),
    since="1.0.0",
    syntax="DEMO key [NX|XX] [COUNT count [ANY]] [LIMIT start stop]",
    group="generic",
)
def demo(ctx: Context, key: bytes, *options: bytes) -> None:
    """Shows what the page reads.

    differs: it does less, and raises
        WrongType.
    """


def spec() -> Spec:
    (found,) = demo.__dict__["commands"]
    assert isinstance(found, Spec)
    return found


def test_every_command_of_redis_has_its_row_under_its_group() -> None:
    page = compatibility_page(TABLE)
    rows = re.findall(
        r"^\| (?:\[([^\]]+)\]\([^)]*\)|`([^`|]+)`|([A-Z][A-Z ]+)) \| (yes|no: [^|]+) \|", page, re.MULTILINE
    )
    named = sorted((linked or coded or plain).replace(" ", "|") for linked, coded, plain, _ in rows)
    assert named == sorted(known.name for known in redis_commands())
    there = {(linked or plain).replace(" ", "|") for linked, _, plain, answer in rows if answer == "yes"}
    assert there == {known.name for known in redis_commands() if not refused(known.name)} & PRESENT


def test_no_command_is_listed_twice() -> None:
    names = [known.name for known in redis_commands()]
    assert len(names) == len(set(names)) == 366


def test_what_is_there_needs_no_reason() -> None:
    stale = REASONS.keys() & PRESENT - REFUSED
    assert not stale, "take the reason out of command/compatibility.py"
    names = {known.name for known in redis_commands()}
    assert names >= REASONS.keys() >= REFUSED


def test_a_containers_reason_holds_for_all_that_is_in_it() -> None:
    assert reason("CLUSTER|SLOTS") is reason("CLUSTER") is REASONS["CLUSTER"]
    assert reason("SOMETHING") is NOT_YET


def test_options_that_a_syntax_line_lacks_are_found() -> None:
    known = Known("DEMO", "generic", ("NX", "XX", "GET", "COUNT", "ANY", "LIMIT", "KEEPTTL"))
    assert missing_options(known, spec()) == ["GET", "KEEPTTL"]


def test_the_page_says_what_a_docstring_says_of_differences() -> None:
    page = compatibility_page(TABLE)
    assert "| [SPOP](commands/set.md#spop) | Redis takes members at random. |" in page
    assert "it does less, and raises WrongType." in section(spec(), "differs")
