"""The one form of every answer that is no prediction: a status and a sentence."""

from collections.abc import Mapping

from starlette.responses import JSONResponse

from modiste.errors import InputError, UnsupportedPicture


class HttpError(Exception):
    """A request that is not answered with a prediction.

    Args:
        status: of HTTP.
        message: one sentence for a person; holds nothing of the machine and nothing that the client sent.
        headers: more of them, such as Retry-After.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, dict(headers or {})


def response(error: HttpError, request_id: str) -> JSONResponse:
    """Tell a client; the id is what the owner of the service can find the request by."""
    return JSONResponse({"error": error.message, "request_id": request_id}, error.status, error.headers)


def by(error: InputError) -> HttpError:
    """Say over HTTP why a picture cannot be used."""
    return HttpError(415 if isinstance(error, UnsupportedPicture) else 422, str(error))
