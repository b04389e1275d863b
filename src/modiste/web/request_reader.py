"""What a client sends: pictures as a body or a form, bounded in size and time while they arrive.

Nothing is written to disk, and the names that a form gives its files are never used.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from modiste.web.http_error import HttpError

MIB = 2**20
MAX_BODY = 20 * MIB
"""A phone's photos have up to 12 MiB."""

MAX_FORM = 64 * MIB
MAX_FILES = 32
MAX_HELD = 256 * MIB
"""Of all requests together."""

SECONDS = 30.0
"""A body that takes longer is given up."""

ANYTHING = "application/octet-stream"
PICTURES = ("image/jpeg", "image/png", "image/webp", "image/heic", "image/heif", ANYTHING)
FORM = "multipart/form-data"


class RequestReader:
    """Reads the pictures of requests, and knows how many bytes of them are in memory."""

    def __init__(self) -> None:
        self.held = 0

    @asynccontextmanager
    async def pictures(self, request: Request) -> AsyncIterator[tuple[list[bytes], bool]]:
        """Read the pictures of a request and hold them until the block ends.

        Yields:
            One picture of a body or some of a form, and whether it was a form.

        Raises:
            HttpError: they are too large (413), too slow (408), of another type (415), no proper form (400), or there
                is no memory for them now (503).
        """
        is_form = _kind(request) == FORM
        arriving = _Arriving(self, request, MAX_FORM if is_form else MAX_BODY)
        try:
            yield await _read(request, arriving.parts()), is_form
        finally:
            self.held -= arriving.taken


class _Arriving:
    """The body of one request, given up as soon as it is too large."""

    def __init__(self, reader: RequestReader, request: Request, limit: int) -> None:
        self.reader, self.request, self.limit = reader, request, limit
        self.taken = 0

    async def parts(self) -> AsyncGenerator[bytes, None]:
        self._allow(int(self.request.headers.get("content-length", "0")))
        async for part in self.request.stream():
            self._allow(self.taken + len(part))
            self.taken += len(part)
            self.reader.held += len(part)
            yield part

    def _allow(self, size: int) -> None:
        if size > self.limit:
            raise HttpError(413, f"The body is larger than {self.limit // MIB} MiB. Make the picture smaller.")
        if self.reader.held + size - self.taken > MAX_HELD:
            raise HttpError(503, "Too many pictures arrive at once. Try again in a second.", {"Retry-After": "1"})


def _kind(request: Request) -> str:
    kind = request.headers.get("content-type", ANYTHING).partition(";")[0].strip().lower()
    return "image/jpeg" if kind == "image/jpg" else kind


async def _read(request: Request, parts: AsyncGenerator[bytes, None]) -> list[bytes]:
    kind = _kind(request)
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HttpError(415, "The body is compressed. Send the picture as it is.")
    if kind not in (*PICTURES, FORM):
        known = f"{', '.join(PICTURES[:3])}, or {FORM} for several"
        raise HttpError(415, f"The Content-Type of the request names no picture that is read. Say {known}.")
    try:
        async with asyncio.timeout(SECONDS):
            return await _form(request, parts) if kind == FORM else [b"".join([part async for part in parts])]
    except TimeoutError:
        raise HttpError(408, f"The body took longer than {SECONDS:.0f} seconds. Send it faster.") from None
    except ClientDisconnect:
        raise HttpError(400, "The client went away.") from None


async def _form(request: Request, parts: AsyncGenerator[bytes, None]) -> list[bytes]:
    parser = _InMemory(request.headers, parts, max_files=MAX_FILES, max_fields=4)
    try:
        form = await parser.parse()
    except (MultiPartException, ValueError):
        raise HttpError(400, f"The form cannot be read. Send up to {MAX_FILES} files as {FORM}.") from None
    if not parser.is_whole:
        raise HttpError(400, "The form ends before its last boundary. Send it again.")
    files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
    if not files:
        raise HttpError(400, "The form has no file. Add a picture to it.")
    found = [await file.read() for file in files]
    await form.close()
    return found


class _InMemory(MultiPartParser):
    """Keeps every part in memory, whose size is bounded as a whole."""

    spool_max_size = MAX_FORM + 1
    is_whole = False

    def on_end(self) -> None:
        self.is_whole = True
