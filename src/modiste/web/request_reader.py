"""Read the photos of a request from its body or form, with limits on size and time.

Nothing is written to disk, and the file names in a form are not used.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from modiste.web.http_error import HttpError

MIB = 2**20
MAX_BODY = 20 * MIB
"""Bytes of a photo; those of a phone have up to 12 MiB."""

MAX_FORM = 64 * MIB
MAX_FILES = 32
MAX_TOTAL = 256 * MIB
"""Bytes in memory over all requests."""

BODY_TIMEOUT = 30.0
"""Seconds in which a body must arrive."""

OCTET_STREAM = "application/octet-stream"
PHOTO_TYPES = ("image/jpeg", "image/png", "image/webp", "image/heic", "image/heif", OCTET_STREAM)
FORM_TYPE = "multipart/form-data"


class Upload(NamedTuple):
    """The encoded photos of a request: one of a body, or several of a form."""

    photos: list[bytes]
    is_form: bool


class RequestReader:
    """Reads the photos of requests and counts the bytes in memory over all of them."""

    def __init__(self) -> None:
        self.total_bytes = 0

    @asynccontextmanager
    async def hold_upload(self, request: Request) -> AsyncIterator[Upload]:
        """Read the photos of a request; their bytes count against the total until the block ends.

        Raises:
            HttpError: the body is too large (413), too slow (408), of an unsupported type (415) or not a valid form
                (400), or the bytes of all requests exceed the limit (503).
        """
        is_form = _content_type(request) == FORM_TYPE
        body = _BodyStream(self, request, MAX_FORM if is_form else MAX_BODY)
        try:
            yield Upload(await _read_photos(request, body.chunks()), is_form)
        finally:
            self.total_bytes -= body.bytes_read


class _BodyStream:
    """The body of one request; reading stops with an error as soon as it exceeds the limit, in bytes."""

    def __init__(self, reader: RequestReader, request: Request, limit: int) -> None:
        self.reader, self.request, self.limit = reader, request, limit
        self.bytes_read = 0

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        self._check_size(int(self.request.headers.get("content-length", "0")))
        async for chunk in self.request.stream():
            self._check_size(self.bytes_read + len(chunk))
            self.bytes_read += len(chunk)
            self.reader.total_bytes += len(chunk)
            yield chunk

    def _check_size(self, size: int) -> None:
        """Raise an HttpError when a body of this size, in bytes, exceeds its limit or that of all requests."""
        if size > self.limit:
            raise HttpError(413, f"The body is larger than {self.limit // MIB} MiB. Send a smaller photo.")
        if self.reader.total_bytes + size - self.bytes_read > MAX_TOTAL:
            raise HttpError(503, "The service receives too many photos. Retry in a second.", {"Retry-After": "1"})


def _content_type(request: Request) -> str:
    media_type = request.headers.get("content-type", OCTET_STREAM).partition(";")[0].strip().lower()
    return "image/jpeg" if media_type == "image/jpg" else media_type


async def _read_photos(request: Request, chunks: AsyncGenerator[bytes, None]) -> list[bytes]:
    media_type = _content_type(request)
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HttpError(415, "The body is compressed. Send the photo without Content-Encoding.")
    if media_type not in (*PHOTO_TYPES, FORM_TYPE):
        supported = f"{', '.join(PHOTO_TYPES[:3])}, or {FORM_TYPE} for several photos"
        raise HttpError(415, f"The Content-Type of the request is not supported. Use {supported}.")
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            if media_type == FORM_TYPE:
                return await _read_form(request, chunks)
            return [b"".join([chunk async for chunk in chunks])]
    except TimeoutError:
        raise HttpError(408, f"The body took longer than {BODY_TIMEOUT:.0f} seconds. Send it faster.") from None
    except ClientDisconnect:
        raise HttpError(400, "The client disconnected.") from None


async def _read_form(request: Request, chunks: AsyncGenerator[bytes, None]) -> list[bytes]:
    parser = _InMemoryParser(request.headers, chunks, max_files=MAX_FILES, max_fields=4)
    try:
        form = await parser.parse()
    except (MultiPartException, ValueError):
        raise HttpError(400, f"The form cannot be parsed. Send up to {MAX_FILES} files as {FORM_TYPE}.") from None
    if not parser.is_complete:
        raise HttpError(400, "The form ends before its last boundary. Send it again.")
    files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
    if not files:
        raise HttpError(400, "The form has no file. Add a photo to it.")
    photos = [await file.read() for file in files]
    await form.close()
    return photos


class _InMemoryParser(MultiPartParser):
    """Parses a form without temporary files; `_BodyStream` limits its size."""

    spool_max_size = MAX_FORM + 1
    is_complete = False

    def on_end(self) -> None:
        self.is_complete = True
