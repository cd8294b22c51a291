"""The API keeps what its own description promises: requests made up from it by schemathesis."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from tests.console.conftest import ACTION, Site

from spoold.console.api import ROOT, endpoints
from spoold.console.openapi import describe

CHECKS = (
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    unsupported_method,
)


SCHEMA = schemathesis.openapi.from_dict(describe(endpoints(), ROOT))
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]


def test_the_server_gives_the_description_that_is_tested(site: Site) -> None:
    assert site.get("/openapi.json") == SCHEMA.raw_schema
    assert len(OPERATIONS) == len(endpoints())


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_every_answer_is_as_described(site: Site, operation: Any) -> None:
    @settings(
        max_examples=15,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def ask(case: schemathesis.Case) -> None:
        case.headers = {**(case.headers or {}), **ACTION}
        case.call_and_validate(base_url=site.url, checks=CHECKS, timeout=20)

    ask()
    assert site.http.get("/readyz").status_code == 200
