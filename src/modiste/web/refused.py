"""The one form of every answer that is no prediction: a status and a sentence."""

from collections.abc import Mapping

from starlette.responses import JSONResponse

from modiste.errors import InputError, UnsupportedPicture


class Refused(Exception):
    """A request that is not answered with a prediction.

    Args:
        status: of HTTP.
        message: one sentence for a person; holds nothing of the machine and nothing that the client sent.
        headers: more of them, such as Retry-After.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, dict(headers or {})


def response(refusal: Refused, request_id: str) -> JSONResponse:
    """Tell a client; the id is what the owner of the service can find the request by."""
    return JSONResponse({"error": refusal.message, "request_id": request_id}, refusal.status, refusal.headers)


def by(error: InputError) -> Refused:
    """Say over HTTP why a picture cannot be used."""
    return Refused(415 if isinstance(error, UnsupportedPicture) else 422, str(error))
