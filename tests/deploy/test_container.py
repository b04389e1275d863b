"""Dockerfile and compose.yaml: linted, executed without Docker, small, and without writing to the file system."""

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from helpers.proxy import PREFIX
from helpers.service import BOOT, Service, form, serving

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
LIMIT = 300
"""MiB of the packages in the image."""


def instructions(stage: int) -> list[tuple[str, str]]:
    """Return the instructions of a stage of the Dockerfile, each as its name and its arguments."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = re.sub(r"(?m)^#.*\n", "", text).replace("\\\n", "").splitlines()
    pairs = [(name, rest) for name, _, rest in (line.partition(" ") for line in lines) if name]
    starts = [index for index, (name, _) in enumerate(pairs) if name == "FROM"]
    return pairs[starts[stage] : [*starts, len(pairs)][stage + 1]]


def argument(name: str) -> str:
    """Return the arguments of an instruction of the image, which has it once."""
    (value,) = [rest for each, rest in instructions(1) if each == name]
    return value


def test_hadolint_finds_nothing() -> None:
    """Its rules are those of Docker's guide for Dockerfiles."""
    hadolint = shutil.which("hadolint", path=f"{BIN}:{os.environ['PATH']}")
    assert hadolint, "install the development packages"
    finished = subprocess.run([hadolint, "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stdout) == (0, "")


def test_the_image_has_no_root_user() -> None:
    """The user is a number, and the stages have the same Python."""
    assert int(argument("USER").partition(":")[0]) > 0
    assert argument("FROM") == instructions(0)[0][1].removesuffix(" AS build")


def test_every_file_that_is_copied_reaches_docker() -> None:
    """`.dockerignore` excludes everything else, such as runs and caches."""
    *_, patterns = (ROOT / ".dockerignore").read_text().partition("*\n")
    included = [pattern.removeprefix("!") for pattern in patterns.split() if pattern.startswith("!")]
    copied = [name for each, rest in instructions(0) if each == "COPY" for name in rest.split()[:-1]]
    assert sorted(copied) == sorted(included)
    assert all((ROOT / name).exists() for name in copied)


def test_the_health_check_passes(service: Service) -> None:
    """It is a command without a shell, which succeeds for a running service and fails without one."""
    command = json.loads(argument("HEALTHCHECK").partition("CMD ")[2])
    for port, is_healthy in ((service.address[1], True), (1, False)):
        program = [sys.executable, *(part.replace(":8000/", f":{port}/") for part in command[1:])]
        assert (subprocess.run(program, capture_output=True, check=False).returncode == 0) == is_healthy


def test_the_service_writes_no_file(tmp_path: Path) -> None:
    """A read-only root file system is enough, for every kind of request."""
    log = tmp_path / "log"
    hook = (
        f"import os, sys; log = open({str(log)!r}, 'w', buffering=1); writing = os.O_WRONLY | os.O_RDWR; "
        "sys.dont_write_bytecode = True; "
        "sys.addaudithook(lambda event, args: (event == 'open' and (args[2] or 0) & writing "
        "or event in ('os.mkdir', 'os.rename')) and log.write(f'{event} {args}\\n'))"
    )
    with serving(setup=hook) as service:
        assert service.ask("POST", "/predict?preview=true&heatmap=true", BOOT)[0] == 200
        assert service.ask("POST", "/predict", *form(("a.png", BOOT), ("b.png", BOOT + bytes(2**20))))[0] == 200
        assert service.ask("GET", "/metrics")[0] == 200
        written = [line for line in log.read_text().splitlines() if "/dev/" not in line]
    assert written == []


@pytest.mark.slow
def test_the_steps_of_the_dockerfile_build_a_small_environment(tmp_path: Path) -> None:
    """Each RUN is executed without Docker; the packages have at most 300 MiB, and the service runs from them."""
    build, venv = tmp_path / "build", tmp_path / "venv"
    build.mkdir()
    variables = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    for name, rest in instructions(0):
        if name == "ENV":
            variables |= dict(pair.split("=", 1) for pair in shlex.split(rest)) | {"VENV": str(venv)}
        elif name == "COPY":
            *sources, target = rest.split()
            for source in sources:
                copy(ROOT / source, build / target / (source if target == "./" else ""))
        elif name == "RUN":
            subprocess.run(["bash", "-euo", "pipefail", "-c", rest], cwd=build, env=pip(variables), check=True)
    packages = next((venv / "lib").glob("python*/site-packages"))
    size = int(subprocess.check_output(["du", "-sm", str(packages)], text=True).split()[0])
    print(f"site-packages of the image: {size} MiB")  # noqa: T201
    assert size <= LIMIT
    assert not list(packages.glob("torch*"))
    shutil.rmtree(build)
    _, *options = json.loads(argument("ENTRYPOINT"))
    command = [str(venv / "bin" / "modiste"), *options, "--port=0"]
    variables = {"PATH": str(venv / "bin")}
    with subprocess.Popen(command, cwd=tmp_path, env=variables, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        running = Service(process, process.stdout.readline().split()[0])
        assert running.ask("POST", "/predict", BOOT)[1]["label"] == "Ankle boot"
        process.terminate()
        assert process.wait(30) == 0


def copy(source: Path, target: Path) -> None:
    """Copy a file or folder as Docker does, without what `.dockerignore` excludes."""
    if source.is_dir():
        shutil.copytree(source, target, ignore=lambda _, names: fnmatch.filter(names, "__pycache__"))
    else:
        shutil.copy2(source, target)


def pip(variables: dict[str, str]) -> dict[str, str]:
    """Add the settings of pip on this machine, such as its index."""
    return {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_"))} | variables


def compose() -> dict[str, object]:
    """Return the service of compose.yaml."""
    return yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]["modiste"]


def test_compose_restricts_the_container() -> None:
    """Read-only root, the user of the image, no capabilities, published on this machine only, time to stop."""
    service = compose()
    assert service["read_only"] is True
    assert service["user"] == argument("USER")
    assert service["cap_drop"] == ["ALL"]
    assert all(str(port).startswith("127.0.0.1:") for port in service["ports"])
    assert int(service["stop_grace_period"].removesuffix("s")) > 20


def test_the_hint_on_two_instances_has_the_options_of_the_unit() -> None:
    """Without prefix and host name, the instances would reject what the proxies pass on."""
    unit = (ROOT / "deploy" / "modiste@.service").read_text(encoding="utf-8")
    options = unit.partition("--root-path ")[2].splitlines()[0].split()
    hint = (ROOT / "compose.yaml").read_text(encoding="utf-8").partition("services:")[0].replace("\n# ", " ")
    assert ", ".join(f'"{option}"' for option in ("--root-path", *options)) in hint
    assert options == [PREFIX, "--allow-host", "shop.example"]


def test_compose_accepts_the_file() -> None:
    """Its own check needs no running Docker."""
    commands = (["docker-compose"], ["docker", "compose"])
    usable = [each for each in commands if shutil.which(each[0]) and has_version(each)]
    if not usable:
        pytest.skip("needs Debian's package docker-compose, which .ci/run installs")
    finished = subprocess.run([*usable[0], "config", "--quiet"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stderr) == (0, "")


def has_version(command: list[str]) -> bool:
    """Whether the command is usable: `docker` may lack its plugin."""
    return subprocess.run([*command, "version"], capture_output=True, check=False).returncode == 0


def test_the_lock_of_the_image_has_the_tested_versions() -> None:
    """`requirements-web.lock` is a part of `requirements.lock`, hashes included."""
    pins = [re.findall(r"^(\S+==\S+)", (ROOT / f"{name}.lock").read_text(), re.MULTILINE) for name in LOCKS]
    web, complete = map(set, pins)
    assert web <= complete
    assert any(pin.startswith("fastapi==") for pin in web)
    assert not any(pin.startswith("torch==") for pin in web)


LOCKS = ("requirements-web", "requirements")
