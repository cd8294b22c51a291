"""Huey's own storages for Redis, unchanged, on a spoold server: Huey's tests of storages and of its interface."""

from __future__ import annotations

import inspect
import unittest
from typing import Any

import pytest
from huey import BlackHoleHuey, PriorityRedisExpireHuey, PriorityRedisHuey, RedisExpireHuey, RedisHuey
from huey.tests import test_api
from huey.tests.base import BaseTestCase
from huey.tests.test_storage import StorageTests
from tests.contrib.conftest import Place

KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "RedisHuey": (RedisHuey, {}),
    "RedisHuey, notify_result": (RedisHuey, {"notify_result": True}),
    "RedisHuey, RESP2": (RedisHuey, {"protocol": 2}),
    "RedisExpireHuey": (RedisExpireHuey, {"expire_time": 3600}),
    "PriorityRedisHuey": (PriorityRedisHuey, {}),
    "PriorityRedisHuey, not blocking": (PriorityRedisHuey, {"blocking": False}),
    "PriorityRedisExpireHuey": (PriorityRedisExpireHuey, {"expire_time": 3600, "notify_result": True}),
}


class _OnSpoold:
    """Puts a storage for Redis under a test case of Huey's."""

    kind: str
    place: Place

    @property
    def supports_ttl(self) -> bool:
        """Strings expire; fields of hashes do in later versions of Redis."""
        return "Expire" in self.kind

    @property
    def destructive_reads(self) -> bool:
        """Where results expire, reading leaves them."""
        return "Expire" not in self.kind

    def get_huey(self) -> Any:
        """In place of Huey's storage in memory."""
        make, options = KINDS[self.kind]
        options = {"read_timeout": 0.2, **options}
        return make(self.kind, utc=False, host="127.0.0.1", port=self.place.server.port, **options)

    def setUp(self) -> None:
        """Begin empty."""
        super().setUp()  # type: ignore[misc]
        self.huey: Any
        self.huey.flush()

    def tearDown(self) -> None:
        """Leave nothing behind."""
        super().tearDown()  # type: ignore[misc]
        self.huey.flush()
        self.huey.storage.pool.disconnect()


def run(case: type[unittest.TestCase], leave_out: frozenset[str] = frozenset()) -> None:
    """Run all tests of a class."""
    names = unittest.defaultTestLoader.getTestCaseNames(case)
    suite = unittest.TestSuite(case(name) for name in names if name not in leave_out)
    result = unittest.TestResult()
    count = suite.countTestCases()
    suite.run(result)
    assert [f"{test}\n{text}" for test, text in (*result.failures, *result.errors)] == []
    assert result.testsRun == count > 0


@pytest.mark.parametrize("kind", KINDS)
def test_the_tests_of_storages_pass(kind: str, place: Place) -> None:
    run(type("Storage", (_OnSpoold, StorageTests, BaseTestCase), {"kind": kind, "place": place}))


def test_the_tests_of_the_interface_pass(place: Place) -> None:
    leave_out = frozenset({"test_chord_bookkeeping_cleared"})  # it looks into the storage in memory
    for name, case in inspect.getmembers(test_api, inspect.isclass):
        if issubclass(case, BaseTestCase) and case is not BaseTestCase and "get_huey" not in vars(case):
            run(type(name, (_OnSpoold, case), {"kind": "PriorityRedisHuey", "place": place}), leave_out)


def test_a_black_hole_needs_no_server() -> None:
    huey = BlackHoleHuey()

    @huey.task()
    def nothing() -> None:
        raise AssertionError

    nothing()
    assert len(huey) == 0
