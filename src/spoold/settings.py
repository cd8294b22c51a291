"""Every option once: its name, default, unit and meaning. Flags, environment variables, the TOML file, CONFIG and the
settings page of the documentation derive from the fields of `Settings`.

    field max_clients   --max-clients N   SPOOLD_MAX_CLIENTS=N   max-clients = N   CONFIG GET maxclients

Precedence: command line, then environment, then file, then default. To add an option: one field.
"""

from __future__ import annotations

import dataclasses
import os
import re
import tomllib
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from spoold.core.errors import SettingsError

_UNITS: Final = {"": 1, "b": 1, "k": 1000, "kb": 1024, "m": 10**6, "mb": 1024**2, "g": 10**9, "gb": 1024**3}
DURABILITIES: Final = ("always", "interval")
LOG_LEVELS: Final = ("debug", "info", "warning", "error")
LOG_FORMATS: Final = ("text", "json")


def option(
    default: Any, text: str, *, kind: str, config: str = "", choices: tuple[str, ...] = (), secret: bool = False
) -> Any:
    """One option.

    kind: how its text is read: `listen`, `path`, `flag`, `int`, `seconds`, `bytes`, `mode`, `text`, `choice`,
        `shares` (several NAME=N).
    config: its name in CONFIG, where Redis has one.
    secret: never shown.
    """
    metadata = {"text": text, "kind": kind, "config": config, "choices": choices, "secret": secret}
    if isinstance(default, (tuple, Path)):
        return field(default_factory=lambda: default, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """What the server was asked to do."""

    redis: tuple[str, ...] = option(
        ("127.0.0.1:6379",),
        "Redis listener: [HOST:]PORT, tls:[HOST:]PORT, unix:PATH or off. May be given several times, as all listeners.",
        kind="listen",
    )
    memcached: tuple[str, ...] = option(
        ("127.0.0.1:11211",),
        "memcached listener: [HOST:]PORT, tls:[HOST:]PORT, unix:PATH or off; this machine only, as the protocol has no "
        "passwords.",
        kind="listen",
    )
    memcached_queue: tuple[str, ...] = option(
        ("127.0.0.1:22133",),
        "Listener for memcached's protocol as a queue: [HOST:]PORT, tls:[HOST:]PORT, unix:PATH or off; this machine "
        "only, as the protocol has no passwords.",
        kind="listen",
    )
    simple: tuple[str, ...] = option(
        ("127.0.0.1:31337",),
        "Listener for huey's simple protocol: [HOST:]PORT, tls:[HOST:]PORT, unix:PATH or off; this machine only, as "
        "the protocol has no passwords.",
        kind="listen",
    )
    http: tuple[str, ...] = option(
        ("127.0.0.1:7379",),
        "HTTP listener for the console, the JSON API and /metrics: [HOST:]PORT, tls:[HOST:]PORT, unix:PATH or off.",
        kind="listen",
    )
    data: Path = option(Path("spoold-data"), "Data directory; created if it does not exist.", kind="path", config="dir")
    memory: bool = option(False, "Keep nothing: the data dies with the process.", kind="flag")
    durability: str = option(
        "always",
        "What a reply promises: `always` survives the loss of power, `interval` a killed process "
        "(the loss of power takes at most --sync-interval).",
        kind="choice",
        choices=DURABILITIES,
    )
    sync_interval: float = option(1.0, "Seconds between syncs with --durability interval.", kind="seconds")
    journal_size: int = option(32 * 1024**2, "Size of each of the two journal segments.", kind="bytes")
    password: str = option(
        "", "Password that clients give with AUTH; none by default.", kind="text", config="requirepass", secret=True
    )
    acl_file: str = option(
        "",
        "File with users and their rules, one a line as ACL LIST shows them; read at start, written by ACL SAVE.",
        kind="text",
        config="aclfile",
    )
    tls_cert: str = option(
        "",
        "PEM file with the certificate of the listeners that speak TLS (tls:[HOST:]PORT), and those between it and its "
        "CA; it, the key and the client CA are read again at SIGHUP.",
        kind="text",
    )
    tls_key: str = option("", "PEM file with the certificate's private key; default: --tls-cert has it.", kind="text")
    tls_key_password: str = option("", "What an encrypted --tls-key is opened with.", kind="text", secret=True)
    tls_client_ca: str = option(
        "",
        "PEM file with CAs: TLS clients must show a certificate from one of them. Without it they need none.",
        kind="text",
    )
    unix_mode: str = option(
        "0600", "Permissions of unix sockets, octal: who may write to one may connect.", kind="mode"
    )
    insecure_memcached: bool = option(
        False, "Let --memcached be reached from other machines by anyone, without a password.", kind="flag"
    )
    insecure_memcached_queue: bool = option(
        False, "Let --memcached-queue be reached from other machines by anyone, without a password.", kind="flag"
    )
    insecure_simple: bool = option(
        False, "Let --simple be reached from other machines by anyone, without a password.", kind="flag"
    )
    max_data: int = option(
        0,
        "Bytes that the data may take, on disk and before it gets there; what would add to more is refused, nothing is "
        "evicted. 0 = no limit.",
        kind="bytes",
        config="maxmemory",
    )
    max_clients: int = option(10_000, "Most clients at a time, over all listeners.", kind="int", config="maxclients")
    listener_clients: tuple[str, ...] = option(
        (),
        "Most clients of one protocol's listeners, so that it leaves room for others: redis=N, memcached=N, "
        "memcached-queue=N or simple=N. May be given several times.",
        kind="shares",
    )
    idle_timeout: float = option(
        0.0, "Disconnect clients that say nothing for so many seconds; 0 = never.", kind="seconds", config="timeout"
    )
    max_value: int = option(
        64 * 1024**2, "Longest single value or name of a request.", kind="bytes", config="proto-max-bulk-len"
    )
    max_request: int = option(
        128 * 1024**2, "Most bytes of one request.", kind="bytes", config="client-query-buffer-limit"
    )
    max_args: int = option(1_048_576, "Most arguments of one request.", kind="int")
    max_output: int = option(
        64 * 1024**2,
        "Bytes that may wait for a client that does not take them; beyond it is disconnected.",
        kind="bytes",
    )
    log_file: str = option("", "Write the log to this file; standard error by default.", kind="text", config="logfile")
    log_level: str = option(
        "info", "Least serious messages that are logged.", kind="choice", config="loglevel", choices=LOG_LEVELS
    )
    log_format: str = option(
        "text", "How lines of the log look: for people, or as JSON objects.", kind="choice", choices=LOG_FORMATS
    )


FIELDS: Final = {item.name: item for item in dataclasses.fields(Settings)}
_TYPES: Final = typing.get_type_hints(Settings)


def default_of(name: str) -> Any:
    """The default of a field."""
    item = FIELDS[name]
    return item.default if item.default_factory is dataclasses.MISSING else item.default_factory()


def flag_name(name: str) -> str:
    """`max_clients` → `--max-clients`."""
    return "--" + name.replace("_", "-")


def environment_name(name: str) -> str:
    """`max_clients` → `SPOOLD_MAX_CLIENTS`."""
    return "SPOOLD_" + name.upper()


def load(command_line: Mapping[str, Any], environment: Mapping[str, str], config_file: Path | None) -> Settings:
    """Put the settings together.

    command_line: field → value as given, None or () where it was not given.
    raises: SettingsError: naming where the value came from and what is wrong with it.
    """
    values: dict[str, Any] = {}
    if config_file is not None:
        values.update(_from_file(config_file))
    for name in FIELDS:
        text = environment.get(environment_name(name))
        if text is not None:
            values[name] = parse(name, text, environment_name(name))
    for name, given in command_line.items():
        if given is None or given == ():
            continue
        values[name] = tuple(given) if isinstance(given, tuple) else parse(name, str(given), flag_name(name))
    return Settings(**values)


def parse(name: str, text: str, source: str) -> Any:
    """The value of option `name` that `text` stands for.

    source: where the text came from, for the error.
    raises: SettingsError.
    """
    meta = FIELDS[name].metadata
    kind = meta["kind"]
    try:
        if kind in ("listen", "shares"):
            return tuple(part.strip() for part in text.split(",") if part.strip())
        if kind == "path":
            return Path(text).expanduser()
        if kind == "flag":
            return _flag(text)
        if kind == "int":
            return _positive(int(text))
        if kind == "seconds":
            return _positive(float(text))
        if kind == "bytes":
            return parse_bytes(text)
        if kind == "mode":
            return _mode(text)
    except ValueError as error:
        raise SettingsError(f"{source}: {text!r} is no valid value ({error})") from error
    if kind == "choice" and text not in meta["choices"]:
        raise SettingsError(f"{source}: {text!r} is not one of {', '.join(meta['choices'])}")
    return text


def parse_bytes(text: str) -> int:
    """A number of bytes with Redis's units: `1k` = 1000, `1kb` = 1024, … raises: ValueError."""
    match = re.fullmatch(r"(\d+)\s*([a-z]*)", text.strip().lower())
    if match is None or match[2] not in _UNITS:
        raise ValueError("expected a number of bytes such as 64mb")
    return int(match[1]) * _UNITS[match[2]]


def _flag(text: str) -> bool:
    word = text.strip().lower()
    if word in {"1", "true", "yes", "on"}:
        return True
    if word in {"0", "false", "no", "off", ""}:
        return False
    raise ValueError("expected yes or no")


def _mode(text: str) -> str:
    if re.fullmatch(r"0?[0-7]{3}", text.strip()) is None:
        raise ValueError("expected permissions such as 0660")
    return text.strip()


def _positive(number: Any) -> Any:
    if not 0 <= number < 2**53:
        raise ValueError("expected 0 or more")
    return number


def _from_file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            table = tomllib.load(file)
    except OSError as error:
        raise SettingsError(f"configuration file {path}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"configuration file {path}: {error}") from error
    values = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in FIELDS:
            raise SettingsError(f"configuration file {path}: there is no option {key!r}")
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        values[name] = parse(name, text, f"configuration file {path}, {key}")
    return values


def from_process(command_line: Mapping[str, Any], config_file: Path | None) -> Settings:
    """`load` with this process's environment; the file may also be named by SPOOLD_CONFIG."""
    named = os.environ.get("SPOOLD_CONFIG")
    if config_file is None and named:
        config_file = Path(named)
    return load(command_line, os.environ, config_file)
