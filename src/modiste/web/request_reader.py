"""Read the photos of a request from its body, form or JSON, with limits on size and time.

Nothing is written to disk. File names are repeated in the response and used for nothing else.
"""

import asyncio
import base64
import binascii
import re
import string
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, NamedTuple

from pydantic import ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from modiste.web.http_error import RETRY_AFTER, HttpError, from_validation_errors, list_errors
from modiste.web.schemas import JsonPhoto, PredictionOptions

MIB = 2**20
MAX_BODY = 20 * MIB
"""Bytes of a photo, in a form and in JSON as well; those of a phone have up to 12 MiB."""

MAX_JSON = MAX_BODY * 4 // 3 + MIB
"""Bytes of a photo of `MAX_BODY` in base64, with line breaks."""

MAX_REST = 2**16
"""Bytes of JSON without its image."""

IMAGE_KEY = re.compile(rb'"image"\s*:\s*"')

ESCAPES = {
    rb"\/": b"/",
    **dict.fromkeys((rb"\n", rb"\r", rb"\t"), b""),
    **{rb"\u%04x" % code: bytes([code]) for code in b"+/="},
    **{rb"\u%04X" % code: bytes([code]) for code in b"+/="},
}
"""What encoders of JSON write for characters of base64 and line breaks."""

MAX_FORM = 64 * MIB
MAX_FILES = 32
MAX_FIELDS = 8
MAX_TOTAL = 128 * MIB
"""Bytes in memory over all requests."""

BODY_TIMEOUT = 30.0
"""Seconds in which a body must arrive."""

OCTET_STREAM = "application/octet-stream"
HEIC_TYPES = ("image/heic", "image/heif")
PHOTO_TYPES = ("image/jpeg", "image/png", "image/webp", *HEIC_TYPES, OCTET_STREAM)
FORM_TYPE = "multipart/form-data"
JSON_TYPE = "application/json"
LIMITS = {FORM_TYPE: MAX_FORM, JSON_TYPE: MAX_JSON}
"""Bytes of a body that is not a photo."""

MAX_NAME = 255
"""Characters of a file name."""

json_needed = partial(
    HttpError, 400, 'The body is not a photo as JSON. Send {"image": "..."} with base64 or a data URL.'
)
"""Create the error."""


class Upload(NamedTuple):
    """The encoded photos of a request: one of a body or of JSON, or several of a form.

    Args:
        photos: the content of each file.
        file_names: their names, without folders; empty where the client sent none.
        options: the values of `PredictionOptions` in the form or JSON, as they were sent.
        is_form: whether the response is a list.
    """

    photos: list[bytes]
    file_names: list[str]
    options: dict[str, Any]
    is_form: bool


class RequestReader:
    """Reads the photos of requests and counts the bytes in memory over all of them."""

    def __init__(self) -> None:
        self.total_bytes = 0
        self.parsing = asyncio.Lock()
        """One long JSON at a time: parsing takes some times the memory of the body."""

    @asynccontextmanager
    async def hold_upload(self, request: Request) -> AsyncIterator[Upload]:
        """Read the photos of a request; their bytes count against the total until the block ends.

        Raises:
            HttpError: the body is too large (413), too slow (408), of an unsupported type (415) or not a valid form
                or JSON (400), or the bytes of all requests exceed the limit (503).
        """
        body = _BodyStream(self, request, LIMITS.get(_content_type(request), MAX_BODY))
        body.check_size(int(request.headers.get("content-length", "0")))
        try:
            yield await _read_upload(request, body.chunks(), self.parsing)
        finally:
            self.total_bytes -= body.bytes_read


class _BodyStream:
    """The body of one request; reading stops with an error as soon as it exceeds the limit, in bytes."""

    def __init__(self, reader: RequestReader, request: Request, limit: int) -> None:
        self.reader, self.request, self.limit = reader, request, limit
        self.bytes_read = 0

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        async for chunk in self.request.stream():
            self.check_size(self.bytes_read + len(chunk))
            self.bytes_read += len(chunk)
            self.reader.total_bytes += len(chunk)
            yield chunk

    def check_size(self, size: int) -> None:
        """Raise an HttpError when a body of this size, in bytes, exceeds its limit or that of all requests."""
        if size > self.limit:
            advice = "Send smaller photos, or fewer" if self.limit == MAX_FORM else "Send a smaller photo"
            raise HttpError(413, f"The body is larger than {self.limit // MIB} MiB. {advice}.")
        if self.reader.total_bytes + size - self.bytes_read > MAX_TOTAL:
            raise HttpError(503, "The service receives too many photos. Retry in a second.", RETRY_AFTER)


def _content_type(request: Request) -> str:
    media_type = request.headers.get("content-type", OCTET_STREAM).partition(";")[0].strip().lower()
    return "image/jpeg" if media_type == "image/jpg" else media_type


async def _read_upload(request: Request, chunks: AsyncGenerator[bytes, None], parsing: asyncio.Lock) -> Upload:
    media_type = _content_type(request)
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HttpError(415, "The body is compressed. Send the photo without Content-Encoding.")
    if media_type not in (*PHOTO_TYPES, FORM_TYPE, JSON_TYPE):
        supported = f"{', '.join(PHOTO_TYPES)}, {JSON_TYPE}, or {FORM_TYPE} for several photos"
        raise HttpError(415, f"The Content-Type of the request is not supported. Use {supported}.")
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            if media_type == FORM_TYPE:
                return await _read_form(request, chunks)
            content = b"".join([chunk async for chunk in chunks])
    except TimeoutError:
        raise HttpError(408, f"The body took longer than {BODY_TIMEOUT:.0f} seconds. Send it faster.") from None
    except ClientDisconnect:
        raise HttpError(400, "The client disconnected.") from None
    if media_type != JSON_TYPE:
        return Upload([content], [""], {}, is_form=False)
    if len(content) <= MAX_REST:
        return _parse_json(content)
    async with parsing:
        return await asyncio.to_thread(_parse_json, content)


async def _read_form(request: Request, chunks: AsyncGenerator[bytes, None]) -> Upload:
    parser = _InMemoryParser(request.headers, chunks, max_files=MAX_FILES, max_fields=MAX_FIELDS)
    try:
        form = await parser.parse()
    except (MultiPartException, ValueError) as error:
        is_full = str(getattr(error, "message", "")).startswith("Too many")
        reason = "has too many files or fields" if is_full else "cannot be parsed"
        raise HttpError(400, f"The form {reason}. Send up to {MAX_FILES} files as {FORM_TYPE}.") from None
    if not parser.is_complete:
        raise HttpError(400, "The form ends before its last boundary. Send it again.")
    files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
    if not files:
        raise HttpError(400, "The form has no file. Add a photo to it.")
    photos = []
    for file in files:
        photos.append(await file.read())
        await file.close()  # frees its copy
    options = {name: value for name, value in form.multi_items() if isinstance(value, str)}
    return Upload(photos, [_file_name(file.filename or "") for file in files], options, is_form=True)


def _parse_json(content: bytes) -> Upload:
    rest, image = _cut_image(content)
    if len(rest) > MAX_REST:
        raise json_needed()
    try:
        body = JsonPhoto.model_validate_json(rest)
    except ValidationError as error:
        raise _from_json_errors(error) from None
    if image and body.image:
        raise json_needed()  # the long one is not that of the outer object
    photo = _decode_base64(image or body.image.encode())
    options = body.model_dump(include=set(PredictionOptions.model_fields), exclude_unset=True)
    return Upload([photo], [_file_name(body.file)], options, is_form=False)


def _cut_image(content: bytes) -> tuple[bytes, bytes]:
    """Return JSON with an empty image, and the image in base64; of short JSON the whole, and nothing.

    A parser takes seconds for 28 MiB of small values, in which no other request is answered; the text of the image is
    all that may be long, and base64 needs none.
    """
    start = IMAGE_KEY.search(content) if len(content) > MAX_REST else None
    end = content.find(b'"', start.end()) if start else -1
    if start is None or end < 0:
        return content, b""
    image = content[start.end() : end]
    for escape, character in ESCAPES.items() if b"\\" in image else ():
        image = image.replace(escape, character)
    return content[: start.end()] + content[end:], image


def _from_json_errors(error: ValidationError) -> HttpError:
    errors = list_errors(error)
    has_photo = all(each["loc"] and each["loc"] != ("image",) for each in errors)
    return from_validation_errors(errors) if has_photo else json_needed()


def _decode_base64(text: bytes) -> bytes:
    """Decode base64, of both alphabets and with line breaks, or a data URL with base64."""
    if text.startswith(b"data:"):
        text = text.partition(b";base64,")[2] or b"not base64"
    try:
        encoded = text.translate(None, string.whitespace.encode())
        return base64.b64decode(encoded + b"=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise json_needed() from None


def _file_name(path: str) -> str:
    """Return the last part of the path that a client names, without characters that cannot be printed."""
    name = path[max(path.rfind("/"), path.rfind("\\")) + 1 :][: 4 * MAX_NAME]
    return "".join(filter(str.isprintable, name))[:MAX_NAME]


class _InMemoryParser(MultiPartParser):
    """Parses a form without temporary files; `_BodyStream` limits its size."""

    spool_max_size = MAX_FORM + 1
    is_complete = False

    def on_end(self) -> None:
        self.is_complete = True
