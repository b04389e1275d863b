"""The commands of docs/deploy.md."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import requests

from helpers.proxy import NAME, PREFIX
from helpers.service import serving

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")


def commands(program: str) -> list[list[str]]:
    """Return the arguments of each command line of a program."""
    return [shlex.split(line) for line in re.findall(rf"^    (?:sudo )?{program} (.+)$", PAGE, re.MULTILINE)]


def test_the_certificate_for_the_local_network_works(tmp_path: Path) -> None:
    """The two commands of the page, with the address of this machine, serve HTTPS to other devices."""
    (request,) = commands("openssl")
    (options,) = [each[1:] for each in commands("modiste") if "--tls-cert" in each]
    certificate = [part.replace("192.168.1.20", "127.0.0.1") for part in request]
    subprocess.run(["openssl", *certificate], cwd=tmp_path, capture_output=True, check=True)
    files = [str(tmp_path / part) if part.endswith(".pem") else part for part in options]
    with serving(*files) as service:
        about = requests.get(f"{service.url}about", verify=tmp_path / "cert.pem", timeout=30)
        assert about.json()["models"]


@pytest.mark.parametrize("options", [each[1:] for each in commands("modiste")], ids=" ".join)
def test_every_service_of_the_page_starts(options: list[str], tmp_path: Path) -> None:
    """The options are valid together; certificates are tested above."""
    with serving(*[each for each in options if not each.startswith("--tls") and not each.endswith(".pem")]) as service:
        assert service.ask("GET", "/health/ready")[0] == 200


def test_every_file_that_is_copied_exists() -> None:
    """All files in deploy/ are described, here or in docs/scaling.md, with the prefix and name that they have."""
    copied = [sources[0] for sources in commands("cp")]
    assert [name for name in copied if not (ROOT / name).exists()] == []
    pages = PAGE + (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    assert [path.name for path in (ROOT / "deploy").iterdir() if f"deploy/{path.name}" not in pages] == []
    assert f"https://{NAME}{PREFIX}/" in PAGE
