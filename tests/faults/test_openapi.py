"""Requests that Schemathesis makes from our own OpenAPI page: every answer is one that the page describes."""

import pytest

from helpers.service import Service

schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis")
hypothesis = pytest.importorskip("hypothesis")


@pytest.fixture(scope="session")
def schema(service: Service) -> object:
    """The page of the running service."""
    return schemathesis.openapi.from_url(f"{service.url}openapi.json")


loaded = schemathesis.pytest.from_fixture("schema")


@pytest.mark.slow
@loaded.parametrize()
@hypothesis.settings(max_examples=10, deadline=None, derandomize=True, database=None)
def test_fault_15_every_answer_is_as_described(case: object) -> None:
    """No 500, no other status, content type or form than the page says."""
    case.call_and_validate()  # type: ignore[attr-defined]
