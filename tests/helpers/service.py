"""`modiste serve` as a process, and a client that sends requests or raw bytes to it."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import modiste
from helpers.command import environment

SAMPLES = Path(modiste.__file__).parent / "assets" / "samples"
BOOT = (SAMPLES / "ankle-boot.png").read_bytes()


@dataclass(frozen=True)
class Service:
    """A running server.

    Args:
        process: runs `modiste serve`.
        url: address of its page.
    """

    process: subprocess.Popen[str]
    url: str

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.url)
        return str(parts.hostname), int(parts.port or 0)

    def ask(
        self, method: str, path: str, body: Any = None, kind: str = "image/png", **headers: str
    ) -> tuple[int, Any, dict[str, str]]:
        """Send a request on a new connection; return status, JSON (or bytes) and headers."""
        connection = HTTPConnection(*self.address, timeout=60)
        sent = {**({"Content-Type": kind} if body is not None else {}), **headers}
        try:
            chunked = body is not None and not isinstance(body, bytes)
            connection.request(method, path, body, sent, encode_chunked=chunked)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        is_json = response.headers.get_content_type() == "application/json"
        return response.status, json.loads(content) if is_json and content else content, dict(response.headers.items())

    def send(self, content: bytes) -> bytes:
        """Send raw bytes and return everything that the server sends until it closes the connection."""
        with socket.create_connection(self.address, timeout=60) as connection:
            connection.sendall(content)
            return b"".join(iter(lambda: connection.recv(65536), b""))


def post_head(length: int) -> bytes:
    """The head of a request for the prediction of a photo of this many bytes."""
    return (
        f"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def parse(response: bytes) -> tuple[int, dict[str, str], bytes]:
    """Return the status, headers and body of a raw response."""
    head, _, body = response.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return int(first.split()[1]), headers, body


@contextmanager
def serving(*arguments: str, setup: str = "", stderr: bool = False, **variables: str) -> Iterator[Service]:
    """Start the server on a free port, wait until it listens, and kill it at the end if it still runs.

    Args:
        arguments: more command-line arguments.
        setup: Python code that the process runs first, such as lowering a limit.
        stderr: keep what the process writes to standard error in a pipe.
        variables: environment variables.
    """
    code = f"{setup}; from modiste.cli.main import main; main()" if setup else ""
    program = ["-c", code] if setup else ["-m", "modiste"]
    command = [sys.executable, *program, "serve", "--port=0", *arguments]
    errors = subprocess.PIPE if stderr else None
    with subprocess.Popen(
        command, env=environment(**variables), stdout=subprocess.PIPE, stderr=errors, text=True
    ) as process:
        assert process.stdout
        try:
            line = process.stdout.readline()
            yield Service(process, line.split()[0])
        finally:
            process.kill()


def form(
    *files: tuple[str, bytes], fields: int = 0, options: Mapping[str, str] | None = None, boundary: str = "b"
) -> tuple[bytes, str]:
    """Encode files (name and content), meaningless text fields and options as a form; return body and content type."""
    texts = {f"t{n}": "x" for n in range(fields)} | dict(options or {})
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()
        for name, text in texts.items()
    ]
    for name, content in files:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        parts.append(head.encode("utf-8", "surrogateescape") + content + b"\r\n")
    return b"".join(parts) + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"
