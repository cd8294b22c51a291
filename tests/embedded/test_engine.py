"""spoold in a thread of someone else's process: shared by threads, durable, refused where it can't work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spoold.embedded.engine import Embedded, EmbeddedError, Refused, Stopped, share
from spoold.testing.process import ServerProcess

WAIT_S = 30


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Embedded]:
    """An embedded spoold in a fresh directory."""
    made = share(tmp_path / "data")
    yield made
    made.close()


def python(code: str, *arguments: object, wait: bool = True) -> subprocess.Popen[str]:
    """Run Python code in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if wait:
        try:
            process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(f"it did not end, but said {process.communicate()}") from None
    return process


def output(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What it printed; its pipes are closed."""
    return process.communicate(timeout=WAIT_S)


# -- calls ------------------------------------------------------------------------------------------------------------


def test_replies_are_values(store: Embedded) -> None:
    assert store.call("RPUSH", "list", "text", b"bytes", 7, 1.5) == 4
    assert store.call("LRANGE", "list", 0, -1) == [b"text", b"bytes", b"7", b"1.5"]
    assert store.call("GET", "none") is None
    assert store.call("SET", "k", bytearray(b"v")) == b"OK"
    assert store.run([("GET", "k"), ("TYPE", "list"), ("LLEN", "none")]) == [b"v", b"list", 0]
    assert store.run([("MULTI",), ("INCR", "n"), ("LPOP", "list"), ("EXEC",)])[-1] == [1, b"text"]


def test_an_error_is_raised_when_all_is_done(store: Embedded) -> None:
    with pytest.raises(Refused, match=r"^ERR wrong number of arguments for 'lpush' command$"):
        store.run([("SET", "a", 1), ("LPUSH", "a"), ("SET", "b", 2)])
    assert store.call("MGET", "a", "b") == [b"1", b"2"]
    with pytest.raises(Refused, match=r"^ERR unknown command"):
        store.call("NONE")


@pytest.mark.parametrize("word", [None, True, [b"x"], object()])
def test_a_word_that_is_no_word_is_refused_before_anything_runs(store: Embedded, word: Any) -> None:
    with pytest.raises(TypeError):
        store.run([("SET", "k", "v"), ("SET", "k", word)])
    assert store.call("EXISTS", "k") == 0


def test_large_values_and_many_replies(store: Embedded) -> None:
    value = b"x" * 3_000_000
    replies = store.run([("SET", "k", value), *[("GET", "k")] * 5, *[("INCR", "n")] * 20_000])
    assert replies[1:6] == [value] * 5
    assert replies[6:] == list(range(1, 20_001))


def test_threads_share_it(store: Embedded) -> None:
    def work(number: int) -> None:
        for _ in range(100):
            store.call("INCR", "n")
            store.call("RPUSH", f"list{number}", "x")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert store.call("GET", "n") == b"800"
    assert [store.call("LLEN", f"list{number}") for number in range(8)] == [100] * 8


def test_who_waits_is_woken_in_the_order_of_arrival(store: Embedded) -> None:
    got: dict[int, Any] = {}
    threads = []
    for number in range(3):
        thread = threading.Thread(target=lambda n: got.update({n: store.call("BLPOP", "q", 0)}), args=(number,))
        thread.start()
        thread.join(0.1)
        threads.append(thread)
    store.call("RPUSH", "q", "a", "b")
    for thread in threads[:2]:
        thread.join(WAIT_S)
    assert got == {0: [b"q", b"a"], 1: [b"q", b"b"]}
    store.call("RPUSH", "q", "c")
    threads[2].join(WAIT_S)
    assert got[2] == [b"q", b"c"]
    begun = time.monotonic()
    assert store.call("BLPOP", "q", 0.1) is None
    assert 0.05 < time.monotonic() - begun < 5


def test_keys_expire(store: Embedded) -> None:
    store.call("SET", "k", "v", "PX", 20)
    deadline_s = time.monotonic() + WAIT_S
    while store.call("DBSIZE"):
        assert time.monotonic() < deadline_s


# -- its life ---------------------------------------------------------------------------------------------------------


def test_what_was_written_is_there_after_it_was_closed(store: Embedded) -> None:
    store.call("RPUSH", "q", "x")
    store.close()
    store.close()
    assert store.call("LLEN", "q") == 1


def test_who_waits_while_it_is_closed_is_answered_as_at_the_deadline(store: Embedded) -> None:
    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.append(store.call("BLPOP", "q", 0)))
    thread.start()
    thread.join(0.2)
    store.close()
    thread.join(WAIT_S)
    assert got == [None]


def test_it_may_be_closed_while_others_call(store: Embedded) -> None:
    done = threading.Event()
    counts: list[int] = []

    def work() -> None:
        count = 0
        while not done.is_set():
            try:
                store.call("INCR", "n")
                count += 1
            except Stopped:
                pass  # it may have been counted or not
        counts.append(count)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        threads[0].join(0.05)
        store.close()
    done.set()
    for thread in threads:
        thread.join(WAIT_S)
    assert sum(counts) <= int(store.call("GET", "n")) <= sum(counts) + 4 * 5


def test_a_server_and_an_embedded_one_take_turns_with_a_directory(tmp_path: Path) -> None:
    store = share(tmp_path / "data")
    store.call("RPUSH", "q", "embedded")
    store.close()
    with ServerProcess(tmp_path / "data") as server:
        with pytest.raises(EmbeddedError, match=rf"\(process {server.pid}\): an embedded spoold serves one process"):
            store.call("LLEN", "q")
        server.terminate()
    assert store.call("LRANGE", "q", 0, -1) == [b"embedded"]
    store.close()


def test_a_directory_in_use_is_refused(store: Embedded) -> None:
    store.call("SET", "k", "v")
    out, errors = output(python("import sys; from spoold.embedded.engine import share; share(sys.argv[1])", store.path))
    assert out == ""
    assert errors.strip().splitlines()[-1] == (
        f"spoold.embedded.engine.EmbeddedError: data directory {store.path} is in use by another spoold "
        f"(process {os.getpid()}): an embedded spoold serves one process; run a server in its place "
        f"(spoold serve --data {store.path}) and connect to that"
    )


def test_a_directory_that_can_not_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "data"):
        with pytest.raises(EmbeddedError, match=r"is not usable: .*: choose another path"):
            share(path)


def test_what_a_killed_process_had_acknowledged_is_there(tmp_path: Path) -> None:
    code = """
import sys
from spoold.embedded.engine import share
store = share(sys.argv[1])
while True:
    print(store.call("RPUSH", "q", "x"), flush=True)
"""
    process = python(code, tmp_path / "data", wait=False)
    assert process.stdout is not None
    for _ in range(200):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    # Not with `output`, which would miss what was read ahead.
    acknowledged = 200 + sum(line.endswith("\n") for line in process.stdout)
    output(process)
    store = share(tmp_path / "data")
    assert acknowledged <= store.call("LLEN", "q") <= acknowledged + 1
    store.close()


def test_a_process_that_ends_leaves_it_saved_and_silent(tmp_path: Path) -> None:
    code = """
import sys, threading
from spoold.embedded.engine import share
store = share(sys.argv[1])
threading.Thread(target=lambda: store.call("BLPOP", "none", 0), daemon=True).start()
store.call("RPUSH", "q", "x")
"""
    process = python(code, tmp_path / "data")
    assert output(process) == ("", "")
    assert process.returncode == 0
    store = share(tmp_path / "data")
    assert store.call("LLEN", "q") == 1
    store.close()


def test_a_fork_is_told_that_it_can_not_use_its_parents_engine(tmp_path: Path) -> None:
    code = """
import os, sys
from spoold.embedded.engine import EmbeddedError, share
store = share(sys.argv[1])
store.call("SET", "k", "v")
if os.fork() == 0:
    for attempt in (lambda: store.call("GET", "k"), lambda: share(sys.argv[1]).call("GET", "k")):
        try:
            attempt()
        except EmbeddedError as error:
            print(error, flush=True)
    store.close()
    os._exit(0)
os.wait()
print(store.call("GET", "k"))
"""
    out, errors = output(python(code, tmp_path / "data"))
    assert errors == ""
    *refusals, value = out.splitlines()
    assert len(refusals) == 2
    assert all("is a fork of process" in line and "run a server" in line for line in refusals)
    assert value == "b'v'"


def test_a_fork_does_not_keep_the_directory_of_a_parent_that_was_killed(tmp_path: Path) -> None:
    code = """
import os, sys
from spoold.embedded.engine import share
share(sys.argv[1]).call("SET", "k", "v")
if os.fork():
    os.kill(os.getpid(), 9)
print("waits", flush=True)
sys.stdin.read()
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "data"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "waits\n"
        parent.wait(WAIT_S)
        store = share(tmp_path / "data")
        assert store.call("GET", "k") == b"v"
        store.close()


def test_what_was_closed_before_a_fork_belongs_to_whoever_calls_first(tmp_path: Path) -> None:
    code = """
import os, sys
from spoold.embedded.engine import EmbeddedError, share
store = share(sys.argv[1])
store.call("RPUSH", "list", "parent")
store.close()
forked, closed = os.pipe(), os.pipe()
if os.fork() == 0:
    print(store.call("RPUSH", "list", "child"), flush=True)
    os.write(forked[1], b"x")
    os.read(closed[0], 1)
    store.close()
    os._exit(0)
os.read(forked[0], 1)
try:
    store.call("LLEN", "list")
except EmbeddedError as error:
    print(error)
os.write(closed[1], b"x")
os.wait()
print(store.call("RPUSH", "list", "parent"))
"""
    out, errors = output(python(code, tmp_path / "data"))
    assert errors == ""
    first, refusal, last = out.splitlines()
    assert (first, last) == ("2", "3")
    assert "in use by another spoold" in refusal


def test_gevent_in_the_place_of_threads_is_refused(tmp_path: Path) -> None:
    code = """
from gevent import monkey; monkey.patch_all()
import sys
from spoold.embedded.engine import share
share(sys.argv[1])
"""
    _, errors = output(python(code, tmp_path / "data"))
    assert "gevent has put greenlets in their place: run a server" in errors


def test_an_interrupted_call_leaves_the_others_alone(tmp_path: Path) -> None:
    code = """
import sys, threading, signal, os
from spoold.embedded.engine import share
store = share(sys.argv[1])
threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    store.call("BLPOP", "q", 0)
except KeyboardInterrupt:
    print("interrupted")
store.call("RPUSH", "q", "x")
print(store.call("LLEN", "q"))
"""
    assert output(python(code, tmp_path / "data")) == ("interrupted\n1\n", "")


def test_a_durability_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="always, interval"):
        share(tmp_path, "sometimes")
    store = share(tmp_path, "interval")
    assert store.call("SET", "k", "v") == b"OK"
    store.close()
