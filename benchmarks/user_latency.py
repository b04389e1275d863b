"""Measure the latency for a user: the command as a process, a folder of photos, and the service under load.

The base package is installed from its wheel and lock file into a new environment, so that nothing else is imported.
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
REPEATS = 20
COPIES = 2000
"""Photos in the folder that is predicted."""

SIDE = 400
"""Their longer edge in pixels."""

CONNECTIONS = 64
SECONDS = 20
"""Duration of the load, after three seconds that warm up."""

POST = """\
wrk.method = "POST"
wrk.headers["Content-Type"] = "image/png"
local file = assert(io.open("{path}", "rb"))
wrk.body = file:read("*all")
file:close()
"""
"""Lua script for wrk that sends a file as the body."""


def install_base(home: Path) -> Path:
    """Install the wheel with the base lock file alone into `home`; return its Python."""
    wheels = home / "wheels"
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(wheels)]
    subprocess.run(build, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(home / "venv")], check=True)
    python = home / "venv" / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--require-hashes", "-r", str(ROOT / "requirements-base.lock")], check=True)
    subprocess.run([*pip, str(next(wheels.glob("*.whl")))], check=True)
    return python


def installed_megabytes(python: Path) -> float:
    """Return the size on disk of the installed packages without pip and setuptools, in 10^6 bytes."""
    packages = next((python.parents[1] / "lib").glob("python*/site-packages"))
    paths = [each for each in packages.iterdir() if not re.match(r"pip|setuptools|_distutils|distutils", each.name)]
    command = ["du", "--summarize", "--total", "--block-size=1", *map(str, paths)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return int(output.splitlines()[-1].split()[0]) / 1e6


def time_process(python: Path, photo: Path) -> float:
    """Return the median seconds of the process `modiste predict PHOTO` from start to end."""
    command = [str(python), "-m", "modiste", "predict", str(photo)]
    return timing.median_seconds(lambda: subprocess.run(command, capture_output=True, check=True), REPEATS, 3)


def time_prediction(photo: Path) -> float:
    """Return the median milliseconds from the pixels of a photo to its label, with the bundled model on one thread."""
    model, pixels = model_file.load("photo", threads=1), to_photo(photo)
    return 1000 * timing.median_seconds(lambda: model.predict([pixels]), 10 * REPEATS, 10)


def time_folder(python: Path, photos: Path, home: Path) -> dict[str, Any]:
    """Time the process `modiste predict DIR --out` on copies of the photos with 400 pixels on the longer edge.

    Args:
        python: of the environment that is measured.
        photos: a folder of photos.
        home: where the copies are written.
    """
    copies = _write_copies(photos, home / "copies")
    out = home / "labels.csv"
    out.unlink(missing_ok=True)
    start = time.perf_counter()
    subprocess.run([python, "-m", "modiste", "predict", "--out", out, copies], capture_output=True, check=True)
    seconds = time.perf_counter() - start
    return {"photos": COPIES, "pixels": SIDE, "seconds": seconds, "photos_a_second": COPIES / seconds}


def measure_load(photo: Path, home: Path) -> dict[str, Any]:
    """Measure throughput and latency of the service on core 0 under load from 64 connections on core 1.

    Args:
        photo: the body of every request.
        home: folder for wrk's script.
    """
    script = home / "post.lua"
    script.write_text(POST.format(path=photo.resolve()), encoding="utf-8")
    with serve() as url:
        _run_wrk(url, script, 3)
        output = _run_wrk(url, script, SECONDS)
    return {"connections": CONNECTIONS, "seconds": SECONDS, **parse_wrk(output)}


def parse_wrk(output: str) -> dict[str, Any]:
    """Return the numbers in the output of wrk."""
    rejected = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    socket_errors = re.search(r"Socket errors: .*", output)
    units = {"us": 0.001, "ms": 1.0, "s": 1000.0}
    percentiles = re.findall(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s)$", output, re.MULTILINE)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    if not rate or not percentiles:
        raise SystemExit(f"The output of wrk cannot be parsed:\n{output}")
    return {
        "requests_per_second": float(rate.group(1)),
        **{f"milliseconds_p{percent}": float(value) * units[unit] for percent, value, unit in percentiles},
        "rejected": int(rejected.group(1)) if rejected else 0,
        "socket_errors": socket_errors.group(0) if socket_errors else "",
    }


def _run_wrk(url: str, script: Path, seconds: int) -> str:
    wrk = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "-s", str(script), f"{url}predict"]
    return subprocess.run(["taskset", "-c", "1", *wrk], stdout=subprocess.PIPE, text=True, check=True).stdout


@contextmanager
def serve(*options: str) -> Iterator[str]:
    """Run `modiste serve` on core 0 with these options; yields the URL of its page."""
    command = ["taskset", "-c", "0", sys.executable, "-m", "modiste", "serve", "--port=0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().split()[0] if process.stdout else ""
        finally:
            process.terminate()


def _write_copies(photos: Path, home: Path) -> Path:
    """Write `COPIES` JPEG files of the photos, resized to `SIDE`; return their folder."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    paths = photo_files.find_photos(photos).readable
    for index in range(min(len(paths), COPIES)):
        with Image.open(paths[index]) as photo:
            resized = ImageOps.contain(photo.convert("RGB"), (SIDE, SIDE))
        resized.save(home / f"{index:05}.jpg", quality=85)
    copies = sorted(home.iterdir())
    for index in range(len(copies), COPIES):
        shutil.copy(copies[index % len(copies)], home / f"{index:05}.jpg")
    return home
