"""Who is logged in to the console: sessions with a bound on their number and their life, attempts with one on theirs.

Tokens live in memory and die with the server. A session ends when its user may not log in any more, or was given
another password.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from spoold.acl.users import User, Users
from spoold.core.clock import Clock

MOST_SESSIONS: Final = 64
IDLE_S: Final = 2 * 3600.0
LIFE_S: Final = 12 * 3600.0

# Wrong passwords: so many from one address in so many seconds, then none is looked at until the oldest is that old.
ATTEMPTS: Final = 8
ATTEMPTS_S: Final = 60.0
_MOST_ADDRESSES: Final = 1024


class TooManyAttempts(Exception):
    """Too many wrong passwords came from there. wait_s: when to try again."""

    def __init__(self, wait_s: float) -> None:
        """wait_s: seconds."""
        self.wait_s = wait_s
        super().__init__(f"too many wrong passwords: try again in {int(wait_s) + 1} s")


@dataclass
class _Login:
    user: User
    passwords: frozenset[bytes]
    begun_s: float
    used_s: float


class Logins:
    """Sessions by the digest of their token: what memory holds opens nothing."""

    def __init__(self, users: Users, clock: Clock) -> None:
        """No one is logged in."""
        self._users = users
        self._clock = clock
        self._logins: dict[bytes, _Login] = {}
        self._wrong: dict[str, list[float]] = {}

    def __len__(self) -> int:
        return len(self._logins)

    def check(self, name: bytes, password: bytes, address: str) -> User | None:
        """The user, if the password is right. address: where it comes from.

        raises: TooManyAttempts: the password was not even looked at.
        """
        now_s = self._clock.monotonic_s()
        wrong = [at_s for at_s in self._wrong.get(address, ()) if now_s - at_s < ATTEMPTS_S]
        if len(wrong) >= ATTEMPTS:
            raise TooManyAttempts(ATTEMPTS_S - (now_s - wrong[0]))
        user = self._users.log_in(name, password)
        if user is None:
            self._wrong.pop(address, None)
            self._wrong[address] = [*wrong, now_s]
            if len(self._wrong) > _MOST_ADDRESSES:
                del self._wrong[next(iter(self._wrong))]
            return None
        self._wrong.pop(address, None)
        return user

    def begin(self, user: User) -> str:
        """A session for `user`; returns its token."""
        self._drop(lambda login: self._over(login))
        if len(self._logins) >= MOST_SESSIONS:
            oldest = min(self._logins, key=lambda key: self._logins[key].used_s)
            del self._logins[oldest]
        token = secrets.token_urlsafe(32)
        now_s = self._clock.monotonic_s()
        self._logins[_digest(token)] = _Login(user, frozenset(user.passwords), now_s, now_s)
        return token

    def find(self, token: str) -> User | None:
        """The user of a session that has not ended."""
        login = self._logins.get(_digest(token))
        if login is None:
            return None
        if self._over(login):
            del self._logins[_digest(token)]
            return None
        login.used_s = self._clock.monotonic_s()
        return login.user

    def end(self, token: str) -> None:
        """Log out."""
        self._logins.pop(_digest(token), None)

    def _over(self, login: _Login) -> bool:
        now_s = self._clock.monotonic_s()
        user = login.user
        return (
            now_s - login.used_s > IDLE_S
            or now_s - login.begun_s > LIFE_S
            or self._users.find(user.name) is not user
            or not user.on
            or frozenset(user.passwords) != login.passwords
        )

    def _drop(self, when: Callable[[_Login], bool]) -> None:
        for key in [key for key, login in self._logins.items() if when(login)]:
            del self._logins[key]


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
