"""Unix sockets: who may connect, and whose file it is."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import stat
from pathlib import Path

import pytest
import redis

from spoold.core.errors import SettingsError
from spoold.server.listener import Address, Listener, listen, parse_address
from spoold.testing.process import ServerProcess, StartFailed


def serving(path: Path, *options: str) -> ServerProcess:
    return ServerProcess(options=["--redis", f"unix:{path}", "--memory", *options])


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def opened(path: Path, **options: int) -> Listener:
    return await listen("redis", Address(path=str(path)), "--redis", asyncio.Protocol, **options)


def open_and_close(path: Path) -> None:
    async def main() -> None:
        (await opened(path)).close()

    asyncio.run(main())


def test_a_socket_is_its_owners_alone_unless_a_mode_is_given(tmp_path: Path) -> None:
    path = tmp_path / "spoold.sock"
    with serving(path):
        assert mode_of(path) == 0o600
    for given, mode in (("0660", 0o660), ("777", 0o777)):
        with serving(path, "--unix-mode", given):
            assert mode_of(path) == mode


def test_a_socket_has_its_mode_whatever_the_umask_is_and_the_umask_stays(tmp_path: Path) -> None:
    async def main(path: Path) -> None:
        listener = await opened(path, unix_mode=0o660)
        assert mode_of(path) == 0o660
        listener.close()

    before = os.umask(0o077)
    try:
        asyncio.run(main(tmp_path / "s"))
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(before)


def test_clients_work_over_it_and_it_is_gone_with_the_server(tmp_path: Path) -> None:
    path = tmp_path / "spoold.sock"
    with serving(path) as server:
        assert f"unix:{path}" in server.stdout_text()
        with redis.Redis(unix_socket_path=str(path)) as client:
            assert client.rpush("q", "a") == 1
            assert client.client_list()[0]["addr"] == f"{path}:0"
        assert server.terminate() == 0
        assert not path.exists()


def test_the_socket_of_a_killed_server_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "spoold.sock"
    with serving(path) as server:
        server.kill()
        assert path.exists()
        server.start()
        with redis.Redis(unix_socket_path=str(path)) as client:
            assert client.ping()


def test_the_socket_of_a_live_server_is_not(tmp_path: Path) -> None:
    path = tmp_path / "spoold.sock"
    with serving(path):
        inode = path.stat().st_ino
        with pytest.raises(StartFailed) as failure:
            serving(path).start()
        expected = f"spoold: the redis listener can't open unix:{path}: address already in use; choose another with"
        assert failure.value.stderr.strip() == f"{expected} --redis"
        assert path.stat().st_ino == inode
        with redis.Redis(unix_socket_path=str(path)) as client:
            assert client.ping()


def test_a_live_server_that_takes_no_clients_just_now_keeps_its_socket(tmp_path: Path) -> None:
    path = tmp_path / "s"
    waiting: list[socket.socket] = []
    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(str(path))
        busy.listen(0)
        while True:
            client = socket.socket(socket.AF_UNIX)
            client.setblocking(False)
            waiting.append(client)
            if client.connect_ex(str(path)) == errno.EAGAIN:
                break
        with pytest.raises(SettingsError, match="address already in use"):
            open_and_close(path)
        for client in waiting:
            client.close()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(SettingsError, match="a file that is no socket is there"):
        open_and_close(path)
    assert path.read_text() == "data"


def test_the_file_of_who_came_after_is_left_alone(tmp_path: Path) -> None:
    async def main() -> None:
        first = await opened(path)
        path.unlink()  # someone cleaned up
        second = await opened(path)
        first.close()
        assert path.exists()
        second.close()
        assert not path.exists()

    path = tmp_path / "s"
    asyncio.run(main())


def test_a_directory_that_is_not_there_and_a_path_that_is_too_long_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"can't open unix:.*no such file or directory; choose another"):
        open_and_close(tmp_path / "none" / "s")
    with pytest.raises(SettingsError, match=r"can't open unix:.*too long; choose another"):
        open_and_close(tmp_path / ("s" * 120))


def test_a_mode_that_is_none_is_refused(tmp_path: Path) -> None:
    for text in ("rw", "8", "0999", "01777"):
        with pytest.raises(StartFailed) as failure:
            serving(tmp_path / "s", "--unix-mode", text).start()
        assert failure.value.stderr.startswith(f"spoold: --unix-mode: '{text}' is no valid value (expected permissions")


def test_a_listener_that_fails_takes_those_before_it_along(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with pytest.raises(StartFailed):
        serving(path, "--redis", "unix:/no/such/directory/s").start()
    assert not path.exists()


def test_addresses_are_what_they_say() -> None:
    for text, address in (
        ("6379", Address("127.0.0.1", 6379)),
        ("tls:6379", Address("127.0.0.1", 6379, tls=True)),
        ("tls:[::1]:6379", Address("::1", 6379, tls=True)),
        ("10.1.2.3:1", Address("10.1.2.3", 1)),
        ("unix:/a b", Address(path="/a b")),
        ("off", None),
    ):
        assert parse_address(text, "--redis") == address
    for address in (Address("::1", 6379, tls=True), Address(path="/x"), Address("h", 1)):
        assert parse_address(str(address), "--redis") == address
    for text in ("", "x", "tls:", "tls:off", "unix:", "tls:unix:/x", "1:99999", "127.0.0.1:²", "h:-1"):
        with pytest.raises(SettingsError, match=r"--redis .*: expected "):
            parse_address(text, "--redis")


def test_a_server_that_is_asked_to_end_removes_its_socket_before_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with serving(path) as server:
        server._started_process().send_signal(signal.SIGINT)
        assert server.wait() == 0
        assert not path.exists()
