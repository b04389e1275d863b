"""How the service is reached: its address, its prefix behind a proxy, accepted names and pages, and TLS."""

import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from modiste.errors import InputError, SettingError


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The options of `modiste serve` about its address.

    Args:
        host: address to listen on.
        port: TCP port; 0 chooses a free one.
        root_path: prefix of the paths behind a proxy, such as "/modiste"; both with it and without it paths are found.
        allow_origins: origins of third-party pages that may read responses, such as "https://shop.example"; or "*".
        allow_hosts: host names that are accepted beside those of this machine and `host`.
        tls_cert: PEM file of the certificate and its chain; None serves plain HTTP.
        tls_key: PEM file of its private key.

    Raises:
        SettingError: a value cannot be used.
        InputError: the certificate or key cannot be read.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    root_path: str = ""
    allow_origins: Sequence[str] = ()
    allow_hosts: Sequence[str] = ()
    tls_cert: Path | None = None
    tls_key: Path | None = None

    def __post_init__(self) -> None:
        _check_root_path(self.root_path)
        for origin in self.allow_origins:
            _check_origin(origin)
        for host in self.allow_hosts:
            _check_host(host)
        _check_certificate(self.tls_cert, self.tls_key)


def _check_root_path(path: str) -> None:
    if not re.fullmatch(r"(/[\w.~-]+)*", path, re.ASCII):
        raise SettingError(
            f"--root-path {path} is not a path. Give the prefix at which the proxy serves modiste, such as /modiste."
        )


def _check_origin(origin: str) -> None:
    if origin != "*" and not re.fullmatch(r"https?://[a-z0-9.-]+(:\d+)?|https?://\[[0-9a-f:]+\](:\d+)?", origin):
        raise SettingError(
            f"--allow-origin {origin} is not an origin. Give scheme, host and port without a path, in lower case, "
            "such as https://shop.example."
        )


def _check_host(host: str) -> None:
    if not re.fullmatch(r"[a-z0-9.-]+", host):
        raise SettingError(
            f"--allow-host {host} is not a host name. Give it without scheme and port, in lower case, "
            "such as shop.example."
        )


def _check_certificate(cert: Path | None, key: Path | None) -> None:
    """Load both files once, so that a mistake is one sentence, and no passphrase is asked for."""
    if (cert is None) != (key is None):
        raise SettingError("TLS needs both files: give --tls-cert and --tls-key.")
    if cert is None or key is None:
        return

    def reject_passphrase() -> str:
        raise InputError(f"The key {key} has a passphrase. Give one without, readable only by the service.")

    for name, path in (("certificate", cert), ("key", key)):
        try:
            path.open("rb").close()
        except OSError as error:
            raise InputError(f"The {name} {path} cannot be read ({error.strerror}). Give another file.") from None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, reject_passphrase)
    except ssl.SSLError:
        raise InputError(
            f"The certificate {cert} and key {key} do not match, or one is not a PEM file. Give a certificate and its "
            "private key."
        ) from None
