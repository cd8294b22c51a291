"""TIME and LOLWUT: what needs nothing of the server but that it is there."""

from __future__ import annotations

from spoold import __version__
from spoold.admin.info import REDIS_VERSION
from spoold.command.args import Args
from spoold.command.context import Context
from spoold.command.spec import FAST, LOADING, READONLY, STALE, command
from spoold.core.errors import NotAnInteger, SyntaxFault
from spoold.core.reply import Reply, Verbatim
from spoold.dispatch.turn import Turn

_WIDEST = 60
_TALLEST = 40


@command("TIME", flags=LOADING | STALE | FAST, since="2.6.0", syntax="TIME", group="server")
def time_(ctx: Context) -> Reply:
    """Returns the server's clock.

    returns: Unix seconds, and the microseconds of the second.
    """
    seconds, micros = divmod(ctx.parts.get(Turn).clock.unix_us(), 1_000_000)
    return [b"%d" % seconds, b"%d" % micros]


@command(
    "LOLWUT", flags=READONLY | FAST, since="5.0.0", syntax="LOLWUT [VERSION version] [width [turns]]", group="server"
)
def lolwut(ctx: Context, *arguments: bytes) -> Reply:
    """Draws a spool, and tells spoold's version and whose commands it has.

    arguments: VERSION and a number, for those who ask Redis so; how wide the spool is, how many turns are on it.
    raises: NotAnInteger.
    """
    args = Args(arguments)
    if args.skip(b"VERSION"):
        args.int()
    width = _number(args, 24, _WIDEST)
    turns = _number(args, 6, _TALLEST)
    flange = "=" * (width + 6)
    thread = [" " * 3 + "".join("/\\"[(at + line) % 2] for at in range(width)) for line in range(turns)]
    # "Redis ver." is what clients' own tests look for.
    signature = f"spoold {__version__}, as Redis ver. {REDIS_VERSION}"
    return Verbatim("\n".join([flange, *thread, flange, signature, ""]).encode())


def _number(args: Args, usual: int, most: int) -> int:
    """The next argument if it is a number, else the usual one."""
    try:
        return min(max(args.int(), 1), most)
    except (NotAnInteger, SyntaxFault):
        return usual
