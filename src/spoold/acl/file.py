"""The file with users (`--acl-file`): read at start and by ACL LOAD, written by ACL SAVE.

One user a line, as ACL LIST shows it; empty lines and lines that begin with `#` are passed over.
"""

from __future__ import annotations

import os
from pathlib import Path

from spoold.acl.rules import BadRule
from spoold.acl.users import User, Users, is_name
from spoold.core.errors import CommandError, SettingsError


class AclFile:
    """The file and the users in it. path: None if the server has none."""

    def __init__(self, users: Users, path: Path | None) -> None:
        """Nothing is read yet."""
        self._users = users
        self.path = path

    def start(self) -> None:
        """Read the users when the server starts. raises: SettingsError: the file is missing or has faults."""
        if self.path is None:
            return
        try:
            self._users.replace_all(self._read(self.path))
        except OSError as error:
            raise SettingsError(f"--acl-file {self.path}: {error.strerror}; an empty file is a good start") from error
        except CommandError as error:
            raise SettingsError(f"--acl-file: {error}") from error

    def load(self) -> None:
        """Read the users again, all or none. raises: CommandError: it can't be read, or has faults."""
        path = self._path()
        try:
            found = self._read(path)
        except OSError as error:
            raise CommandError(f"Error loading ACLs, opening file '{path}': {error.strerror}") from None
        self._users.replace_all(found)

    def save(self) -> None:
        """Write all users, so that what was there before stays whole until that is done. raises: CommandError."""
        path = self._path()
        text = b"".join(user.describe() + b"\n" for user in self._users.all())
        draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise CommandError(
                f"There was an error trying to save the ACLs. Please check the server logs for more information"
                f" ({error.strerror})"
            ) from None

    def _path(self) -> Path:
        if self.path is None:
            raise CommandError(
                "This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL"
                " SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set)"
                " in order to store users in the Redis configuration."
            )
        return self.path

    def _read(self, path: Path) -> dict[bytes, User]:
        """raises: OSError; CommandError with all faults that the file has."""
        found: dict[bytes, User] = {}
        faults = []
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            words = line.split()
            if not words or words[0].startswith(b"#"):
                continue
            try:
                if words[0] != b"user" or len(words) < 2:
                    raise BadRule("should start with user keyword and a name")
                name = words[1]
                if name in found:
                    raise BadRule(f"Duplicate user '{name.decode('utf-8', 'replace')}' found")
                if not is_name(name):
                    raise BadRule("username contains invalid characters")
                found[name] = self._users.new(name, words[2:])
            except BadRule as error:
                faults.append(f"{path}:{number}: {str(error).rstrip('.')}.")
        if faults:
            raise CommandError(
                " ".join(faults)
                + " WARNING: ACL errors detected, no change to the previously active ACL rules was performed"
            )
        return found
