"""ACL: users and their rules. AUTH and HELLO, by which clients become users, are in admin/connection.py."""

from __future__ import annotations

import secrets
from typing import Final

from spoold.acl.catalog import CATEGORIES
from spoold.acl.file import AclFile
from spoold.acl.log import AclLog
from spoold.acl.rules import CHANNEL, COMMAND, BadRule, Selector
from spoold.acl.users import DEFAULT, Users, is_name
from spoold.command.context import Context
from spoold.command.spec import ADMIN, LOADING, NOSCRIPT, STALE, command
from spoold.core.errors import BadSubcommand, CommandError, WrongArity
from spoold.core.numerals import parse_int
from spoold.core.reply import OK, Reply, SetReply

_OPEN: Final = NOSCRIPT | LOADING | STALE
_ADMIN: Final = ADMIN | _OPEN
_GROUP: Final = "server"

_MAX_BITS: Final = 4096
_BITS_A_DIGIT: Final = 4


@command("ACL|WHOAMI", flags=_OPEN, since="6.0.0", syntax="ACL WHOAMI", group=_GROUP)
def acl_whoami(ctx: Context) -> bytes:
    """Returns the name of the user that the connection is logged in as."""
    return ctx.peer.user


@command("ACL|USERS", flags=_ADMIN, since="6.0.0", syntax="ACL USERS", group=_GROUP)
def acl_users(ctx: Context) -> Reply:
    """Returns the names of all users."""
    return [user.name for user in ctx.parts.get(Users).all()]


@command("ACL|LIST", flags=_ADMIN, since="6.0.0", syntax="ACL LIST", group=_GROUP)
def acl_list(ctx: Context) -> Reply:
    """Returns a line for each user with the rules that make it, as in the file with users.

    cost: some 0.1 ms for each selector of each user.
    """
    return [user.describe() for user in ctx.parts.get(Users).all()]


@command("ACL|GETUSER", flags=_ADMIN, since="6.0.0", syntax="ACL GETUSER username", group=_GROUP)
def acl_getuser(ctx: Context, username: bytes) -> Reply:
    """Returns what a user is and may do.

    returns: flags, digests of passwords, and rules for commands, keys and channels; the same of further selectors.
        None if there is no such user.
    """
    user = ctx.parts.get(Users).find(username)
    if user is None:
        return None
    root, *further = user.selectors
    return {
        b"flags": SetReply(user.flags()),
        b"passwords": list(user.passwords),
        **_rules(root),
        b"selectors": [_rules(selector) for selector in further],
    }


def _rules(selector: Selector) -> dict[bytes, bytes]:
    return {
        b"commands": selector.describe_commands(),
        b"keys": selector.describe_keys(),
        b"channels": selector.describe_channels(),
    }


@command("ACL|SETUSER", flags=_ADMIN, since="6.0.0", syntax="ACL SETUSER username [rule [rule ...]]", group=_GROUP)
def acl_setuser(ctx: Context, username: bytes, *rules: bytes) -> Reply:
    """Makes a user, or changes what it is and may do; holds at once for who is logged in as it.

    rules: applied one after the other, all or none. A new user may not log in, and do nothing.
    raises: CommandError: a rule that does not hold, in Redis's words.
    source: Redis's ACL SETUSER page. It is kept through a restart only by ACL SAVE, as there.
    """
    if not is_name(username):
        raise CommandError("Usernames can't contain spaces or null characters")
    try:
        ctx.parts.get(Users).set(username, rules)
    except BadRule as error:
        raise CommandError(str(error)) from None
    return OK


@command("ACL|DELUSER", flags=_ADMIN, since="6.0.0", syntax="ACL DELUSER username [username ...]", group=_GROUP)
def acl_deluser(ctx: Context, username: bytes, *usernames: bytes) -> int:
    """Removes users and closes the connections of who is logged in as one of them.

    returns: how many there were.
    raises: CommandError: `default` can't be removed; no one is, then.
    """
    names = (username, *usernames)
    if DEFAULT in names:
        raise CommandError("The 'default' user cannot be removed")
    users = ctx.parts.get(Users)
    return sum(users.remove(name) for name in names)


@command("ACL|CAT", flags=_OPEN, since="6.0.0", syntax="ACL CAT [categoryname]", group=_GROUP)
def acl_cat(ctx: Context, category: bytes | None = None, *more: bytes) -> Reply:
    """Returns the categories of commands, or the commands of one.

    raises: CommandError: no such category. BadSubcommand: more arguments.
    """
    if more:
        raise BadSubcommand
    if category is None:
        return [name.encode() for name in CATEGORIES]
    catalog = ctx.parts.get(Users).catalog
    members = catalog.declared.get(category.decode("latin-1").lower())
    if members is None:
        raise CommandError(b"Unknown category '" + category + b"'")
    return [name.encode() for name in catalog.names if name in members]


@command("ACL|LOG", flags=_ADMIN, since="6.0.0", syntax="ACL LOG [count | RESET]", group=_GROUP)
def acl_log(ctx: Context, option: bytes | None = None, *more: bytes) -> Reply:
    """Returns what was denied lately, and to whom, or forgets it.

    option: how many entries, 10 if it is not given; or RESET.
    returns: the latest first; a denial that came again within a minute is counted.
    raises: NotAnInteger; BadSubcommand: more arguments.
    """
    if more:
        raise BadSubcommand
    log = ctx.parts.get(AclLog)
    if option is not None and option.upper() == b"RESET":
        log.clear()
        return OK
    count = 10 if option is None else max(parse_int(option), 0)
    return [entry.shown(ctx.now_ms) for entry in log.latest(count)]


@command("ACL|DRYRUN", flags=_ADMIN, since="7.0.0", syntax="ACL DRYRUN username command [arg [arg ...]]", group=_GROUP)
def acl_dryrun(ctx: Context, username: bytes, name: bytes, *arguments: bytes) -> Reply:
    """Tells whether a user may run a command, without running it.

    returns: OK, or why not.
    raises: CommandError: no such user or command. WrongArity.
    """
    users = ctx.parts.get(Users)
    user = users.find(username)
    if user is None:
        raise CommandError(b"User '" + username + b"' not found")
    request = (name, *arguments)
    entry = users.table.resolve(request)
    if entry is None or (entry.subs and arguments):
        raise CommandError(b"Command '" + name + b"' not found")
    if not entry.low <= len(request) <= entry.high:
        raise WrongArity(entry.name)
    denial = user.check(entry, request)
    if denial is None:
        return OK
    if denial.reason == COMMAND:
        return b"This user has no permissions to run the '" + denial.object + b"' command"
    kind = b"channel" if denial.reason == CHANNEL else b"key"
    return b"This user has no permissions to access the '" + denial.object + b"' " + kind


@command("ACL|GENPASS", flags=_OPEN, since="6.0.0", syntax="ACL GENPASS [bits]", group=_GROUP)
def acl_genpass(ctx: Context, bits: bytes | None = None, *more: bytes) -> bytes:
    """Returns a random password in hexadecimal digits.

    bits: how much chance is in it, up to 4096; 256 if it is not given; rounded up to whole digits.
    raises: NotAnInteger; CommandError: out of range. BadSubcommand: more arguments.
    """
    if more:
        raise BadSubcommand
    wanted = 256 if bits is None else parse_int(bits)
    if not 0 < wanted <= _MAX_BITS:
        raise CommandError(
            "ACL GENPASS argument must be the number of bits for the output password, a positive number up to"
            f" {_MAX_BITS}"
        )
    digits = -(-wanted // _BITS_A_DIGIT)
    return secrets.token_hex((digits + 1) // 2)[:digits].encode()


@command("ACL|LOAD", flags=_ADMIN, since="6.0.0", syntax="ACL LOAD", group=_GROUP)
def acl_load(ctx: Context) -> Reply:
    """Reads the users from the file again, all or none.

    Connections of users that are not in it are closed; who is the same as before notices nothing.
    raises: CommandError: there is no file, or it has faults.
    differs: a file that says nothing of `default` leaves that as it is; in Redis it may do everything then.
    """
    ctx.parts.get(AclFile).load()
    return OK


@command("ACL|SAVE", flags=_ADMIN, since="6.0.0", syntax="ACL SAVE", group=_GROUP)
def acl_save(ctx: Context) -> Reply:
    """Writes all users into the file.

    raises: CommandError: there is no file, or it can't be written.
    """
    ctx.parts.get(AclFile).save()
    return OK
