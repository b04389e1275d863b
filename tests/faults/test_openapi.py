"""Requests that Schemathesis makes from our own OpenAPI page: every answer is one that the page describes."""

import pytest

from helpers.service import Service

schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis")
hypothesis = pytest.importorskip("hypothesis")

OPERATIONS = ["POST /predict", "GET /health/live", "GET /health/ready", "GET /metrics", "GET /about"]


@pytest.mark.slow
@pytest.mark.parametrize("name", OPERATIONS)
def test_fault_15_every_answer_is_as_described(service: Service, name: str) -> None:
    """No 500, no other status, content type or form than the page says."""
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    checks = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
    schema = schemathesis.openapi.from_url(f"{service.url}openapi.json")
    operations = {each.label: each for each in (result.ok() for result in schema.get_all_operations())}
    assert sorted(operations) == sorted(OPERATIONS)

    slow = [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.filter_too_much]

    @hypothesis.settings(max_examples=20, deadline=None, derandomize=True, database=None, suppress_health_check=slow)
    @hypothesis.given(case=operations[name].as_strategy())
    def check(case: schemathesis.Case) -> None:
        case.call_and_validate(checks=checks)

    check()
