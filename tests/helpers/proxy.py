"""nginx and Caddy with the files in `deploy/`, on free ports and with a self-signed certificate."""

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from helpers.certificates import self_signed

DEPLOY = Path(__file__).parents[2] / "deploy"
NAME = "shop.example"
PREFIX = "/modiste"

needs_nginx = pytest.mark.skipif(
    not shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin"),
    reason="needs Debian's package nginx-light, which .ci/run installs",
)
needs_caddy = pytest.mark.skipif(
    not shutil.which("caddy"), reason="needs Debian's package caddy, which .ci/run installs"
)

NGINX = """
daemon off;
error_log stderr;
pid {folder}/pid;
{user}
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/responses;
    include {folder}/site.conf;
}}
"""


@dataclass(frozen=True)
class Proxy:
    """A running proxy.

    Args:
        port: of HTTPS.
        cert: its certificate, for the name and 127.0.0.1.
    """

    port: int
    cert: Path

    @property
    def url(self) -> str:
        """Address of the page, at the IP address of this machine."""
        return f"https://127.0.0.1:{self.port}{PREFIX}/"

    @property
    def name_url(self) -> str:
        """The same under its name, for a browser that resolves it to this machine."""
        return f"https://{NAME}:{self.port}{PREFIX}/"

    def post(self, content: bytes, content_type: str = "image/png") -> requests.Response:
        """Send a body to `/predict`."""
        return self.request("POST", "predict", data=content, headers={"Content-Type": content_type})

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request on a new connection, under the name of the proxy."""
        headers = {"Host": f"{NAME}:{self.port}", **options.pop("headers", {})}
        address = f"{self.url}{path}"
        return requests.request(method, address, headers=headers, verify=self.cert, timeout=120, **options)


def free_port() -> int:
    """Return a TCP port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def nginx(folder: Path, ports: Sequence[int]) -> Iterator[Proxy]:
    """Run nginx with `deploy/nginx.conf` in front of the instances at these ports."""
    cert, key = self_signed(folder, f"DNS:{NAME}", "IP:127.0.0.1")
    port = free_port()
    changes = {
        **{f"127.0.0.1:{8001 + index}": f"127.0.0.1:{instance}" for index, instance in enumerate(ports)},
        r"listen \[::\].*": "",
        "listen 80;": f"listen 127.0.0.1:{free_port()};",
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        f"/etc/letsencrypt/live/{NAME}/fullchain.pem": str(cert),
        f"/etc/letsencrypt/live/{NAME}/privkey.pem": str(key),
    }
    (folder / "site.conf").write_text(_changed(DEPLOY / "nginx.conf", changes))
    user = "user root;" if os.geteuid() == 0 else ""  # other users cannot read the folder of a test
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, user=user))
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    with _running([program, "-p", str(folder), "-c", str(config)], port):
        yield Proxy(port, cert)


@contextmanager
def caddy(folder: Path, ports: Sequence[int]) -> Iterator[Proxy]:
    """Run Caddy with `deploy/Caddyfile` in front of the instances at these ports."""
    cert, key = self_signed(folder, f"DNS:{NAME}", "IP:127.0.0.1")
    port = free_port()
    options = "{\n\tadmin off\n\tauto_https off\n\tskip_install_trust\n}\n"
    changes = {
        **{f"127.0.0.1:{8001 + index}": f"127.0.0.1:{instance}" for index, instance in enumerate(ports)},
        f"(?m)^{NAME} {{": f"{options}https://{NAME}:{port}, https://127.0.0.1:{port} {{\n\ttls {cert} {key}",
    }
    config = folder / "Caddyfile"
    config.write_text(_changed(DEPLOY / "Caddyfile", changes))
    command = ["caddy", "run", "--config", str(config), "--adapter", "caddyfile"]
    with _running(command, port, HOME=str(folder), XDG_CONFIG_HOME=str(folder), XDG_DATA_HOME=str(folder)):
        yield Proxy(port, cert)


def _changed(path: Path, changes: Mapping[str, str]) -> str:
    """Return the text of a file with replacements of regular expressions, each of which must be found."""
    text = path.read_text(encoding="utf-8")
    for pattern, replacement in changes.items():
        text, count = re.subn(pattern, lambda _, new=replacement: new, text)
        assert count, f"{pattern} is not in {path}"
    return text


@contextmanager
def _running(command: list[str], port: int, **variables: str) -> Iterator[None]:
    """Run a proxy until the end of the block, as soon as it accepts connections."""
    with subprocess.Popen(command, env={**os.environ, **variables}) as process:
        try:
            deadline = time.monotonic() + 30
            while process.poll() is None:
                assert time.monotonic() < deadline, "the proxy does not listen"
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=5).close()
                except ConnectionError:
                    time.sleep(0.05)
                    continue
                break
            assert process.poll() is None, "the proxy ended"
            yield
        finally:
            process.terminate()
            process.wait(30)
