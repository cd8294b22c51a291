"""Rules: what they allow, and that a description of them makes the same again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spoold.acl.catalog import CATEGORIES, Catalog
from spoold.acl.rules import BadRule, Selector
from spoold.acl.users import User, Users, merge_selectors
from spoold.admin.rooms import ADMIN
from spoold.command.table import CommandTable
from spoold.datatypes.rooms import ROOMS
from spoold.dispatch import multi

TABLE = CommandTable((*ROOMS, multi, *ADMIN))
CATALOG = Catalog(TABLE)
NAMES = [*CATALOG.names, "select|0", "select|1"]
SIGNS = st.sampled_from("+-")
RULES = st.one_of(
    st.builds("{}{}".format, SIGNS, st.sampled_from(NAMES)),
    st.builds("{}@{}".format, SIGNS, st.sampled_from([*CATEGORIES, "all"])),
    st.builds("{}{}".format, st.sampled_from(["~", "%R~", "%W~"]), st.sampled_from("abc*")),
    st.builds("&{}".format, st.sampled_from("abc*")),
    st.sampled_from(["allkeys", "resetkeys", "allchannels", "resetchannels"]),
)


def selector_of(*rules: str) -> Selector:
    selector = Selector(CATALOG)
    for rule in rules:
        selector.apply(rule.encode())
    return selector


def user_of(*rules: str) -> User:
    return Users(TABLE).new(b"u", [rule.encode() for rule in rules])


def allows(user: User, *words: str) -> bool:
    request = [word.encode() for word in words]
    entry = TABLE.resolve(request)
    assert entry is not None
    return user.check(entry, request) is None


@given(st.lists(RULES, max_size=12))
def test_a_description_makes_the_same_selector(rules: list[str]) -> None:
    selector = Selector(CATALOG)
    for rule in rules:
        try:
            selector.apply(rule.encode())
        except BadRule:
            continue
    again = selector_of(*selector.describe().decode().split())
    assert again.commands == selector.commands
    assert again.future == selector.future
    assert again.all_keys == selector.all_keys
    assert again.all_channels == selector.all_channels
    assert again.describe() == selector.describe()


@given(st.lists(RULES, max_size=6), st.lists(st.lists(RULES, max_size=4), max_size=2))
def test_the_line_of_a_user_makes_the_same_user(rules: list[str], selectors: list[list[str]]) -> None:
    user = user_of("on", ">secret", ">other")
    for rule in [*rules, *(f"({' '.join(inner)})" for inner in selectors)]:
        try:
            user = user.changed([rule.encode()])
        except BadRule:
            continue
    word, name, *described = user.describe().split()
    assert (word, name) == (b"user", b"u")
    assert user_of(*(part.decode() for part in described)).describe() == user.describe()


def test_no_password_stands_in_a_description() -> None:
    assert b"hunter2" not in user_of("on", ">hunter2", "+@all").describe()


def test_who_may_do_all_is_unrestricted_until_something_is_taken_away() -> None:
    everything = ("on", "nopass", "~*", "&*", "+@all")
    assert user_of(*everything).unrestricted
    for rule in ("-get", "resetkeys", "resetchannels", "-@string", "reset", "-client|kill"):
        assert not user_of(*everything, rule).unrestricted
    assert user_of("on", "(~* &* +@all)").unrestricted


def test_a_container_stands_for_its_subcommands() -> None:
    user = user_of("+client", "-client|kill")
    assert allows(user, "CLIENT", "ID")
    assert not allows(user, "CLIENT", "KILL", "x")
    only = user_of("+client|id")
    assert allows(only, "CLIENT", "ID")
    assert not allows(only, "CLIENT", "LIST")


def test_what_a_client_needs_to_log_in_is_always_allowed() -> None:
    user = user_of()
    for words in (("AUTH", "x"), ("HELLO",), ("QUIT",), ("RESET",)):
        assert allows(user, *words)


def test_a_first_argument_may_be_allowed_alone() -> None:
    user = user_of("+select|0", "+echo|Hello")
    assert allows(user, "SELECT", "0")
    assert not allows(user, "SELECT", "1")
    assert allows(user, "ECHO", "hELLO")
    assert not allows(user, "ECHO", "x")
    assert not allows(user.changed([b"-select"]), "SELECT", "0")


@pytest.mark.parametrize(
    ("words", "reads", "writes"),
    [
        (("GET", "k"), True, False),
        (("SET", "k", "v"), False, True),
        (("SET", "k", "v", "GET"), True, True),
        (("SET", "get", "get"), False, True),
        (("LPUSH", "k", "v"), False, True),
        (("LPOP", "k"), True, True),
        (("DEL", "k"), False, True),
        (("BITFIELD", "k", "GET", "u1", "0"), True, False),
        (("BITFIELD", "k", "INCRBY", "u1", "0", "1"), True, True),
        (("EXISTS", "k"), False, False),
        (("TYPE", "k"), False, False),
    ],
)
def test_a_command_needs_the_permission_for_what_it_does(words: tuple[str, ...], reads: bool, writes: bool) -> None:
    assert allows(user_of("+@all", "%R~*", "allchannels"), *words) == (not writes)
    assert allows(user_of("+@all", "%W~*"), *words) == (not reads)
    assert allows(user_of("+@all", "%RW~*"), *words)
    assert not allows(user_of("+@all"), *words)


def test_a_key_may_be_read_by_one_pattern_and_written_by_another_but_not_both_at_once() -> None:
    user = user_of("+@all", "%R~a*", "%W~*b")
    assert allows(user, "GET", "ab")
    assert allows(user, "SET", "ab", "v")
    assert not allows(user, "LPOP", "ab")


def test_selectors_do_not_add_up() -> None:
    user = user_of("+get", "~a", "(+set ~b)")
    assert allows(user, "GET", "a")
    assert allows(user, "SET", "b", "v")
    assert not allows(user, "GET", "b")
    assert not allows(user, "SET", "a", "v")


def test_of_several_denials_the_one_that_came_furthest_is_told() -> None:
    user = user_of("(+mget ~a)", "(+mget ~a ~b)")
    request = [b"MGET", b"a", b"b", b"c"]
    entry = TABLE.resolve(request)
    assert entry is not None
    denial = user.check(entry, request)
    assert denial is not None
    assert (denial.reason, denial.object) == ("key", b"c")


def test_a_pattern_of_channels_is_allowed_only_as_it_stands() -> None:
    user = user_of("+@pubsub", "&news.*")
    assert allows(user, "SUBSCRIBE", "news.sport")
    assert allows(user, "PSUBSCRIBE", "news.*")
    assert not allows(user, "PSUBSCRIBE", "news.s*")
    assert not allows(user, "SUBSCRIBE", "news.sport", "weather")
    assert allows(user, "UNSUBSCRIBE", "weather")


def test_rules_of_a_selector_may_come_apart() -> None:
    assert merge_selectors([b"on", b"(+get", b"~a", b"&b)", b"off"]) == [b"on", b"(+get ~a &b)", b"off"]
    with pytest.raises(BadRule, match="Unmatched parenthesis in acl selector starting at '\\(\\+get'"):
        merge_selectors([b"(+get", b"~a"])


def test_a_rule_that_fails_changes_nothing() -> None:
    users = Users(TABLE)
    users.set(b"u", [b"on", b"+get"])
    before = users.all()[-1].describe()
    with pytest.raises(BadRule):
        users.set(b"u", [b"off", b"+set", b"+nosuch"])
    assert users.all()[-1].describe() == before


@pytest.mark.parametrize("category", [name for name in CATEGORIES if CATALOG.declared[name]])
def test_a_category_alone_is_described_as_it_was_given(category: str) -> None:
    assert selector_of(f"+@{category}").describe_commands() == f"-@all +@{category}".encode()
    assert selector_of("+@all", f"-@{category}").describe_commands() == f"+@all -@{category}".encode()


def test_what_redis_has_of_debug_may_be_named_though_spoold_has_it_not() -> None:
    rules = b"-@all +debug|sleep +debug|segfault"
    assert selector_of(*rules.decode().split()).describe_commands() == rules
    with pytest.raises(BadRule):
        selector_of("+client|segfault")


def test_every_category_has_commands_but_those_of_rooms_that_are_not_here() -> None:
    assert {name for name in CATEGORIES if not CATALOG.declared[name]} <= {"scripting"}


def test_the_digest_of_a_password_can_stand_for_it() -> None:
    user = user_of("on", ">secret")
    (digest,) = user.passwords
    assert user_of("on", f"#{digest.decode()}").takes(b"secret")
    assert not user_of("off", f"#{digest.decode()}").takes(b"secret")
    assert not user.changed([b"!" + digest]).takes(b"secret")
    assert not user.changed([b"<secret"]).takes(b"")
