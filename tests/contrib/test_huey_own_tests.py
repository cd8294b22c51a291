"""Huey's own tests, those of its storages and those of its interface, run against ours."""

from __future__ import annotations

import inspect
import tempfile
import unittest
from typing import Any

import pytest
from huey.tests import test_api
from huey.tests.base import BaseTestCase
from huey.tests.test_storage import StorageTests
from tests.contrib.conftest import Place

from spoold.contrib.huey import SimpleHuey, SpooldHuey

KINDS = ("server", "embedded", "simple")
# Tests that look into attributes of the storage in memory.
LEFT_OUT = {"test_chord_bookkeeping_cleared"}


class _Ours:
    """Puts a storage of ours under a test case of Huey's; `place` comes from the fixture."""

    kind: str
    place: Place
    supports_ttl = True

    def get_huey(self) -> Any:
        """In place of Huey's storage in memory; named after the test, so that they do not meet."""
        name = type(self).__name__
        options = {"utc": False, "read_timeout": 0.01}
        if self.kind == "embedded":
            return SpooldHuey(name, path=self.directory, **options)
        if self.kind == "simple":
            return SimpleHuey(name, port=self.place.simple_port, **options)
        return SpooldHuey(name, port=self.place.server.port, **options)

    @classmethod
    def setUpClass(cls) -> None:
        """A directory for all tests of a class."""
        cls.scratch = tempfile.TemporaryDirectory()
        cls.directory = cls.scratch.name

    def setUp(self) -> None:
        """Begin empty, as a storage in memory does."""
        super().setUp()  # type: ignore[misc]
        self.huey: Any
        self.huey.flush()

    def tearDown(self) -> None:
        """Leave nothing behind."""
        super().tearDown()  # type: ignore[misc]
        self.huey.flush()
        self.huey.storage.close()

    @classmethod
    def tearDownClass(cls) -> None:
        """Its directory goes."""
        cls.scratch.cleanup()


def cases() -> list[tuple[str, type[unittest.TestCase]]]:
    """Every class of tests that takes the storage that it is given."""
    found = [("StorageTests", (StorageTests, BaseTestCase))]
    for name, case in inspect.getmembers(test_api, inspect.isclass):
        if issubclass(case, BaseTestCase) and case is not BaseTestCase and "get_huey" not in vars(case):
            found.append((name, (case,)))
    made = []
    for kind in KINDS:
        for name, parts in found:
            made.append(
                (
                    f"{name}-{kind}",
                    type(f"{name}On{kind.title()}", (_Ours, *parts), {"kind": kind, "supports_ttl": kind != "simple"}),
                )
            )
    return made


CASES = cases()


def test_there_are_many() -> None:
    assert len(CASES) > 3 * 8


@pytest.mark.parametrize("case", [case for _, case in CASES], ids=[name for name, _ in CASES])
def test_hueys_own_tests_pass(case: Any, place: Place) -> None:
    case.place = place
    names = unittest.defaultTestLoader.getTestCaseNames(case)
    suite = unittest.TestSuite(case(name) for name in names if name not in LEFT_OUT)
    count = suite.countTestCases()
    assert count
    result = unittest.TestResult()
    suite.run(result)
    assert [f"{test}\n{text}" for test, text in (*result.failures, *result.errors)] == []
    assert result.testsRun == count
