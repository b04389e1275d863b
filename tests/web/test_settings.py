"""How the service is reached: prefix, host names, third-party pages, TLS, the local network."""

import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from helpers.certificates import self_signed
from helpers.command import run_in_process
from helpers.service import BOOT, Service, serving

PNG = {"Content-Type": "image/png"}
PAGE = "https://shop.example"


@pytest.fixture(scope="module")
def behind_a_proxy() -> Iterator[Service]:
    """A service with a prefix, a host name and the page of another site."""
    with serving("--root-path=/modiste", "--allow-host=shop.example", f"--allow-origin={PAGE}") as service:
        yield service


@pytest.mark.parametrize("prefix", ["", "/modiste"])
def test_a_prefix_is_accepted_whether_or_not_the_proxy_removes_it(behind_a_proxy: Service, prefix: str) -> None:
    """Page, samples and predictions are found in both forms, and are counted under one path."""
    assert b"<title>" in behind_a_proxy.ask("GET", f"{prefix}/")[1]
    assert behind_a_proxy.ask("GET", f"{prefix}/samples/bag.png")[0] == 200
    assert behind_a_proxy.ask("POST", f"{prefix}/predict", BOOT)[1]["label"] == "Ankle boot"
    assert behind_a_proxy.ask("GET", f"{prefix}/openapi.json")[1]["servers"] == [{"url": "/modiste"}]
    assert b'path="/predict",status="200"' in behind_a_proxy.ask("GET", f"{prefix}/metrics")[1]


def test_the_prefix_without_a_slash_leads_to_the_page(behind_a_proxy: Service) -> None:
    """Otherwise the relative addresses of the page would be wrong."""
    status, _, headers = behind_a_proxy.ask("GET", "/modiste")
    assert (status, headers["location"][-9:]) == (307, "/modiste/")


def test_another_prefix_is_404(behind_a_proxy: Service) -> None:
    """The prefix ends with its last character, and is removed once."""
    for path in ("/modistes/about", "/modiste/modiste/about", "/other/about"):
        assert behind_a_proxy.ask("GET", path)[0] == 404


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("shop.example", 200),
        ("Shop.Example:443", 200),
        ("localhost:8000", 200),
        ("10.0.0.7:8000", 200),
        ("[::1]:8000", 200),
        ("evil.example", 400),
        ("shop.example.evil.example", 400),
        ("10.0.0.7.evil.example", 400),
        ("127.0.0.1:8000@evil.example", 400),
        ("127.0.0.1:evil.example", 400),
        ("", 400),
    ],
)
def test_host_names_are_accepted_by_option(behind_a_proxy: Service, host: str, status: int) -> None:
    """Beside them this machine's names and every IP address; all others are rejected (fault 17)."""
    assert behind_a_proxy.ask("GET", "/about", Host=host)[0] == status


def test_a_page_of_an_allowed_origin_reads_responses(behind_a_proxy: Service) -> None:
    """Errors and the preflight of JSON included; other pages get no permission."""
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    status, _, headers = behind_a_proxy.ask("OPTIONS", "/predict", Origin=PAGE, **preflight)
    assert (status, headers["access-control-allow-origin"]) == (200, PAGE)
    for body, expected in ((BOOT, 200), (b"", 415)):
        status, _, headers = behind_a_proxy.ask("POST", "/predict", body, Origin=PAGE)
        assert (status, headers["access-control-allow-origin"]) == (expected, PAGE)
    assert behind_a_proxy.ask("OPTIONS", "/predict", Origin="https://evil.example", **preflight)[0] == 400
    assert "access-control-allow-origin" not in behind_a_proxy.ask("GET", "/about", Origin="https://evil.example")[2]


def test_every_page_may_be_allowed() -> None:
    """`--allow-origin '*'` is for public services."""
    with serving("--allow-origin=*") as service:
        headers = service.ask("POST", "/predict", BOOT, Origin="https://any.example")[2]
        assert headers["access-control-allow-origin"] == "*"


def test_tls_needs_no_proxy(tmp_path: Path) -> None:
    """A client that trusts the certificate gets page and predictions over HTTPS."""
    cert, key = self_signed(tmp_path, "IP:127.0.0.1")
    with serving(f"--tls-cert={cert}", f"--tls-key={key}") as service:
        assert service.url.startswith("https://127.0.0.1:")
        response = requests.post(f"{service.url}predict", BOOT, headers=PNG, verify=cert, timeout=30)
        assert response.json()["label"] == "Ankle boot"


@pytest.mark.slow
def test_an_idle_connection_is_closed_over_tls(tmp_path: Path) -> None:
    """The timeout of connections without a request holds for encrypted ones, too (fault 12)."""
    cert, key = self_signed(tmp_path, "IP:127.0.0.1")
    setup = "from modiste.web import server; server.IDLE_TIMEOUT = 0.5"
    with serving(f"--tls-cert={cert}", f"--tls-key={key}", setup=setup) as service:
        context = ssl.create_default_context(cafile=cert)
        with (
            socket.create_connection(service.address, timeout=20) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
        ):
            connection.sendall(b"GET / HT")
            with suppress(ConnectionError, ssl.SSLEOFError):
                assert connection.recv(100) == b""


@pytest.mark.parametrize(
    ("cert", "key", "reason"),
    [
        ("cert.pem", None, "give --tls-cert and --tls-key"),
        (None, "key.pem", "give --tls-cert and --tls-key"),
        ("missing.pem", "key.pem", "No such file"),
        ("cert.pem", "no-key.pem", "The key no-key.pem cannot be read"),
        ("text.pem", "key.pem", "PEM"),
        ("cert.pem", "other.pem", "match"),
        ("cert.pem", "secret.pem", "has a passphrase"),
    ],
)
def test_files_that_are_no_pair_are_an_error(cert: str | None, key: str | None, reason: str, tmp_path: Path) -> None:
    """The command names the files and does not listen; it asks for no passphrase (fault 21)."""
    self_signed(tmp_path, "IP:127.0.0.1")
    (tmp_path / "text.pem").write_text("no certificate")
    for name, options in (("other.pem", []), ("secret.pem", ["-aes256", "-pass", "pass:secret"])):
        command = ["openssl", "genpkey", "-algorithm", "ed25519", *options, "-out", name]
        subprocess.run(command, cwd=tmp_path, check=True)
    arguments = [f"--tls-{name}={value}" for name, value in (("cert", cert), ("key", key)) if value]
    finished = run_in_process(tmp_path, "serve", "--port=0", *arguments, code=2)
    assert reason in finished.stderr
    assert len(finished.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "argument",
    [
        "--root-path=https://shop.example/modiste",
        "--root-path=modiste",
        "--allow-origin=shop.example",
        "--allow-origin=https://shop.example/page",
        "--allow-host=https://shop.example",
        "--allow-host=shop.example:443",
    ],
)
def test_an_invalid_option_is_an_error(argument: str, tmp_path: Path) -> None:
    """The message shows a valid value."""
    finished = run_in_process(tmp_path, "serve", "--port=0", argument, code=2)
    assert argument.partition("=")[0] in finished.stderr
    assert "such as" in finished.stderr


def test_on_all_interfaces_the_address_for_other_devices_is_printed() -> None:
    """It differs from the one for this machine, which is printed first; only names of this machine are accepted."""
    with serving("--host=0.0.0.0") as service:
        assert service.url.startswith("http://127.0.0.1:")
        own = socket.gethostname()
        for host in (own, f"{own.partition('.')[0]}.local:8000", "192.168.1.20", "[fe80::1]"):
            assert service.ask("GET", "/about", Host=host)[0] == 200
        assert service.ask("GET", "/about", Host="evil.example")[0] == 400  # DNS rebinding (fault 17)
        assert service.process.stdout
        line = service.process.stdout.readline()
        url = line.split()[0]
        assert "other devices" in line
        assert url != service.url
        assert requests.get(f"{url}health/live", timeout=30).status_code == 200
