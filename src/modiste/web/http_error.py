"""Error responses: an HTTP status, one sentence and the id of the request."""

import random
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from pydantic import ValidationError
from starlette.responses import JSONResponse

from modiste.web.schemas import JsonPhoto, PredictionOptions


class HttpError(Exception):
    """An error that the client receives as JSON.

    Args:
        status: HTTP status code.
        message: one sentence for a person, without details of the server or text that the client sent.
        headers: additional response headers, such as Retry-After.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, dict(headers or {})


RETRY_AFTER = {"Retry-After": "1"}
"""Header of each response that rejects a request because the service is busy or stops; in seconds."""

stopping = partial(HttpError, 503, "The service is stopping. Use another one.", RETRY_AFTER)
"""Create the error; one that is raised twice would keep the frames of the first time, and so the request, in memory."""


def new_request_id() -> str:
    """Return a random id, without asking the system, for which a thread waits its turn under load: no secret."""
    return f"{random.getrandbits(64):016x}"


def error_response(error: HttpError, request_id: str) -> JSONResponse:
    """Return the response for an error; the operator finds the request in the log by its id."""
    return JSONResponse({"error": error.message, "request_id": request_id}, error.status, error.headers)


def list_errors(error: ValidationError) -> list[Any]:
    """Return pydantic's errors without what the client sent, of which each would have a copy."""
    return error.errors(include_url=False, include_context=False, include_input=False)


def from_validation_errors(errors: Iterable[Mapping[str, Any]]) -> HttpError:
    """Convert pydantic's errors on options to status 400: with the rules of the schema, but nothing that was sent."""
    rules = {name: field.description for name, field in JsonPhoto.model_fields.items()}
    names = {str(error["loc"][-1]) for error in errors if error["type"] != "extra_forbidden"}
    if not names:
        return HttpError(
            400, f"An option is unknown. The options are {', '.join(PredictionOptions.model_fields)}. See /docs."
        )
    invalid = "; ".join(f"{name} must be {rules[name]}" for name in sorted(names))
    return HttpError(400, f"An option is invalid: {invalid}. See /docs.")
