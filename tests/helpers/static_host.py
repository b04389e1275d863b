"""A static web host, as `python -m http.server` is one."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name of the base class
        """Log nothing."""


class StaticHost:
    """Serves a folder; `stop` closes its port."""

    def __init__(self, folder: Path) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(folder)))
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def stop(self) -> None:
        """Stop serving; a second call does nothing."""
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@contextmanager
def hosting(folder: Path) -> Iterator[StaticHost]:
    """Serve a folder until the block ends."""
    host = StaticHost(folder)
    try:
        yield host
    finally:
        if host.thread.is_alive():
            host.stop()
