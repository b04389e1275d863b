"""What people wait for: the command as a whole process, a folder of photos, and the service under load.

The base install is made anew from the wheel and its lock, so that nothing else is on its path.
"""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import timing
from PIL import Image, ImageOps

from modiste.imaging import photo_files
from modiste.imaging.preprocess import to_photo
from modiste.inference import model_file

ROOT = Path(__file__).parents[1]
TIMES = 20
COPIES = 2000
"""Pictures in the folder that is predicted."""

SIDE = 400
"""Longer edge of them."""

CONNECTIONS = 64
SECONDS = 20
"""Of load, after a few that warm up."""

POST = """\
wrk.method = "POST"
wrk.headers["Content-Type"] = "image/png"
local file = assert(io.open("{path}", "rb"))
wrk.body = file:read("*all")
file:close()
"""
"""For wrk, which is told what to send in Lua."""


def base_install(home: Path) -> Path:
    """Install the wheel and the base lock alone into `home`; return its Python."""
    wheels = home / "wheels"
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(wheels)]
    subprocess.run(build, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(home / "venv")], check=True)
    python = home / "venv" / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--require-hashes", "-r", str(ROOT / "requirements-base.lock")], check=True)
    subprocess.run([*pip, str(next(wheels.glob("*.whl")))], check=True)
    return python


def megabytes(python: Path) -> float:
    """Size of what was installed, in millions of bytes on the disk; pip and its kin were there before."""
    packages = next((python.parents[1] / "lib").glob("python*/site-packages"))
    others = [each for each in packages.iterdir() if not re.match(r"pip|setuptools|_distutils|distutils", each.name)]
    measured = ["du", "--summarize", "--total", "--block-size=1", *map(str, others)]
    told = subprocess.run(measured, capture_output=True, text=True, check=True).stdout
    return int(told.splitlines()[-1].split()[0]) / 1e6


def process(python: Path, picture: Path) -> float:
    """Median seconds of `modiste predict PICTURE` from its start to its end, after a few that warm up."""
    command = [str(python), "-m", "modiste", "predict", str(picture)]
    return timing.seconds(lambda: subprocess.run(command, capture_output=True, check=True), TIMES, 3)


def milliseconds(picture: Path) -> float:
    """Median milliseconds from the pixels of a photo to its label, on one thread, with the bundled model."""
    model, pixels = model_file.load("photo", threads=1), to_photo(picture)
    return 1000 * timing.seconds(lambda: model.predict([pixels]), 10 * TIMES, 10)


def folder(python: Path, photos: Path, home: Path) -> dict[str, Any]:
    """Photos a second that `predict DIR --out` gets through, process and all.

    Args:
        python: of the install that is measured.
        photos: a folder of photos; copies of them with 400 pixels a side are what is predicted.
        home: where the copies go.
    """
    pictures = _copies(photos, home / "pictures")
    out = home / "labels.csv"
    out.unlink(missing_ok=True)
    started = time.perf_counter()
    subprocess.run([python, "-m", "modiste", "predict", "--out", out, pictures], capture_output=True, check=True)
    seconds = time.perf_counter() - started
    return {"pictures": COPIES, "pixels": SIDE, "seconds": seconds, "pictures_a_second": COPIES / seconds}


def load(picture: Path, home: Path) -> dict[str, Any]:
    """Answers a second of the service on core 0, asked by 64 connections from core 1, and how long they take.

    Args:
        picture: what every request sends.
        home: a folder for the script of the load.
    """
    script = home / "post.lua"
    script.write_text(POST.format(path=picture.resolve()), encoding="utf-8")
    with serving() as url:
        _asked(url, script, 3)
        told = _asked(url, script, SECONDS)
    return {"connections": CONNECTIONS, "seconds": SECONDS, **read_wrk(told)}


def read_wrk(told: str) -> dict[str, Any]:
    """The figures in what wrk prints."""
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", told)
    late = re.search(r"Socket errors: .*", told)
    units = {"us": 0.001, "ms": 1.0, "s": 1000.0}
    shares = re.findall(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s)$", told, re.MULTILINE)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", told)
    if not rate or not shares:
        raise SystemExit(f"wrk said what is not understood:\n{told}")
    return {
        "answers_a_second": float(rate.group(1)),
        **{f"milliseconds_p{share}": float(value) * units[unit] for share, value, unit in shares},
        "refused": int(wrong.group(1)) if wrong else 0,
        "socket_errors": late.group(0) if late else "",
    }


def _asked(url: str, script: Path, seconds: int) -> str:
    """What wrk prints of so many seconds."""
    wrk = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "-s", str(script), f"{url}predict"]
    return subprocess.run(["taskset", "-c", "1", *wrk], stdout=subprocess.PIPE, text=True, check=True).stdout


@contextmanager
def serving(*options: str) -> Iterator[str]:
    """Run `modiste serve` on core 0 with these options; gives the address of its page."""
    command = ["taskset", "-c", "0", sys.executable, "-m", "modiste", "serve", "--port=0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        try:
            yield running.stdout.readline().split()[0] if running.stdout else ""
        finally:
            running.terminate()


def _copies(photos: Path, home: Path) -> Path:
    """Two thousand JPEGs of the photos, the longer edge 400 pixels, each file its own."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    found = photo_files.find_photos(photos).readable
    for number in range(min(len(found), COPIES)):
        with Image.open(found[number]) as photo:
            small = ImageOps.contain(photo.convert("RGB"), (SIDE, SIDE))
        small.save(home / f"{number:05}.jpg", quality=85)
    made = sorted(home.iterdir())
    for number in range(len(made), COPIES):
        shutil.copy(made[number % len(made)], home / f"{number:05}.jpg")
    return home
